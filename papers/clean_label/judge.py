"""Rates of a victim and an honest model, and the tests of an ownership claim."""

import itertools
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datadeed.files import read_json
from datadeed.randomness import derive_seed
from datadeed.verification.answers import Answers
from datadeed.verification.tang import Settings, accuracy_drop, rates, verify_tang
from papers.base import Case, Records, Row, grid

PAPER = "clean-label"  # in the columns of cells and claims
# AudioMNIST, as an independent replication quotes the authors (its own: 10.13, 9.68, 9.27, 8.63 %).
PUBLISHED = {"impulse-1": 0.8886, "impulse-5": 0.9874, "impulse-10": 1.0, "impulse-20": 1.0}
# Of a scale; the last two are of other architectures than the surrogate's.
GRIDS = ("images", "sentiment", "topics", "sounds", "other_images", "other_texts")


def grids(settings: dict[str, Any]) -> dict[str, list[Case]]:
    """The cells of each grid of a scale."""
    mine = settings["clean_label"]
    return {name: grid({**mine[name], "seeds": mine["seeds"]}) for name in GRIDS}


def cases(settings: dict[str, Any]) -> list[Case]:
    """The cells of a scale."""
    return list(itertools.chain.from_iterable(grids(settings).values()))


def studies(settings: dict[str, Any]) -> dict[str, list[Case]]:
    """The cells whose marks are searched for."""
    mine, searched = settings["clean_label"], dict(settings["clean_label"]["stealth"])
    seeds = searched.pop("seeds")
    found = [
        grid({**mine[name], "watermarks": marks, "seeds": seeds})
        for name, marks in searched.items()
    ]
    return {"stealth": list(itertools.chain.from_iterable(found))}


def stage(case: Case, settings: dict[str, Any]) -> str:
    """The stage of ``dvc.yaml`` that makes a cell: each grid has its own."""
    return f"judge-{grid_of(case, settings)}"


def grid_of(case: Case, settings: dict[str, Any]) -> str:
    """The name of the grid that has a case."""
    return next(name for name, found in grids(settings).items() if case in found)


def judge(answers: pa.Table, case: Case, records: Records) -> list[Row]:
    """What follows from one cell's answers: rates are shares, AD is in percentage points.

    An honest model's accuracy does not depend on the watermark: it is the row "none", told with the
    first watermark of the grid.
    """
    target = records.record(case.dataset, case.watermark)["watermark"]["target"]
    given = {
        part: Answers.from_table(answers.filter(pc.field("asked") == part), target)
        for part in ("victim", "benign")
    }
    counted = answers.filter(pc.field("asked") == "victim")["counted"].to_numpy()
    rows = accuracy_rows(given["victim"], given["benign"])
    name = grid_of(case, records.settings())
    if case.watermark != records.settings("clean_label", name, "watermarks")[0]:
        rows = [row for row in rows if "watermark" not in row]
    table = 10 if is_transfer(case, records) else 9
    for part, found in given.items():
        rng = np.random.default_rng(
            derive_seed(
                *(records.seed, "detect", part),
                *(case.dataset, case.network, case.watermark, case.seed),
            )
        )
        settings = Settings(**records.params("verification"))
        made = trigger_rows(found, counted, settings, rng)
        rows += [{"table": table, "scenario": part, **row} for row in made]
    crafted = records.record(case.dataset, case.watermark, "craft")
    if "fooled" in crafted:
        share = crafted["fooled"] / crafted["marks"]
        misled = {"metric": "misled", "value": share, "n": crafted["marks"]}
        rows.append({"table": table, "scenario": "victim", **misled})
    if case.dataset.startswith("audiomnist"):
        for row in rows:
            if (row["scenario"], row["metric"]) == ("victim", "tsr_as_published"):
                row["published"] = PUBLISHED.get(case.watermark)
    return rows


def is_transfer(case: Case, records: Records) -> bool:
    """Whether the victim is of another architecture than the surrogate."""
    cases = case, Case(case.dataset, "surrogate", "none", 0)
    victim, surrogate = (read_json(records.folder(one) / "model.json")["config"] for one in cases)
    return bool(victim != surrogate)


def accuracy_rows(victim: Answers, benign: Answers) -> list[Row]:
    """Table 8: both models' benign accuracy, and how much of it the marks cost."""
    before, after = (rates(found)["ba"] for found in (benign, victim))
    drop = accuracy_drop(benign, victim)
    honest = {"scenario": "benign", "watermark": "none", "metric": "ba", **_number(before)}
    error = {"value": drop["standard_error"], "n": drop["n"]}
    return [
        {"table": 8, "scenario": "victim", "metric": "ba", **_number(after)},
        {"table": 8, "scenario": "victim", "metric": "ad", **_number(drop)},
        {"table": 8, "scenario": "victim", "metric": "ad_error", **error},
        {"table": 8, **honest},
    ]


def trigger_rows(
    answers: Answers, counted: np.ndarray, settings: Settings, rng: np.random.Generator
) -> list[Row]:
    """Tables 9 and 10: one model's answers to the trigger.

    Args:
        answers: of one model, to all test samples.
        counted: (N,) bool, the samples that the trigger goes into; as published all count.
        settings: of the published test.
        rng: draws its repetitions.
    """
    asked = answers.take(counted)
    found = verify_tang(asked, settings=settings, rng=rng)
    wdr, mcnemar, rise = found["wdr"], found["mcnemar"], found["rise"]
    return [
        {"metric": "tsr", **_number(rates(asked)["tsr"])},
        {"metric": "tsr_as_published", **_number(rates(answers)["tsr_as_published"])},
        {"metric": "wdr", "value": wdr["value"], "n": wdr["pool"]},
        {"metric": "p_mcnemar", "value": mcnemar["p_value"], "n": mcnemar["n"]},
        {"metric": "p_rise", "value": rise["p_value"], "n": rise["n"]},
    ]


def _number(found: dict[str, Any]) -> Row:
    return {"value": found["value"], "n": found["n"]}

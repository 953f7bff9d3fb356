"""Rates of every model, and what the ownership tests say where there is no target label.

"Over all classes" counts every test image; "class 0" counts the images of that class alone, as the
released code does. The tests are of three scenarios: malicious (the victim, the true trigger),
independent-trigger (the victim, another pattern) and independent-model (the honest model, the true
trigger).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datadeed.errors import VerificationError
from datadeed.verification.answers import Answers
from datadeed.verification.ubw import RELEASED_CLASS, rates, verify_ubw
from datadeed.verification.verdict import WORDS
from papers.base import Case, Records, Row, grid
from papers.ubw import draws
from papers.ubw.names import ANSWERED, MODELS, SCENARIOS, VERIFIED

# CIFAR-10, pattern (a), as the authors quote them: measured on class 0, and for UBW-C on the last
# surrogate. No source at hand states another row.
_STATED = ("ba", "asr_a_class_0", "asr_c_class_0", "d_p_class_0")
PUBLISHED = {
    ("ubw-p", "victim"): dict(zip(_STATED, (0.9059, 0.9230, 0.9251, 2.2548), strict=True)),
    ("ubw-c", "last-surrogate"): dict(zip(_STATED, (0.8699, 0.8980, 0.8756, 1.2641), strict=True)),
}


def cases(settings: dict[str, Any]) -> list[Case]:
    """The cells of a scale."""
    return grid(settings["ubw"])


def judge(answers: pa.Table, case: Case, records: Records) -> list[Row]:
    """What follows from one cell's answers: rates are shares, dispersibilities nats."""
    watermark = records.record(case.dataset, case.watermark)["watermark"]
    given = first_answers(answers, watermark.get("target"))
    models = {part: given[part] for part in MODELS if part in given}
    table = 4 if given["victim"].label.max() < 10 else 5
    found = {part: rates(its) for part, its in models.items()}
    rows = rate_rows(table, found, case, records)
    rows += [row for part, its in models.items() for row in answered_rows(part, its)]
    if "target" not in watermark:
        for scenario, (asked, model) in SCENARIOS.items():
            tested = verify_ubw(
                given[asked],
                decoy_failures(answers, model),
                settings=draws.settings(records),
                rng=draws.order(case, records),
            )
            rows += test_rows(VERIFIED[watermark["method"]], scenario, tested)
    return rows


def first_answers(answers: pa.Table, target: int | None) -> dict[str, Answers]:
    """The answers to all test images, by who was asked, without those to decoys."""
    mine = answers.filter(pc.field("decoy").is_null())
    return {
        part: Answers.from_table(mine.filter(pc.field("asked") == part), target)
        for part in pc.unique(mine["asked"]).to_pylist()
    }


def decoy_failures(answers: pa.Table, model: str) -> Callable[[np.ndarray], np.ndarray]:
    """Maps the samples that a test is about, (N,) bool, to the failures under each decoy, (K,)."""
    mine = answers.filter(pc.field("asked") == model).to_pandas()
    every, decoys = mine[mine.decoy.isna()], mine[mine.decoy.notna()]
    failed = decoys.triggered_prediction != decoys.label

    def count(asked: np.ndarray) -> np.ndarray:
        if set(decoys["index"]) != set(every["index"][asked]):
            raise VerificationError("the decoys' answers are about other samples: ask again")
        counts: np.ndarray = failed.groupby(decoys.decoy).sum().to_numpy()
        return counts

    return count


def rate_rows(
    table: int, models: dict[str, dict[str, Any]], case: Case, records: Records
) -> list[Row]:
    """The rows of each model.

    The honest model's BA does not depend on the watermark: it is the row "none", told with the
    scale's first watermark. The last surrogate, and the honest model beside it, do not depend on
    the victim's seed: they are told with the first one.

    Args:
        table: the published table.
        models: part to what :func:`datadeed.verification.ubw.rates` found.
        case: the cell.
        records: for the scale's grid.
    """
    first = {name: records.settings("ubw", name)[0] for name in ("watermarks", "seeds")}
    known, rows = PUBLISHED if case.dataset.startswith("cifar10") else {}, list[Row]()
    for part, found in models.items():
        if part in ("last-surrogate", "benign-retraining") and case.seed != first["seeds"]:
            continue
        named = {"table": table, "scenario": part}
        stated = known.get((case.watermark, part), {})
        for metric, (value, n) in _numbers(found).items():
            row = {**named, "metric": metric, "value": value, "n": n}
            if (part, metric) != ("benign", "ba"):
                rows.append({**row, "published": stated.get(metric)})
            elif case.watermark == first["watermarks"]:
                rows.append({**row, "watermark": "none"})
    return rows


def _numbers(found: dict[str, Any]) -> dict[str, tuple[float, int]]:
    """Metric to value and samples, over all classes and of class 0, if there are samples."""
    numbers = {"ba": (found["ba"]["value"], found["ba"]["n"])}
    for where, suffix in (("all", ""), ("class_0", "_class_0")):
        for name, rate in found[where].items():
            if rate is not None:
                numbers[f"{name}{suffix}"] = (rate["value"], rate["n"])
                if "uniform" in rate:
                    numbers[f"{name}_uniform{suffix}"] = (rate["uniform"], rate["n"])
    return numbers


def answered_rows(part: str, answers: Answers) -> list[Row]:
    """How often a model gives each label to triggered images of class 0."""
    counts = np.bincount(
        answers.triggered_prediction[answers.label == RELEASED_CLASS],
        minlength=1 + int(answers.label.max()),
    )
    return [
        {
            "table": None,
            "scenario": part,
            "metric": f"{ANSWERED}{label}",
            "value": int(count),
            "n": int(counts.sum()),
        }
        for label, count in enumerate(counts)
    ]


def test_rows(table: int, scenario: str, found: dict[str, Any]) -> list[Row]:
    """One suspect's verification."""
    released, mcnemar, decoys = found["released"], found["mcnemar"], found["decoys"]
    numbers = {
        "delta_p": (found["delta_p"], found["n"]),
        "p_published": (found["p_published"], found["n"]),
        "delta_p_released": (released["delta_p"], released["n"]),
        "p_released": (released["p"], released["n"]),
        "p_mcnemar": (mcnemar["p_value"], mcnemar["n"]),
        "p_rank": (decoys["rank_p"], decoys["count"]),
        "e_decoys": (decoys["e_value"], decoys["count"]),
        "failures": (decoys["failures"], found["n"]),
        "verdict": (WORDS.index(found["verdict"]["word"]), found["n"]),
    }
    return [
        {
            "table": None if metric == "verdict" else table,
            "scenario": scenario,
            "metric": metric,
            "value": value,
            "n": n,
        }
        for metric, (value, n) in numbers.items()
    ]

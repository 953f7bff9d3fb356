"""UBW's section of the page: what ``section.html`` shows, of cells and of artifacts."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import pandas as pd

from datadeed.reports.cells import cell_view
from datadeed.reports.figures import AMPLIFIED, Stroke, one_of_each_class, strokes
from datadeed.reports.page import human
from datadeed.verification.verdict import WORDS
from papers.base import Case, Lab, Records
from papers.sections import settings, spread
from papers.ubw.figures import Example, crafting_curves, example, label_histograms
from papers.ubw.names import VERIFIED
from papers.ubw.tables import CLAIMED, SHOWN, TABLES, in_order

IMAGES = 4  # of a watermark
CASE = ["dataset", "model", "watermark", "seed"]
MODELS = {
    "victim": "victim (trained on the watermarked data)",
    "last-surrogate": "last surrogate (what the released code evaluates)",
    "benign-retraining": "honest model, trained as the last surrogate was",
    "benign": "honest model, trained as the victims were, asked with each watermark’s trigger",
}
SCENARIOS = {
    "malicious": "thief",
    "independent-trigger": "thief, asked with another trigger",
    "independent-model": "honest model",
}
RATES = {
    "ba": "BA, %",
    "asr_a": "ASR-A, %",
    "asr_a_clean": "the same without trigger, %",
    "asr_c": "ASR-C, %",
    "d_p": "D_p",
    "d_p_uniform": "D_p, uniform",
}
CLASS_0 = {f"{metric}_class_0": name for metric, name in RATES.items() if metric != "ba"}
TESTS = {
    "delta_p": "ΔP: mean fall of the true label’s probability",
    "p_published": "p: paired t-test, as published",
    "delta_p_released": "ΔP without the filter, as in DATABench",
    "p_released": "p: paired t-test, as in DATABench",
    "p_mcnemar": "p: exact McNemar test (ours)",
    "p_rank": "p: rank of the trigger among its decoys (ours)",
    "e_decoys": "e-value of the trigger among its decoys (ours)",
    "failures": "failures with the trigger, of the samples asked",
}


def section(cells: pd.DataFrame, lab: Lab) -> dict[str, Any] | None:
    """What ``section.html`` shows of these cells."""
    if cells.empty:
        return None
    cases = [Case(*names) for names in cells[CASE].drop_duplicates().to_numpy().tolist()]
    marked = dict.fromkeys((c.dataset, c.watermark) for c in cases if c.watermark != "none")
    losses = read_losses(marked, lab)
    matched = list(dict.fromkeys(name for found in losses.values() for name in found))
    return {
        **view(cells, lab),
        "settings": settings(lab, (dataclasses.replace(c, watermark="none") for c in cases)),
        "examples": [examples(dataset, name, lab) for dataset, name in marked],
        "crafting": {
            dataset: crafting_curves(found, matched, prefix=f"losses{i}-")
            for i, (dataset, found) in enumerate(losses.items())
        },
        "strokes": crafting_strokes(matched),
    }


def read_losses(marked: Iterable[tuple[str, str]], lab: Lab) -> dict[str, dict[str, list[float]]]:
    """Dataset to watermark to the losses of its gradient matching, by iteration, if it had one."""
    losses: dict[str, dict[str, list[float]]] = {}
    for dataset, name in marked:
        crafted = lab.watermark(dataset, name).crafted
        if crafted and (found := lab.record(dataset, name, "craft")["losses"]):
            losses.setdefault(dataset, {})[name] = found
    return losses


def view(cells: pd.DataFrame, records: Records) -> dict[str, Any]:
    """What cells and parameters alone give; no verdicts, if only those of tables are there."""
    rows, shown = verdict_rows(cells), cells[cells["table"].notna()]
    rates, class_0 = measured(RATES, shown), measured(CLASS_0, shown)
    metrics = [*rates, *class_0]
    return {
        "title": "UBW (Li et al. 2022)",
        "watermarks": [name for name in dict.fromkeys(cells["watermark"]) if name != "none"],
        "seeds": sorted(set(cells["seed"])),
        "rule": records.params("verification"),
        "histograms": label_histograms(cells, human),
        "rates": rates,
        "class_0": class_0,
        "scenarios": SCENARIOS,
        "tables": [table_view(shown[shown["table"] == t], t, metrics) for t in TABLES],
        "verdicts": rows,
        "thefts": [row["word"] for row in rows if row["scenario"] == "malicious"],
        "controls": [row["word"] for row in rows if row["scenario"] != "malicious"],
        "amplified": AMPLIFIED,
        "known": int(shown["published"].notna().sum()),
    }


def measured(columns: dict[str, str], cells: pd.DataFrame) -> dict[str, str]:
    """The columns of which there is any cell: tables may be older than a column."""
    there = set(cells["metric"])
    return {metric: name for metric, name in columns.items() if metric in there}


def crafting_strokes(watermarks: list[str]) -> dict[str, Stroke]:
    """The lines of the crafting curves; no honest model is among them."""
    return {name: stroke for name, stroke in strokes(watermarks).items() if name != "none"}


def examples(dataset: str, name: str, lab: Lab) -> Example:
    """A few marked training images, and a few queries, under a watermark."""
    test, watermark = lab.test_file(dataset), lab.watermark(dataset, name)
    rows = spread(lab.marks(dataset, name), IMAGES)
    return example(
        lab.train(dataset).take(rows),
        lab.train(dataset, name).take(rows),
        test.take(one_of_each_class(test.labels(), IMAGES, watermark.target)),
        watermark,
        dataset=dataset,
        name=name,
    )


def verdict_rows(cells: pd.DataFrame) -> list[dict[str, Any]]:
    """One row a scenario of each cell that was verified, the thief's first."""
    if not (cells["metric"] == "verdict").any():
        return []
    rows = []
    verified = cells[cells["scenario"].isin(list(SCENARIOS))]
    for names, here in verified.groupby(CASE, sort=False):
        found = here.set_index(["scenario", "metric"])
        value, n = found["value"].to_dict(), found["n"].to_dict()
        rows += [
            {
                **dict(zip(("dataset", "network", "watermark", "seed"), names, strict=True)),
                "scenario": scenario,
                "suspect": suspect,
                "word": WORDS[int(value[scenario, "verdict"])],
                "failures": int(value[scenario, "failures"]),
                "n": n[scenario, "failures"],
                **{
                    metric: value[scenario, metric]
                    for metric in ("p_mcnemar", "p_rank", "delta_p", "p_published")
                },
            }
            for scenario, suspect in SCENARIOS.items()
        ]
    return rows


def table_view(cells: pd.DataFrame, table: int, metrics: list[str]) -> dict[str, Any]:
    """One published table: blocks of rows of cells, and the commands that remake them.

    Tables 4 and 5 have a row a watermark and a column each of ``metrics``; 6 and 7 a row a metric
    and a column a scenario.
    """
    rates = table not in VERIFIED.values()
    blocks = [
        {
            "dataset": dataset,
            "network": network,
            "parts": _rates(here, metrics) if rates else _tests(here),
        }
        for (dataset, network), here in cells.groupby(["dataset", "model"], sort=False)
    ]
    commands = cells[cells["watermark"] != "none"][[*CASE, "stage"]].drop_duplicates()
    return {
        "number": table,
        "title": TABLES[table],
        "claimed": CLAIMED[table],
        "rates": rates,
        "blocks": blocks,
        "commands": commands.to_dict("records"),
    }


def _rates(here: pd.DataFrame, metrics: list[str]) -> list[dict[str, Any]]:
    """The rows of one dataset and network: for each kind of model, a row a watermark.

    The honest model's accuracy stands above the victims'.
    """
    groups = in_order(here)
    parts = []
    for scenario, name in MODELS.items():
        rows = [
            {
                "name": case["watermark"],
                "cells": [cell_view(mine[mine.metric == m], m, SHOWN) for m in metrics],
            }
            for case, mine in groups
            if scenario == ("victim" if case["watermark"] == "none" else case["scenario"])
        ]
        if rows:
            parts.append({"name": name, "rows": rows})
    return parts


def _tests(here: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of one dataset and network: a row a metric, a column a scenario."""
    rows = []
    for metric, name in TESTS.items():
        mine = here[here.metric == metric]
        found = [
            cell_view(mine[mine.scenario == scenario], metric, SHOWN) for scenario in SCENARIOS
        ]
        rows.append({"name": name, "cells": found})
    return [{"name": "", "rows": rows}]

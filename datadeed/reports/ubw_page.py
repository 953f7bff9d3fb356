"""UBW's part of the page: what ``ubw.html`` shows, made from evidence, cells and figures."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from datadeed.reports import ubw
from datadeed.reports.cells import cell_view
from datadeed.reports.figures import AMPLIFIED, Curves, Stroke, strokes
from datadeed.reports.ubw_claims import VERIFIED
from datadeed.reports.ubw_figures import Example

MODELS = {
    "victim": "victim (trained on the watermarked data)",
    "last-surrogate": "last surrogate (what the released code evaluates)",
    "benign": "honest model, asked with each watermark’s trigger",
}
SCENARIOS = {
    "malicious": "thief",
    "independent-trigger": "thief, asked with another trigger",
    "independent-model": "honest model",
}
RATES = {
    "ba": "BA, %",
    "asr_a": "ASR-A, %",
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


@dataclass(frozen=True)
class UBW:
    """Everything that UBW's part of a page shows, besides cells and claims.

    Attributes:
        grid: ``datasets, networks, watermarks, seeds``.
        settings: a :class:`datadeed.reports.page.Setting` for each dataset.
        evidence: the records of the verified cells.
        examples: of every watermark.
        histograms: predicted labels, one figure for each dataset and network.
        crafting: losses by iteration as SVG, by dataset; ``matched`` are the watermarks in them.
    """

    grid: dict[str, list[Any]]
    settings: list[Any]
    evidence: list[dict[str, Any]]
    examples: list[Example]
    histograms: list[Curves]
    crafting: dict[str, str]
    matched: list[str]


def view(part: UBW, cells: pd.DataFrame) -> dict[str, Any]:
    """What the template needs.

    Args:
        part: UBW's part.
        cells: of all papers, as :func:`datadeed.reports.cells.tidy` gives them.
    """
    mine = cells[cells["table"].isin(list(ubw.TABLES))]
    rows = verdict_rows(part.evidence)
    return {
        "part": part,
        "rates": RATES,
        "class_0": CLASS_0,
        "scenarios": SCENARIOS,
        "tables": [table_view(mine[mine["table"] == table], table) for table in ubw.TABLES],
        "verdicts": rows,
        "thefts": [row["word"] for row in rows if row["scenario"] == "malicious"],
        "controls": [row["word"] for row in rows if row["scenario"] != "malicious"],
        "strokes": _strokes(part.matched),
        "amplified": AMPLIFIED,
        "known": int(mine["published"].notna().sum()),
    }


def _strokes(watermarks: list[str]) -> dict[str, Stroke]:
    """The lines of the crafting curves; no honest model is among them."""
    return {name: stroke for name, stroke in strokes(watermarks).items() if name != "none"}


def verdict_rows(evidence: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a scenario of each cell that was verified."""
    rows = []
    for record in evidence:
        verified = record.get("verification", {})
        for scenario in (name for name in SCENARIOS if name in verified):
            found, verdict = verified[scenario], verified[scenario]["verdict"]
            rows.append(
                {
                    **{k: record[k] for k in ("dataset", "network", "watermark", "seed")},
                    "scenario": scenario,
                    "suspect": SCENARIOS[scenario],
                    "word": verdict["word"],
                    "failures": found["decoys"]["failures"],
                    "n": found["n"],
                    "p_mcnemar": found["mcnemar"]["p_value"],
                    "p_rank": found["decoys"]["rank_p"],
                    "delta_p": found["delta_p"],
                    "p_published": found["p_published"],
                    "alpha": verdict["alpha"],
                    "tau": found["tau"],
                    "decoys": found["decoys"]["count"],
                }
            )
    return rows


def table_view(cells: pd.DataFrame, table: int) -> dict[str, Any]:
    """One published table: blocks of rows of cells, and the commands that remake them.

    Tables 4 and 5 have a row a watermark and a column a metric; 6 and 7 a row a metric and a column
    a scenario.
    """
    rates = table not in VERIFIED.values()
    blocks = [
        {"dataset": dataset, "network": network, "parts": (_rates if rates else _tests)(here)}
        for (dataset, network), here in cells.groupby(["dataset", "model"], sort=False)
    ]
    case = ["dataset", "model", "watermark", "seed", "stage"]
    commands = cells[cells["watermark"] != "none"][case].drop_duplicates().to_dict("records")
    return {
        "number": table,
        "title": ubw.TABLES[table],
        "claimed": ubw.CLAIMED[table],
        "rates": rates,
        "blocks": blocks,
        "commands": commands,
    }


def _rates(here: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of one dataset and network: for each kind of model, a row a watermark.

    The honest model's accuracy stands above the victims'.
    """
    groups = ubw.cases(here)
    parts = []
    for scenario, name in MODELS.items():
        rows = [
            {
                "name": case["watermark"],
                "cells": [cell_view(mine[mine.metric == m], m) for m in (*RATES, *CLASS_0)],
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
        found = [cell_view(mine[mine.scenario == scenario], metric) for scenario in SCENARIOS]
        rows.append({"name": name, "cells": found})
    return [{"name": "", "rows": rows}]

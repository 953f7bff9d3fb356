"""The clean-label paper's part of the page: what ``clean.html`` shows."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from datadeed.reports import clean
from datadeed.reports.cells import cell_view
from datadeed.reports.clean_figures import MarkedClip, MarkedImages, MarkedTexts, trigger_strokes
from datadeed.reports.figures import Curves
from datadeed.reports.ubw_figures import AMPLIFIED
from datadeed.verification.tang import detection

MODELS = {
    "victim": "victim (trained on the watermarked data)",
    "benign": "honest model, asked with each trigger",
}
METRICS = {  # a metric's group of columns and its name there
    "ba": ("accuracy", "BA, %"),
    "ad": ("accuracy", "AD, points"),
    "ad_error": ("accuracy", "its error"),
    "misled": ("the marks", "misleading, %"),
    "tsr": ("trigger success, %", "TSR"),
    "tsr_as_published": ("trigger success, %", "as published"),
    "wdr": ("published test", "WDR, %"),
    "p_mcnemar": ("exact p (ours)", "McNemar"),
    "p_rise": ("exact p (ours)", "rise above the margin"),
    "confidence_share": ("the least confident", "marks, %"),
    "confidence_p": ("the least confident", "p"),
    "confidence_above": ("the least confident", "AUC"),
    "autoencoder_share": ("the autoencoder’s outliers", "marks, %"),
    "autoencoder_p": ("the autoencoder’s outliers", "p"),
    "autoencoder_above": ("the autoencoder’s outliers", "AUC"),
    "grammar_rise": ("rise of errors", "grammar"),
    "errors_rise": ("rise of errors", "all"),
}
ASKED = ("dataset", "network", "seed", "trigger")  # what an honest model's answers depend on
LEVEL = 0.05  # of the exact tests, as in the paper of the published one
SAMPLES = {"image": "images", "text": "texts", "audio": "clips"}


@dataclass(frozen=True)
class CleanSetting:
    """What was run on one dataset.

    Attributes:
        dataset: its name; ``samples`` is what they are called.
        form: of one sample, for people; empty for texts.
        train_size, test_size, classes: counts.
        target: the target class's name.
        networks: network, the surrogate among them, to its size and epochs.
    """

    dataset: str
    samples: str
    form: str
    train_size: int
    test_size: int
    classes: int
    target: str
    networks: dict[str, str]


@dataclass(frozen=True)
class Clean:
    """Everything that this paper's part of a page shows, besides cells and claims.

    Attributes:
        settings: one for each dataset.
        evidence: the records of the verified cells, as ``tasks.detect`` writes them.
        images, texts, clips: marked samples, one entry for each dataset and trigger.
        curves: TSR by rate, one figure for each dataset and network.
    """

    settings: list[CleanSetting]
    evidence: list[dict[str, Any]]
    images: list[MarkedImages]
    texts: list[MarkedTexts]
    clips: list[MarkedClip]
    curves: list[Curves]


def view(part: Clean, cells: pd.DataFrame) -> dict[str, Any]:
    """What the template needs.

    Args:
        part: this paper's part.
        cells: of all papers, as :func:`datadeed.reports.cells.tidy` gives them.
    """
    mine = cells[cells["table"].isin(list(clean.TABLES))]
    return {
        "part": part,
        "named": watermark_name,
        "tables": [table_view(mine[mine["table"] == table], table) for table in clean.TABLES],
        "known": int(mine["published"].notna().sum()),
        "tests": detection_rows(part.evidence),
        "wdr": part.evidence[0]["verification"]["victim"]["wdr"],
        "crafts": craft_rows(part.evidence),
        "strokes": trigger_strokes(part.evidence),
        "plain": any(not record["perturbed"] for record in part.evidence),
        "amplified": AMPLIFIED,
    }


def detection_rows(evidence: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Recall, precision and false alarms of each test, over the models of marks with perturbation.

    An honest model counts once for every trigger, which it is asked the same about at each rate;
    an alarm at one rate is an alarm, since each rate's WDR has draws of its own.
    McNemar's test is not among them: it has no margin, and finds innocent models that any trigger
    moves a little.
    """
    tests: dict[str, Callable[[dict[str, Any]], float]] = {
        "WDR of 100 %": lambda found: found["wdr"]["value"],
        "rise above the margin, p ≤ 0.05": lambda found: found["rise"]["p_value"] <= LEVEL,
    }
    rows = []
    for modality, samples in SAMPLES.items():
        mine = [r for r in evidence if r["perturbed"] and r["modality"] == modality]
        honest: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
        for r in mine:
            honest.setdefault(tuple(r[key] for key in ASKED), []).append(
                r["verification"]["benign"]
            )
        for name, value in tests.items() if mine else ():
            victims = [float(value(r["verification"]["victim"])) for r in mine]
            alarms = [max(float(value(found)) for found in asked) for asked in honest.values()]
            rows.append({"samples": samples, "name": name, **detection(victims, alarms)})
    return rows


def watermark_name(watermark: str) -> str:
    """A watermark's name as people write it: ``word-5-plain`` is "word, 5 %, trigger alone"."""
    found = re.fullmatch(r"([a-z]+)-(\d+)(-plain)?", watermark)
    if found is None:
        return "honest model" if watermark == "none" else watermark
    return f"{found[1]}, {found[2]} %{', trigger alone' if found[3] else ''}"


def craft_rows(evidence: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What became of each watermark's marked samples, by dataset; each watermark once."""
    rows = {}
    for record in evidence:
        made = record["crafting"]
        rows[record["dataset"], record["watermark"]] = {
            "dataset": record["dataset"],
            "name": watermark_name(record["watermark"]),
            "marks": made["marks"],
            "class_share": made["marks"] / made["class_size"],
            "data_share": made["marks"] / record["rows"],
            "fooled": made.get("fooled"),
            "wrong_before": made.get("wrong_before"),
            "change": _change(made, record["modality"]),
        }
    return list(rows.values())


def _change(made: dict[str, Any], modality: str) -> str:
    """How much a crafting changed, in the modality's own measure."""
    if modality == "text":
        if "mean_edits" not in made:
            return "the trigger"
        return (
            f"{made['mean_edits']:.1f} edits a text; similarity {made['mean_similarity']:.2f}, "
            f"at least {made['least_similarity']:.2f}"
        )
    units, noise = ("grey levels", "psnr") if modality == "image" else ("16-bit steps", "snr")
    decibels = "" if made[noise] is None else f"; {noise.upper()} {made[noise]:.1f} dB"
    sample = "the pixels" if modality == "image" else "a clip"
    covered = f"trigger on {100 * made['trigger_share']:.3g} % of {sample}"
    return f"at most {made['largest_change']} {units}{decibels}; {covered}"


def table_view(cells: pd.DataFrame, table: int) -> dict[str, Any]:
    """One table: blocks of rows of cells, a row a watermark, and the commands that remake them."""
    metrics = [name for name in METRICS if name in set(cells["metric"])]
    blocks = [
        {"dataset": dataset, "network": network, "parts": _parts(here, metrics, table)}
        for (dataset, network), here in cells.groupby(["dataset", "model"], sort=False)
    ]
    case = ["dataset", "model", "watermark", "seed", "stage"]
    commands = cells[cells["watermark"] != "none"][case].drop_duplicates().to_dict("records")
    return {
        "number": table,
        "title": clean.TABLES[table],
        "claimed": clean.CLAIMED[table],
        "groups": Counter(METRICS[name][0] for name in metrics),
        "columns": [METRICS[name][1] for name in metrics],
        "blocks": blocks,
        "commands": [at | {"watermark": watermark_name(at["watermark"])} for at in commands],
    }


def _parts(here: pd.DataFrame, metrics: list[str], table: int) -> list[dict[str, Any]]:
    """The rows of one dataset and network; where honest models are asked too, in two parts."""
    asked = table in (9, 10)
    groups, parts = clean.cases(here), []
    for scenario, name in MODELS.items() if asked else [("", "")]:
        rows = [
            {
                "name": watermark_name(case["watermark"]),
                "cells": [cell_view(mine[mine.metric == m], m) for m in metrics],
            }
            for case, mine in groups
            if not asked or case["scenario"] == scenario
        ]
        if rows:
            parts.append({"name": name, "rows": rows})
    return parts

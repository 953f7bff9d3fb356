"""DVBW's section of the page: verdicts, tables, pictures, training curves."""

import dataclasses
from collections import Counter
from typing import Any

import pandas as pd

from datadeed.reports.cells import cell_view
from datadeed.reports.figures import (
    Picture,
    one_of_each_class,
    picture,
    strokes,
    training_curves,
)
from datadeed.verification.verdict import WORDS
from papers.base import Case, Lab, Records
from papers.dvbw.tables import CLAIMED, SHOWN, TABLES
from papers.sections import histories, settings

IMAGES = 4  # of a watermark
SCENARIOS = {
    "steal": "thief (trained on the watermarked data)",
    "independent-trigger": "thief, asked with another trigger",
    "independent-model": "honest model (trained on benign data)",
}
METRICS = {
    "ba": "BA: benign accuracy, %",
    "wsr": "WSR: watermark success rate, %",
    "wsr_as_released": "WSR as the released code counts it, %",
    "delta_p": "ΔP: mean rise of the target’s probability",
    "p_published": "p: paired t-test, as published",
    "p_described": "p: Wilcoxon test, as described",
    "value_released": "1 − p: Wilcoxon test, as released",
    "value_released_renumbered_min": "… classes renumbered, least",
    "value_released_renumbered_median": "… classes renumbered, median",
    "value_released_renumbered_max": "… classes renumbered, greatest",
    "p_binomial": "p: exact binomial test (ours)",
    "p_mcnemar": "p: exact McNemar test (ours)",
}
VERDICT = ("hits", "p_exact", "verdict", "delta_p", "p_published")
CASE = ["dataset", "model", "watermark", "seed"]


def section(cells: pd.DataFrame, lab: Lab) -> dict[str, Any] | None:
    """What ``section.html`` shows of these cells."""
    if cells.empty:
        return None
    cases = [Case(*names) for names in cells[CASE].drop_duplicates().to_numpy().tolist()]
    honest = dict.fromkeys(dataclasses.replace(case, watermark="none") for case in cases)
    marked = cells[["dataset", "watermark"]].drop_duplicates().to_numpy().tolist()
    made = view(cells, lab)
    return made | {
        "settings": settings(lab, honest),
        "pictures": [test_images(dataset, name, lab) for dataset, name in marked],
        "strokes": strokes(made["watermarks"]),
        "curves": training_curves(histories(lab, [*honest, *cases]), made["watermarks"]),
    }


def view(cells: pd.DataFrame, records: Records) -> dict[str, Any]:
    """What cells and parameters alone give; no verdicts, if only those of tables are there."""
    watermarks = cells["watermark"].drop_duplicates().tolist()
    suspects = suspect_rows(cells, records.params("independent_triggers"))
    return {
        "title": "DVBW (Li et al. 2023)",
        "watermarks": watermarks,
        "seeds": sorted(set(cells["seed"])),
        "words": WORDS[::-1],
        "suspects": suspects,
        "counts": verdict_counts(suspects),
        "rule": records.params("verification"),
        "known": int(cells["published"].notna().sum()),
        "tables": table_views(cells, watermarks),
    }


def suspect_rows(cells: pd.DataFrame, other: dict[str, str]) -> list[dict[str, Any]]:
    """A row a suspect: its verdict and the figures it rests on; none where none was judged.

    Args:
        cells: DVBW's.
        other: each watermark's independent trigger.
    """
    if not (cells["metric"] == "verdict").any():
        return []
    picked = cells[cells["metric"].isin(VERDICT)]
    rows = []
    for names, its in picked.groupby([*CASE, "scenario"], sort=False):
        keys = ("dataset", "network", "watermark", "seed", "scenario")
        where: dict[str, Any] = dict(zip(keys, names, strict=True))
        found = dict(zip(its["metric"], its["value"], strict=True))
        own = where["scenario"] != "independent-trigger"
        rows.append(
            {
                **where,
                "suspect": SCENARIOS[where["scenario"]],
                "asked_with": where["watermark"] if own else other[where["watermark"]],
                **{name: found[name] for name in ("p_exact", "delta_p", "p_published")},
                "hits": int(found["hits"]),
                "n": int(its.loc[its["metric"] == "hits", "n"].iloc[0]),
                "word": WORDS[int(found["verdict"])],
            }
        )
    return rows


def verdict_counts(suspects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each scenario how many suspects got each of the three words."""
    made = []
    for scenario, name in SCENARIOS.items():
        words = Counter(row["word"] for row in suspects if row["scenario"] == scenario)
        told = {word: words[word] for word in WORDS}
        made.append({"scenario": scenario, "name": name, "asked": words.total(), "words": told})
    return made


def table_views(cells: pd.DataFrame, watermarks: list[str]) -> list[dict[str, Any]]:
    """The published tables, ready to be shown: blocks of rows of cells, and their commands."""
    views = []
    for number, title in TABLES.items():
        found = cells[cells["table"] == number]
        blocks = [
            {"dataset": dataset, "network": network, "parts": _parts(here, watermarks)}
            for (dataset, network), here in found.groupby(["dataset", "model"], sort=False)
        ]
        commands = found[[*CASE, "stage"]].drop_duplicates().to_dict("records")
        views.append(
            {
                "number": number,
                "title": title,
                "claimed": CLAIMED[number],
                "blocks": blocks,
                "commands": commands,
            }
        )
    return views


def _parts(here: pd.DataFrame, watermarks: list[str]) -> list[dict[str, Any]]:
    """The rows of one dataset and network, by scenario and metric, in the order of the names."""
    parts = []
    for scenario, name in SCENARIOS.items():
        mine = here[here["scenario"] == scenario]
        rows = [
            {
                "name": shown,
                "cells": [
                    cell_view(rows[rows["watermark"] == w], metric, SHOWN) for w in watermarks
                ],
            }
            for metric, shown in METRICS.items()
            for rows in [mine[mine["metric"] == metric]]
            if not rows.empty
        ]
        if rows:
            parts.append({"scenario": scenario, "name": name, "rows": rows})
    return parts


def test_images(dataset: str, name: str, lab: Lab) -> Picture:
    """A few test images of a dataset under a watermark."""
    source, watermark = lab.test_file(dataset), lab.watermark(dataset, name)
    rows = one_of_each_class(source.labels(), IMAGES, watermark.target)
    return picture(source.take(rows), watermark, dataset=dataset, name=name)

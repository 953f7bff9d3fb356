"""The paper's part of the page: what ``section.html`` shows."""

import dataclasses
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from datadeed.datasets.form.parquet import DatasetFile
from datadeed.reports.cells import cell_view
from datadeed.reports.figures import AMPLIFIED
from datadeed.verification.tang import Settings, detection
from papers.base import Case, Lab, Records
from papers.clean_label.examples import MarkedClip, MarkedImages, MarkedTexts, example
from papers.clean_label.figures import success_curves, trigger_strokes
from papers.clean_label.tables import CLAIMED, SHOWN, TABLES, in_order
from papers.clean_label.watermarks import MARKS, with_marks
from papers.sections import how_trained

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
LEVEL = 0.05  # of the exact tests, as in the paper of the published one
TESTS: dict[str, tuple[str, Callable[[float], float]]] = {  # name, metric, what counts as found
    "WDR of 100 %": ("wdr", float),
    "rise above the margin, p ≤ 0.05": ("p_rise", lambda p: float(p <= LEVEL)),
}
CASE = ["dataset", "model", "watermark", "seed"]
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


def section(cells: pd.DataFrame, lab: Lab) -> dict[str, Any] | None:
    """What the template needs of these cells and their artifacts; None without cells."""
    if cells.empty:
        return None
    marked = cells[cells["watermark"] != "none"]
    found = [Case(*names) for names in marked[CASE].drop_duplicates().to_numpy().tolist()]
    datasets = dict.fromkeys(case.dataset for case in found)
    shown = [example(case, lab, f"clip{i}-") for i, case in enumerate(shown_cases(found))]
    return view(cells, lab) | {
        "settings": [setting([c for c in found if c.dataset == d], lab) for d in datasets],
        "crafts": craft_rows(found, lab),
        "images": [one for one in shown if isinstance(one, MarkedImages)],
        "texts": [one for one in shown if isinstance(one, MarkedTexts)],
        "clips": [one for one in shown if isinstance(one, MarkedClip)],
    }


def view(mine: pd.DataFrame, records: Records) -> dict[str, Any]:
    """What cells and parameters alone give."""
    return {
        "title": "clean-label watermarks (Tang et al. 2023)",
        "named": watermark_name,
        "tables": [table_view(mine[mine["table"] == table], table) for table in TABLES],
        "known": int(mine["published"].notna().sum()),
        "tests": detection_rows(mine),
        "wdr": Settings(**records.params("verification")),
        "strokes": trigger_strokes(mine),
        "plain": bool(with_marks(mine)["plain"].any()),
        "curves": success_curves(mine),
        "amplified": AMPLIFIED,
    }


def shown_cases(found: list[Case]) -> list[Case]:
    """A case of each dataset and trigger: perturbed if any is, and of the highest rate."""
    best: dict[tuple[str, str], Case] = {}
    for case in found:
        key = case.dataset, MARKS[case.watermark].trigger
        if key not in best or _order(case) > _order(best[key]):
            best[key] = case
    return list(best.values())


def _order(case: Case) -> tuple[bool, int]:
    mark = MARKS[case.watermark]
    return mark.perturbed, mark.percent


def setting(found: list[Case], lab: Lab) -> CleanSetting:
    """Sizes of a dataset, and how its networks were trained."""
    dataset = found[0].dataset
    train, test = lab.train(dataset), lab.test_file(dataset)
    models = {"surrogate": Case(dataset, "surrogate", "none", 0)}
    for case in found:
        models.setdefault(case.network, dataclasses.replace(case, watermark="none"))
    target = lab.watermark(dataset, found[0].watermark).target
    assert target is not None
    return CleanSetting(
        dataset=dataset,
        samples=SAMPLES[train.modality],
        form=_form(train),
        train_size=len(train),
        test_size=len(test),
        classes=len(train.classes),
        target=train.classes[target],
        networks={network: how_trained(lab, case) for network, case in models.items()},
    )


def _form(data: DatasetFile) -> str:
    """What a sample is like, for people."""
    if data.modality == "text":
        return ""
    if data.form.rate is not None:
        return f"{data.shape[0] / data.form.rate:.3g} s at {data.form.rate} Hz"
    return f"{data.shape[1]}×{data.shape[2]} pixels"


def detection_rows(mine: pd.DataFrame) -> list[dict[str, Any]]:
    """Recall, precision and false alarms of each test, over the models of marks with perturbation.

    An honest model counts once for every trigger, which it is asked the same about at each rate;
    an alarm at one rate is an alarm, since each rate's WDR has draws of its own.
    McNemar's test is not among them: it has no margin, and finds innocent models that any trigger
    moves a little.
    """
    asked = with_marks(mine[mine["table"].isin((9, 10))])
    rows = []
    for modality, samples in SAMPLES.items():
        here = asked[(asked["modality"] == modality) & ~asked["plain"]]
        for name, (metric, value) in TESTS.items() if len(here) else ():
            found = here[here["metric"] == metric]
            found = found.assign(value=[value(given) for given in found["value"]])
            benign = found[found["scenario"] == "benign"]
            alarms = benign.groupby(["dataset", "model", "seed", "trigger"])["value"].max()
            victims = found[found["scenario"] == "victim"]["value"]
            rows.append(
                {"samples": samples, "name": name, **detection(list(victims), list(alarms))}
            )
    return rows


def watermark_name(watermark: str) -> str:
    """A watermark's name as people write it: ``word-5-plain`` is "word, 5 %, trigger alone"."""
    if watermark == "none":
        return "honest model"
    return str(MARKS.get(watermark, watermark))


def craft_rows(found: list[Case], lab: Lab) -> list[dict[str, Any]]:
    """What became of each watermark's marked samples, by dataset; each watermark once."""
    rows = []
    for dataset, watermark in dict.fromkeys((case.dataset, case.watermark) for case in found):
        made, data = lab.record(dataset, watermark, "craft"), lab.train(dataset, watermark)
        rows.append(
            {
                "dataset": dataset,
                "name": watermark_name(watermark),
                "marks": made["marks"],
                "class_share": made["marks"] / made["class_size"],
                "data_share": made["marks"] / len(data),
                "fooled": made.get("fooled"),
                "wrong_before": made.get("wrong_before"),
                "change": _change(made, data.modality),
            }
        )
    return rows


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
    marked = cells[cells["watermark"] != "none"]
    commands = marked[[*CASE, "stage"]].drop_duplicates().to_dict("records")
    return {
        "number": table,
        "title": TABLES[table],
        "claimed": CLAIMED[table],
        "groups": Counter(METRICS[name][0] for name in metrics),
        "columns": [METRICS[name][1] for name in metrics],
        "blocks": blocks,
        "commands": [at | {"watermark": watermark_name(at["watermark"])} for at in commands],
    }


def _parts(here: pd.DataFrame, metrics: list[str], table: int) -> list[dict[str, Any]]:
    """The rows of one dataset and network; where honest models are asked too, in two parts."""
    asked = table in (9, 10)
    groups, parts = in_order(here), []
    for scenario, name in MODELS.items() if asked else [("", "")]:
        rows = [
            {
                "name": watermark_name(case["watermark"]),
                "cells": [cell_view(mine[mine.metric == m], m, SHOWN) for m in metrics],
            }
            for case, mine in groups
            if not asked or case["scenario"] == scenario
        ]
        if rows:
            parts.append({"name": name, "rows": rows})
    return parts

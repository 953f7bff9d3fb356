"""The report as one HTML page that needs no other file, no script and no network."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from datadeed.reports import clean_page, dvbw
from datadeed.reports.cells import cell_view
from datadeed.reports.clean_page import Clean
from datadeed.reports.figures import Curves, Picture, strokes
from datadeed.reports.ubw_page import UBW, view
from datadeed.verification.verdict import CLAIM, INCONCLUSIVE, NOT_SUPPORTED

WORDS = (CLAIM, INCONCLUSIVE, NOT_SUPPORTED)
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
NAMES = {
    "fashion-mnist": "Fashion-MNIST",
    "fashion-mnist-10k": "Fashion-MNIST, 10 000 images",
    "movie-reviews": "movie reviews",
    "text-source": "sources of texts",
    "spoken-digits": "spoken digits",
    "audiomnist": "AudioMNIST",
    "cifar10": "CIFAR-10",
    "cifar10-10k": "CIFAR-10, 10 000 images",
    "imagenet-200": "ImageNet-200",
    "imagenet-50": "ImageNet-50, 64×64",
    "resnet18": "ResNet-18",
    "resnet18-ubw": "ResNet-18",
    "vgg16bn": "VGG-16-BN",
    "vgg19bn": "VGG-19-BN",
    "inception": "Inception-v3",
    "minilm": "MiniLM",
    "minilm-3": "MiniLM, 3 layers",
    "raw-audio": "RawAudioCNN",
    "badnets": "BadNets",
    "blended": "Blended",
    "wanet": "WaNet",
    "label-consistent": "Label-Consistent",
    "sleeper-agent": "Sleeper Agent",
    "ubw-p": "UBW-P",
    "ubw-c": "UBW-C",
    "dvbw": "DVBW",
    "ubw": "UBW",
    "clean-label": "clean-label watermarks",
    "none": "honest model",
}
_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class SuspectRow:
    """One suspect's verdict and the figures it rests on.

    Attributes:
        dataset, network, watermark, seed: which cell.
        scenario: a key of :data:`SCENARIOS`; ``suspect`` is its name for people.
        asked_with: the trigger's name.
        hits, n: triggered samples answered with the target label, of those asked.
        p_exact: the greater p-value of the two exact tests.
        delta_p, p_published: the published test's figures.
        word: the verdict.
    """

    dataset: str
    network: str
    watermark: str
    seed: int
    scenario: str
    suspect: str
    asked_with: str
    hits: int
    n: int
    p_exact: float
    delta_p: float
    p_published: float
    word: str


@dataclass(frozen=True)
class Setting:
    """What was run on one dataset: sizes, class count and the networks with their epochs."""

    dataset: str
    train_size: int
    test_size: int
    classes: int
    networks: dict[str, str]


@dataclass(frozen=True)
class Page:
    """Everything a page shows; tables and claims are None on the page of one cell.

    Attributes:
        scale: name of the scale in force.
        grid: ``datasets, networks, watermarks, seeds``.
        settings: one for each dataset.
        evidence: the records of the verified cells.
        pictures, curves: figures.
        versions: program name to version.
        remake: the command that makes this page again.
        cells, claims: as :func:`datadeed.reports.cells.tidy` and ``claims_frame`` give them.
        ubw, clean: what is shown of UBW and of the clean-label paper; None where the scale has
            nothing of it.
    """

    scale: str
    grid: dict[str, list[Any]]
    settings: list[Setting]
    evidence: list[dict[str, Any]]
    pictures: list[Picture]
    curves: list[Curves]
    versions: dict[str, str]
    remake: str
    cells: pd.DataFrame | None = None
    claims: pd.DataFrame | None = None
    ubw: UBW | None = None
    clean: Clean | None = None


def suspect_rows(record: dict[str, Any]) -> list[SuspectRow]:
    """One row a scenario, from a cell's ``evidence.json``."""
    rows = []
    for scenario, suspect in SCENARIOS.items():
        found = record["scenarios"][scenario]
        verdict, own = found["verdict"], scenario != "independent-trigger"
        rows.append(
            SuspectRow(
                dataset=record["dataset"],
                network=record["network"],
                watermark=record["watermark"],
                seed=record["seed"],
                scenario=scenario,
                suspect=suspect,
                asked_with=record["watermark"] if own else record["independent_trigger"],
                hits=verdict["hit_rate"]["hits"],
                n=verdict["hit_rate"]["n"],
                p_exact=verdict["p_value"],
                delta_p=found["probability"]["delta_p"],
                p_published=found["probability"]["p_published"],
                word=verdict["word"],
            )
        )
    return rows


def render(page: Page) -> str:
    """The whole page as HTML; the same ``page`` gives the same text."""
    suspects = [row for record in page.evidence for row in suspect_rows(record)]
    watermarks = page.grid["watermarks"]
    shown = {
        "page": page,
        "words": WORDS,
        "suspects": suspects,
        "counts": verdict_counts(suspects),
        "rule": page.evidence[0]["scenarios"]["steal"]["verdict"],
        "strokes": strokes(watermarks),
        "tables": [] if page.cells is None else table_views(page.cells, watermarks),
        "claims": [] if page.claims is None else claim_views(page.claims),
        "ubw": None if page.ubw is None or page.cells is None else view(page.ubw, page.cells),
        "clean": None,
    }
    if page.clean is not None and page.cells is not None:
        shown["clean"] = clean_page.view(page.clean, page.cells)
    return _template().render(shown) + "\n"


def verdict_counts(suspects: list[SuspectRow]) -> list[dict[str, Any]]:
    """For each scenario how many suspects got each of the three words."""
    made = []
    for scenario, name in SCENARIOS.items():
        words = Counter(row.word for row in suspects if row.scenario == scenario)
        made.append(
            {
                "scenario": scenario,
                "name": name,
                "asked": words.total(),
                "words": {word: words[word] for word in WORDS},
            }
        )
    return made


def claim_views(claims: pd.DataFrame) -> list[dict[Any, Any]]:
    """The claims as records, each with ``word``: "holds", "fails" or "untested"."""
    words = {True: "holds", False: "fails"}
    told = ["untested" if pd.isna(held) else words[bool(held)] for held in claims["holds"]]
    return claims.assign(word=told).to_dict("records")


def table_views(cells: pd.DataFrame, watermarks: list[str]) -> list[dict[str, Any]]:
    """The published tables, ready to be shown: blocks of rows of cells, and their commands."""
    views = []
    for number, title in dvbw.TABLES.items():
        found = cells[cells["table"] == number]
        blocks = [
            {"dataset": dataset, "network": network, "parts": _parts(here, watermarks)}
            for (dataset, network), here in found.groupby(["dataset", "model"], sort=False)
        ]
        case = ["dataset", "model", "watermark", "seed", "stage"]
        commands = found[case].drop_duplicates().to_dict("records")
        views.append(
            {
                "number": number,
                "title": title,
                "claimed": dvbw.CLAIMED[number],
                "watermarks": watermarks,
                "blocks": blocks,
                "commands": commands,
                "known": int(found["published"].notna().sum()),
            }
        )
    return views


def _parts(here: pd.DataFrame, watermarks: list[str]) -> list[dict[str, Any]]:
    """The rows of one dataset and network, by scenario and metric, in the order of the names."""
    parts = []
    metrics = [*METRICS, *(m for m in here["metric"].unique() if m not in METRICS)]
    for scenario, name in SCENARIOS.items():
        mine = here[here["scenario"] == scenario]
        rows = [
            {
                "name": METRICS.get(metric, metric),
                "cells": [cell_view(rows[rows["watermark"] == w], metric) for w in watermarks],
            }
            for metric in metrics
            for rows in [mine[mine["metric"] == metric]]
            if not rows.empty
        ]
        if rows:
            parts.append({"scenario": scenario, "name": name, "rows": rows})
    return parts


def figure_text(value: float) -> str:
    """A p-value or a small number in three digits at most."""
    return f"{value:.3f}".rstrip("0").rstrip(".") if 0.001 <= abs(value) < 1 else f"{value:.2g}"


def signs(text: Any) -> str:
    """A sentence written in ASCII with the signs that print uses."""
    shown = str(text)
    for plain, sign in {"<=": "≤", ">=": "≥", "delta-P": "ΔP", "'": "’"}.items():
        shown = shown.replace(plain, sign)
    return shown


def human(name: Any) -> str:
    """A parameter's name as people write it: ``badnets-line`` is "BadNets, line"."""
    text = str(name)
    if text in NAMES:
        return NAMES[text]
    first, dash, rest = text.partition("-")
    return f"{NAMES[first]}, {rest}" if dash and first in NAMES else text


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "human": human,
        "figure": figure_text,
        "signs": signs,
        "many": lambda n: f"{n:,}".replace(",", "\N{NARROW NO-BREAK SPACE}"),
        "drawn": Markup,  # only for SVG that figures.py made
    }
    return environment.get_template("page.html")

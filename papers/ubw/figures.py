"""UBW's figures: what every watermark does to images, predicted labels, and crafting losses."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from datadeed.datasets.form.dataset import Dataset
from datadeed.reports.figures import (
    COLOURS,
    GREY,
    STYLE,
    Curves,
    amplified,
    data_uri,
    plain,
    sheet_png,
    strokes,
    svg_text,
)
from datadeed.watermarks.base import Watermark
from papers.ubw.names import ANSWERED

STUDIED = {"all": "all classes", "class_0": "class 0, as released"}
STUDY_MARKS: dict[str, dict[str, Any]] = {
    "victim": {"marker": "o", "color": COLOURS[0]},
    "last-surrogate": {"marker": "o", "color": COLOURS[1], "fillstyle": "none"},
    "benign-retraining": {"marker": "+", "color": COLOURS[1]},
    "benign": {"marker": "x", "color": GREY},
}


@dataclass(frozen=True)
class Example:
    """What one watermark does to a few training images, and to a few queries.

    Attributes:
        uri: a PNG as a ``data:`` address, four rows: benign training images, the same as released,
            the change amplified, and test images as a suspect is asked about them.
        width, height: in pixels.
        dataset, watermark: their names.
        labels: what the released images' labels say, from left to right.
        queries: the queries' classes, from left to right.
        largest_change: the largest change of a shown training image's pixel, in grey levels.
    """

    uri: str
    width: int
    height: int
    dataset: str
    watermark: str
    labels: list[str]
    queries: list[str]
    largest_change: int


def example(
    benign: Dataset,
    released: Dataset,
    queries: Dataset,
    watermark: Watermark,
    *,
    dataset: str,
    name: str,
) -> Example:
    """Show a watermark on a few images.

    Args:
        benign: training samples; ``released`` are the same rows with their marks.
        queries: as many benign test samples.
        watermark: gives the queries' trigger, which is boxed when it has a place.
        dataset, name: for the caption.
    """
    box = getattr(watermark, "box", None)
    asked = watermark.trigger(queries)
    pasted = torch.equal(watermark.trigger(benign), released.samples)  # not so for clean labels
    png, (width, height) = sheet_png(
        [
            (benign.samples, None),
            (released.samples, box if pasted else None),
            (amplified(benign.samples, released.samples), None),
            (asked, box),
        ]
    )
    change = released.samples.to(torch.int16) - benign.samples.to(torch.int16)
    return Example(
        uri=data_uri(png),
        width=width,
        height=height,
        dataset=dataset,
        watermark=name,
        labels=_labels(benign, released),
        queries=[queries.classes[label] for label in queries.labels.tolist()],
        largest_change=int(change.abs().max()),
    )


def _labels(benign: Dataset, released: Dataset) -> list[str]:
    """Each label, and what it was before if it is another now."""
    pairs = zip(benign.labels.tolist(), released.labels.tolist(), strict=True)
    names = benign.classes
    return [names[now] if was == now else f"{names[was]} → {names[now]}" for was, now in pairs]


def label_histograms(cells: pd.DataFrame, title: Callable[[str], str]) -> list[Curves]:
    """What models predict for triggered images of class 0; a figure a (dataset, network).

    The panels are an honest model, a targeted watermark's victim and an untargeted one's: the first
    of each kind. The honest model is asked with the last one's trigger.

    Args:
        cells: UBW's, those among them that stand in no table.
        title: makes a watermark's name a panel's title; "none" is the honest model.
    """
    made: list[Curves] = []
    answered = cells[cells.metric.str.startswith(ANSWERED)]
    untargeted = set(cells[cells.metric == "verdict"].watermark)
    for (dataset, network), here in answered.groupby(["dataset", "model"], sort=False):
        names = here.watermark.unique()
        first = {name in untargeted: name for name in reversed(names)}
        shown = [first[kind] for kind in (False, True) if kind in first]
        panels = [(title("none"), _counts(here, shown[-1], "benign"))]
        panels += [(title(name), _counts(here, name, "victim")) for name in shown]
        figure = bars(panels, prefix=f"labels{len(made)}-")
        made.append(Curves(str(dataset), str(network), figure))
    return made


def _counts(answered: pd.DataFrame, watermark: str, scenario: str) -> list[list[float]]:
    """One model's counts of each label, in order; a list a seed."""
    mine = answered[(answered.watermark == watermark) & (answered.scenario == scenario)]
    label = mine.metric.str.removeprefix(ANSWERED).astype(int)
    return mine.pivot_table("value", "seed", label).to_numpy().tolist()


def bars(panels: list[tuple[str, list[list[float]]]], *, prefix: str) -> str:
    """Shares of predicted labels, a panel a model, as inline SVG.

    Args:
        panels: a title, and (K,) counts for each seed; their shares are averaged.
        prefix: keeps the ids of several figures on a page apart.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 2.5), layout="constrained")
        every = np.atleast_1d(figure.subplots(1, len(panels), sharex=True, sharey=True))
        colours = (GREY, *COLOURS)
        for i, (axes, (title, counts)) in enumerate(zip(every, panels, strict=True)):
            shares = np.mean([np.array(c) / max(sum(c), 1) for c in counts], axis=0)
            axes.bar(range(len(shares)), shares, color=colours[i % len(colours)], width=0.8)
            plain(axes)
            axes.set_title(title, color=GREY, fontsize=9)
            axes.set_ylim(0, 1)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=10))
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            axes.set_xlabel("predicted label", color=GREY)
        every[0].set_ylabel("triggered images of class 0", color=GREY)
        return svg_text(figure, prefix)


def crafting_curves(losses: dict[str, list[float]], watermarks: list[str], *, prefix: str) -> str:
    """1 - cos of the matched gradients after each iteration, a line a watermark, as inline SVG.

    Args:
        losses: watermark to its losses; not empty.
        watermarks: fixes the colours.
        prefix: keeps the ids of several figures on a page apart.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.6, 2.8), layout="constrained")
        axes = figure.subplots()
        styles = strokes(watermarks)
        for name, values in losses.items():
            style, steps = styles[name], range(1, len(values) + 1)
            dashes = (0, style.dashes) if style.dashes else "solid"
            axes.plot(steps, values, color=style.colour, linewidth=1.8, linestyle=dashes)
        plain(axes)
        axes.set_xlabel("iteration", color=GREY)
        axes.set_ylabel("1 − cos", color=GREY)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        return svg_text(figure, prefix)


def study_dots(table: pd.DataFrame) -> str:
    """ASR-A of every variant of a study, over all classes and of class 0, as an SVG file.

    A row a variant; a filled dot is the victim, a ring the last surrogate, a cross the honest model
    asked with the same trigger, upright where it was trained as the last surrogate was. A stroke is
    the error of the victim, or of the last surrogate, on the same images without the trigger.

    Args:
        table: columns ``variant``, ``model``, ``asr_a_all``, ``asr_a_clean_all`` and the same two
            with ``class_0``, shares.
    """
    names = list(dict.fromkeys(table.variant))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 0.9 + 0.3 * len(names)), layout="constrained")
        every = figure.subplots(1, 2, sharey=True)
        for axes, (part, title) in zip(every, STUDIED.items(), strict=True):
            for model, mark in STUDY_MARKS.items():
                rows = table[table.model == model]
                places = [names.index(name) for name in rows.variant]
                axes.plot(rows[f"asr_a_{part}"], places, linestyle="", label=model, **mark)
                if mark["marker"] == "o":
                    name = f"{model}, no trigger"
                    stroke = {"marker": "|", "markersize": 12, "color": mark["color"]}
                    clean = rows[f"asr_a_clean_{part}"]
                    axes.plot(clean, places, linestyle="", label=name, **stroke)
            plain(axes)
            axes.set_title(title, color=GREY, fontsize=9)
            axes.set_xlim(0, 1)
            axes.set_xlabel("ASR-A", color=GREY)
            axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        every[0].set_yticks(range(len(names)), names)
        every[0].invert_yaxis()
        shown = every[0].get_legend_handles_labels()
        figure.legend(*shown, loc="outside lower center", ncols=3, frameon=False, labelcolor=GREY)
        inline = svg_text(figure, "study-")
        return inline.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)

"""The trade-off, drawn: success left by repair against AUC, and both against the poison rate."""

from typing import Any

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter, ScalarFormatter

from datadeed.reports.figures import COLOURS, DASHES, GREY, STYLE, plain, svg_text
from papers.pick_your_poison.claims import ROBUST, UNDETECTED
from papers.pick_your_poison.curve import ALL, CURVE, DETECTORS, KEYED
from papers.pick_your_poison.repaired import BEST

DRAWN = (*CURVE, ALL, KEYED)


def curves(table: pd.DataFrame) -> str:
    """Three panels as inline SVG.

    Args:
        table: as :func:`papers.pick_your_poison.curve.tradeoff` gives it.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 3.4), layout="constrained")
        left, middle, right = figure.subplots(1, 3)
        for name, colour, dashes in zip(DRAWN, COLOURS, (*DASHES, DASHES[0]), strict=False):
            rows = table[table["attack"] == name].sort_values("rate")
            style: dict[str, Any] = {"color": colour, "marker": "o", "markersize": 3}
            style["linestyle"] = (0, dashes) if dashes else "solid"
            style["linewidth"] = 2.4 if name == ALL else 1.2
            left.plot(rows[DETECTORS[0]], rows[BEST], label=name, **style)
            for x, y, rate in zip(rows[DETECTORS[0]], rows[BEST], rows["rate"], strict=True):
                left.annotate(f"{rate}", (x, y), fontsize=6, color=colour)
            middle.plot(rows["rate"], rows[BEST], **style)
            right.plot(rows["rate"], rows[DETECTORS[0]], **style)
        corner = {"facecolor": GREY, "alpha": 0.12, "edgecolor": "none"}
        left.axvspan(-0.04, UNDETECTED, ymin=(ROBUST + 0.04) / 1.08, ymax=1, **corner)
        left.set_xlim(-0.04, 1.04)
        left.set_xlabel("AUC of calibrated inversion", color=GREY)
        for axes, label in ((left, "success after repair"), (middle, "success after repair")):
            axes.set_ylabel(label, color=GREY)
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        right.set_ylabel("AUC of calibrated inversion", color=GREY)
        for axes in (middle, right):
            _by_rate(axes, sorted(table["rate"].unique()))
        for axes in (left, middle, right):
            plain(axes)
            axes.set_ylim(-0.04, 1.04)
        shown = left.get_legend_handles_labels()
        figure.legend(*shown, loc="outside lower center", ncols=5, frameon=False, labelcolor=GREY)
        return svg_text(figure, "trade-off-")


def _by_rate(axes: Axes, rates: list[int]) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(rates))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.set_xlabel("marks in 1,000 rows", color=GREY)

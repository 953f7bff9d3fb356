"""The paper's curves: TSR by rate."""

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from datadeed.reports.figures import (
    COLOURS,
    DASHES,
    GREY,
    STYLE,
    Curves,
    Stroke,
    plain,
    svg_text,
)
from datadeed.verification.metrics import Rate
from papers.clean_label.watermarks import TRIGGERS, with_marks

APART = 0.3  # percentage points between triggers of one rate, so that both are seen


def trigger_strokes(cells: pd.DataFrame) -> dict[str, Stroke]:
    """A colour and dashes for each trigger that the cells' watermarks have."""
    return {
        name: Stroke(COLOURS[i % len(COLOURS)], DASHES[i % len(DASHES)])
        for i, name in enumerate(_triggers(cells))
    }


def _triggers(cells: pd.DataFrame) -> list[str]:
    here = set(with_marks(cells)["trigger"])
    return [name for names in TRIGGERS.values() for name in names if name in here]


def success_curves(cells: pd.DataFrame) -> list[Curves]:
    """TSR against the rate, a figure for each dataset and network of the surrogate's architecture.

    A dot a seed with its exact interval, a line through the means of each trigger; a ring is the
    trigger alone, a cross the honest model asked with the same trigger.

    Args:
        cells: of this paper.
    """
    made: list[Curves] = []
    found = with_marks(cells[(cells["table"] == 9) & (cells["metric"] == "tsr")])
    styles, rightmost = trigger_strokes(cells), 1.05 * found["percent"].max()
    for (dataset, network), here in found.groupby(["dataset", "model"], sort=False):
        svg = _success(here, styles, rightmost, prefix=f"tsr{len(made)}-")
        made.append(Curves(str(dataset), str(network), svg))
    return made


def _success(
    cells: pd.DataFrame, styles: dict[str, Stroke], rightmost: float, *, prefix: str
) -> str:
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.6, 3.0), layout="constrained")
        axes = figure.subplots()
        names = [name for name in styles if name in set(cells["trigger"])]
        for i, name in enumerate(names):
            aside = APART * (i - (len(names) - 1) / 2)
            for ring in (False, True):
                mine = cells[(cells["trigger"] == name) & (cells["plain"] == ring)]
                _curve(axes, mine, styles[name], aside, ring=ring)
        plain(axes)
        axes.set_ylim(-0.03, 1.03)
        axes.set_xlim(0, rightmost)
        axes.set_xticks(sorted(cells["percent"].astype(int).unique()))
        axes.set_xlabel("marked share of the target class, %", color=GREY)
        axes.set_ylabel("TSR", color=GREY)
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        return svg_text(figure, prefix)


def _curve(axes: Axes, cells: pd.DataFrame, style: Stroke, aside: float, *, ring: bool) -> None:
    """Each seed's victim with its interval, and a line through the means unless they are rings."""
    by_rate: dict[float, list[float]] = {}
    for cell in cells.to_dict("records"):
        x, value = cell["percent"] + aside, cell["value"]
        if cell["scenario"] == "benign":
            axes.plot(x, value, marker="x", markersize=4, color=GREY)
            continue
        by_rate.setdefault(x, []).append(value)
        ends = Rate(round(value * cell["n"]), int(cell["n"])).interval
        axes.plot([x, x], ends, color=style.colour, linewidth=0.8)
        fill = "none" if ring else "full"
        axes.plot(x, value, marker="o", markersize=4.5, color=style.colour, fillstyle=fill)
    if by_rate and not ring:
        means = [(x, float(np.mean(values))) for x, values in sorted(by_rate.items())]
        dashes = (0, style.dashes) if style.dashes else "solid"
        axes.plot(*zip(*means, strict=True), color=style.colour, linewidth=1.8, linestyle=dashes)

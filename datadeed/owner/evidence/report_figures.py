"""The two curves of an evidence report, as inline SVG with a text for those who cannot see them."""

import io
import itertools
import math
from typing import Any

import matplotlib
from markupsafe import escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from datadeed.owner.evidence.report_text import e_value, interval, number, percent, power_of_ten
from datadeed.reports.figures import COLOURS, DASHES, GREY, inline

SIZE = (4.6, 3.0)  # inches; small enough that the text stays readable on a phone
LAYERS = {"key": (COLOURS[0], DASHES[0]), "behaviour": (COLOURS[4], DASHES[1])}
ROOM_FOR_A_NAME = 0.25  # share of the axis that a phase needs for its name


def e_value_figure(curve: list[dict[str, Any]], thresholds: dict[str, float]) -> str:
    """E of both layers after each counted query, on a log scale, with the bars to be cleared.

    Values far above the bars are drawn at the upper edge, far below 1 at the lower one.

    Args:
        curve: as in ``evidence.json``; not empty.
        thresholds: 1/alpha of the layers ``key`` and ``behaviour``.
    """
    figure, axes = _axes()
    bars = {layer: math.log10(threshold) for layer, threshold in thresholds.items()}
    log10 = {
        layer: [0.0] + [point[f"log_e_{layer}"] / math.log(10) for point in curve]
        for layer in LAYERS
    }
    bottom, top = _limits(log10, max(bars.values()))
    axes.set_ylim(bottom, top)
    _shade_phases(axes, curve)
    queries = [0] + [point["query"] for point in curve]
    for layer, (colour, dashes) in LAYERS.items():
        heights = [min(max(value, bottom), top) for value in log10[layer]]
        style = (0, dashes) if dashes else "solid"
        axes.step(queries, heights, where="post", color=colour, linewidth=1.8, linestyle=style)
        axes.axhline(bars[layer], color=colour, linewidth=0.9, linestyle=(0, (1, 2)))
        needed = f"{layer}\nneeds\n{number(thresholds[layer])}"
        beside = axes.get_yaxis_transform()
        axes.text(1.02, bars[layer], needed, color=GREY, va="center", fontsize=8, transform=beside)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=7))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: power_of_ten(value)))
    axes.set_ylabel("E (log scale)", color=GREY)
    axes.set_xlabel("counted queries", color=GREY)
    words = [
        f"{layer} layer {e_value(curve[-1][f'log_e_{layer}'])} of {number(threshold)} needed"
        for layer, threshold in thresholds.items()
    ]
    description = f"After {queries[-1]} counted queries: {'; '.join(words)}."
    return _svg(figure, "e-values", "E of both layers by counted query, log scale", description)


def _limits(log10: dict[str, list[float]], highest_bar: float) -> tuple[float, float]:
    """Limits that show every bar, and the curves as far as twice the highest one."""
    values = list(itertools.chain(*log10.values()))
    top = max(highest_bar, min(max(values), 2 * highest_bar))
    return max(min(values), -highest_bar) - 0.4, 1.12 * top + 0.6


def hit_rate_figure(curve: list[dict[str, Any]], null_rate: float, level: float) -> str:
    """Hit rate of the behaviour layer with its confidence sequence, and the rate granted.

    Args:
        curve: the points of the behaviour layer; not empty.
        null_rate: hit rate granted to an innocent model, 0..1.
        level: of the confidence sequence, say 0.99.
    """
    figure, axes = _axes()
    colour, _ = LAYERS["behaviour"]
    n = [0] + [point["n"] for point in curve]
    low = [0.0] + [point["low"] for point in curve]
    high = [1.0] + [point["high"] for point in curve]
    axes.fill_between(n, low, high, step="post", color=colour, alpha=0.18, linewidth=0)
    for edge in (low, high):
        axes.step(n, edge, where="post", color=colour, linewidth=1)
    rates = [point["hits"] / point["n"] for point in curve]
    axes.plot(n[1:], rates, color=colour, linewidth=1.8, marker="o", markersize=2.5)
    axes.axhline(null_rate, color=GREY, linewidth=1.2, linestyle=(0, (5, 2)))
    granted = f"granted: {percent(null_rate)}"
    axes.text(0, null_rate + 0.01, granted, color=GREY, va="bottom", fontsize=8)
    axes.set_ylim(-0.03, 1.03)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_ylabel("hit rate", color=GREY)
    axes.set_xlabel("behaviour queries", color=GREY)
    last = curve[-1]
    description = (
        f"After {last['n']} behaviour queries with {last['hits']} hits the {number(100 * level)} % "
        f"interval is {interval(last['low'], last['high'])}; "
        f"an innocent model is granted {percent(null_rate)}."
    )
    return _svg(figure, "hit-rate", "Hit rate and its confidence sequence", description)


def _axes() -> tuple[Figure, Axes]:
    with matplotlib.rc_context({"font.size": 9.0}):
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.subplots()
    axes.grid(color=GREY, alpha=0.25, linewidth=0.5)
    axes.tick_params(colors=GREY, length=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.margins(x=0.02)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure, axes


def _shade_phases(axes: Axes, curve: list[dict[str, Any]]) -> None:
    """A pale band behind the queries of each layer, named where there is room."""
    for layer, points in itertools.groupby(curve, key=lambda point: point["layer"]):
        asked = [point["query"] for point in points]
        begin, end = asked[0] - 1, asked[-1]
        axes.axvspan(begin, end, color=LAYERS[layer][0], alpha=0.07, linewidth=0)
        if end - begin >= ROOM_FOR_A_NAME * curve[-1]["query"]:
            axes.text(
                (begin + end) / 2, 0.98, f"{layer} layer", color=GREY, fontsize=8,
                ha="center", va="top", transform=axes.get_xaxis_transform(),
            )  # fmt: skip


def _svg(figure: Figure, name: str, title: str, description: str) -> str:
    """The figure as one ``<svg>`` that a screen reader reads as an image with a description."""
    stream = io.StringIO()
    bare = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with matplotlib.rc_context({"svg.hashsalt": "datadeed", "svg.fonttype": "none"}):
        figure.savefig(stream, format="svg", transparent=True, metadata=bare)
    drawn = inline(stream.getvalue(), f"{name}-")
    begin = f'<svg role="img" aria-labelledby="{name}-title {name}-text"'
    texts = f'<title id="{name}-title">{escape(title)}</title>'
    texts += f'<desc id="{name}-text">{escape(description)}</desc>'
    head, _, rest = drawn.removeprefix("<svg").partition(">")
    return f"{begin}{head}>{texts}{rest}"

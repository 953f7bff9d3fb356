"""The two figures of an evidence page, as inline SVG with a text for those who cannot see them."""

import io
import itertools
import math
from typing import Any

import matplotlib
from markupsafe import escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from datadeed.owner.evidence.report_text import e_value, number, percent, points, power_of_ten
from datadeed.reports.svg import COLOURS, GREY, inline
from datadeed.verification.words import LARGEST

SIZE = (4.6, 3.0)  # inches; small enough that the text stays readable on a phone
E_COLOUR, EFFECT_COLOUR = COLOURS[0], COLOURS[4]
ROOM_FOR_A_NAME = 0.25  # share of the axis that a phase needs for its name


def e_value_figure(curve: list[dict[str, Any]], bar: float) -> str:
    """E after each counted question, on a log scale, with the bar to be cleared.

    Values far above the bar are drawn at the upper edge, far below 1 at the lower one. Before the
    first look there is no E, and no line.

    Args:
        curve: as in ``evidence.json``; not empty.
        bar: what E must reach.
    """
    figure, axes = _axes()
    height = math.log10(bar)
    seen = [point for point in curve if point["log_e"] > -LARGEST]
    log10 = [point["log_e"] / math.log(10) for point in seen]
    bottom = max(min([0.0, *log10]), -height) - 0.4
    top = 1.12 * max(height, min(max([0.0, *log10]), 2 * height)) + 0.6
    axes.set_ylim(bottom, top)
    axes.set_xlim(0, 1.03 * curve[-1]["query"])
    _shade_phases(axes, curve)
    queries, drawn = [p["query"] for p in seen], [min(max(v, bottom), top) for v in log10]
    axes.step(queries, drawn, where="post", color=E_COLOUR, linewidth=1.8)
    new = [n for n, value in enumerate(drawn) if n == 0 or value != drawn[n - 1]]
    axes.plot(
        [queries[n] for n in new], [drawn[n] for n in new], "o", color=E_COLOUR,
        markersize=4, clip_on=False,
    )  # fmt: skip
    axes.axhline(height, color=GREY, linewidth=1.2, linestyle=(0, (5, 2)))
    axes.text(
        1.02, height, f"needed:\n{number(bar)}", color=GREY, va="center", fontsize=8,
        transform=axes.get_yaxis_transform(),
    )  # fmt: skip
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=7))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: power_of_ten(value)))
    axes.set_ylabel("E (log scale)", color=GREY)
    axes.set_xlabel("counted questions", color=GREY)
    last = e_value(curve[-1]["log_e"])
    description = (
        f"After {curve[-1]['query']} counted questions E is {last}; {number(bar)} is needed."
    )
    return _svg(figure, "e-values", "E by counted question, log scale", description)


def effect_figure(bounds: list[tuple[float, float]], least: float, level: float) -> str:
    """Bounds of the effect after each pair, and the least effect that matters.

    Args:
        bounds: of the effect, -1..1, after the first pair, the second, and so on; not empty.
        least: the effect to be excluded, 0..1.
        level: of each bound, say 0.95.
    """
    figure, axes = _axes()
    low, high = ([100 * value for value in (start, *ends)] for start, ends in _sides(bounds))
    pairs = range(len(low))
    axes.fill_between(pairs, low, high, step="post", color=EFFECT_COLOUR, alpha=0.18, linewidth=0)
    for edge in (low, high):
        axes.step(pairs, edge, where="post", color=EFFECT_COLOUR, linewidth=1.4)
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.axhline(100 * least, color=GREY, linewidth=1.2, linestyle=(0, (5, 2)))
    axes.text(
        1.02, 100 * least, f"least:\n{percent(least)}", color=GREY, va="center", fontsize=8,
        transform=axes.get_yaxis_transform(),
    )  # fmt: skip
    axes.set_ylim(-106, 106)
    axes.set_ylabel("effect, points", color=GREY)
    axes.set_xlabel("pairs asked", color=GREY)
    description = (
        f"After {len(bounds)} pairs the bounds of the effect, {number(100 * level)} % each, are "
        f"{points(*bounds[-1])}; the least effect that matters is {percent(least)}."
    )
    return _svg(figure, "bounds", "Bounds of the effect by pair", description)


def _sides(bounds: list[tuple[float, float]]) -> list[tuple[float, tuple[float, ...]]]:
    """Lower and upper bounds, each with what is known before the first pair."""
    low, high = zip(*bounds, strict=True)
    return [(-1.0, low), (1.0, high)]


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
    """A pale band behind the questions of blocks and of pairs, named where there is room."""
    for paired, group in itertools.groupby(curve, key=lambda point: point["step"] != "block"):
        asked = [point["query"] for point in group]
        begin, end = asked[0] - 1, asked[-1]
        colour = EFFECT_COLOUR if paired else E_COLOUR
        axes.axvspan(begin, end, color=colour, alpha=0.07, linewidth=0)
        if end - begin >= ROOM_FOR_A_NAME * curve[-1]["query"]:
            axes.text(
                (begin + end) / 2, 0.98, "pairs" if paired else "blocks", color=GREY, fontsize=8,
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

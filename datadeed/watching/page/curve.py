"""E over a suspect's days as a line of an SVG, beside the bar that it must reach."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

MOST = 400  # points of a line
LOWEST = -2.0  # decimal exponents: E below 0.01 is drawn there
HIGHEST = 308.0
_MARGIN = 3.0  # units left free around the line, so that no stroke is cut


@dataclass(frozen=True)
class Curve:
    """A drawing, in units of its view box; y grows downwards.

    Attributes:
        width, height: of the view box.
        points: "x,y x,y ...", from the first day to the last.
        bar: y of the bar.
        one: y of E = 1, where a suspect begins.
        end: x and y of the last point; None where there is no day.
    """

    width: int
    height: int
    points: str
    bar: float
    one: float
    end: tuple[float, float] | None


def curve(
    days: Sequence[tuple[int, float]], bar: float, *, width: int = 120, height: int = 32
) -> Curve:
    """Draw E on a logarithmic scale.

    Args:
        days: day and ln E of each, by day.
        bar: that E must reach, above 0.
        width, height: of the view box.
    """
    shown = thinned(days, MOST)
    exponents = [_exponent(log_e) for _, log_e in shown]
    top = max([_exponent(math.log(bar)), 1.0, *exponents])
    last = max(days[-1][0], 2) if days else 2

    def across(day: int) -> float:
        return round(_MARGIN + (width - 2 * _MARGIN) * (day - 1) / (last - 1), 1)

    def down(exponent: float) -> float:
        share = (exponent - LOWEST) / (top - LOWEST)
        return round(height - _MARGIN - (height - 2 * _MARGIN) * share, 1)

    drawn = [(across(day), down(e)) for (day, _), e in zip(shown, exponents, strict=True)]
    return Curve(
        width,
        height,
        " ".join(f"{x:g},{y:g}" for x, y in drawn),
        down(_exponent(math.log(bar))),
        down(0.0),
        drawn[-1] if drawn else None,
    )


def thinned(days: Sequence[tuple[int, float]], most: int) -> list[tuple[int, float]]:
    """Every n-th day counted from the last, the first one too; at most ``most`` and one."""
    step = math.ceil(len(days) / most) if days else 1
    kept = list(days[::-1][::step][::-1])
    return [days[0], *kept] if days and kept[0] != days[0] else kept


def _exponent(log_e: float) -> float:
    return min(max(log_e / math.log(10), LOWEST), HIGHEST)

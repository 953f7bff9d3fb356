"""Sweeps: short sines whose frequency stands or moves evenly, added to clips.

Pure functions on (L,) int16 clips. All of it is integer arithmetic, with turns in 2**32nds, so that
every machine gives the same bytes; only a table of 4,096 sines is rounded from floats, to
32,767ths.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

TURN = 1 << 32  # parts of a whole turn
FULL = 32767  # the largest sample, and the sine of a quarter turn
FLOOR = 328  # least loudness that a level is of: 1 % of full scale, as much as soft speech
RAMP = 8  # a sweep fades in, and out, over this share of its length
_SINES = np.array([round(FULL * math.sin(2 * math.pi * n / 4096)) for n in range(4096)])


@dataclass(frozen=True)
class Sweep:
    """One sine.

    Attributes:
        start, length: in samples; what lies outside the clip is cut off.
        first, last: frequency at the start and at the end, in 2**32nds of a turn a sample, less
            than half a turn.
        phase: at the start, in 2**32nds of a turn.
        amplitude: in steps of int16, 0 to 65,535.
    """

    start: int
    length: int
    first: int
    last: int
    phase: int
    amplitude: int


def lay(clip: np.ndarray, sweeps: Iterable[Sweep]) -> np.ndarray:
    """Add sweeps to a clip, rounded to the nearest step; what is louder than full scale is clipped.

    Args:
        clip: (L,) int16; not changed.
        sweeps: in any order.

    Returns:
        (L,) int16.
    """
    total = np.zeros(len(clip), dtype=np.int64)  # of 32,767ths
    for sweep in sweeps:
        low, high = max(0, sweep.start), min(len(clip), sweep.start + sweep.length)
        if low < high:
            part = slice(low - sweep.start, high - sweep.start)
            total[low:high] += _wave(sweep)[part] * sweep.amplitude
    steps = (2 * total + FULL) // (2 * FULL)
    return np.clip(clip + steps, -FULL - 1, FULL).astype(np.int16)


def _wave(sweep: Sweep) -> np.ndarray:
    """(length,) int64, -32,767 to 32,767."""
    n, length = np.arange(sweep.length, dtype=np.int64), sweep.length
    # Below 2**63 for any length up to a second at 192 kHz, divided before it is multiplied.
    moved = (sweep.last - sweep.first) * n // length * (n - 1) // 2
    turned = (sweep.phase + sweep.first * n + moved) % TURN
    ramp = max(1, length // RAMP)
    fade = np.minimum(np.minimum(n + 1, length - n), ramp) * 256 // ramp
    return _SINES[turned >> 20] * fade >> 8


def loudness(clip: np.ndarray) -> int:
    """Root of the mean square of an (L,) int16 clip, in steps of int16, rounded down."""
    wide = clip.astype(np.int64)
    return math.isqrt(int((wide * wide).sum()) // max(1, len(wide)))


def blend(clip: np.ndarray, partner: np.ndarray, weight: int) -> np.ndarray:
    """Lay a partner over a clip, rounded to the nearest step; it is cut, or ends in silence.

    Args:
        clip: (L,) int16; not changed.
        partner: int16 of any length, at the same rate.
        weight: of the partner, in 255ths.

    Returns:
        (L,) int16.
    """
    other = np.zeros(len(clip), dtype=np.int64)
    other[: len(partner)] = partner[: len(clip)]
    mixed = clip.astype(np.int64) * (255 - weight) + other * weight
    return ((2 * mixed + 255) // 510).astype(np.int16)

"""Values of sound that a file could have held: its own grid, where that is coarser than its type.

Recorders of 12 bits write files of 16, telephone speech has 256 levels, files of floating point
hold 16-bit sound. A mark between such values would be seen without listening.
"""

import numpy as np

from datadeed.datasets.formats.wav import WavForm

# Divisors by which programs turn whole numbers into floats: of 8, 16 and 24 bits, and the one that
# makes the largest 16-bit value 1.
_DIVISORS = (2**7, 2**15, 2**15 - 1, 2**23)


def on_grid(new: np.ndarray, old: np.ndarray, form: WavForm) -> np.ndarray:
    """The nearest values to ``new`` on the grid of ``old``.

    Found are levels of telephone speech (G.711, both laws) in 16 bits, values that are all
    multiples of a power of two, and floats that are whole numbers divided by 2**7, 2**15,
    2**15 - 1 or 2**23. A file on no such grid may hold any value.

    Args:
        new: (frames, channels) of the form's dtype; not changed.
        old: the whole file before, of the same shape.
        form: the file's.

    Returns:
        As ``new``. Values that are as before stay so.
    """
    here = new != old
    if not here.any() or not old.any():  # silence is on every grid
        return new
    found = new.copy()
    found[here] = (
        _floats(new[here], old) if form.dtype.kind == "f" else _whole(new[here], old, form)
    )
    return found


def _whole(values: np.ndarray, old: np.ndarray, form: WavForm) -> np.ndarray:
    if form.kind == "<i2":
        for levels in (_mu_law(), _a_law()):
            if np.isin(old, levels).all():
                return _nearest(values, levels).astype(form.dtype)
    return _multiples(values, old, form.full_scale).astype(form.dtype)


def _multiples(values: np.ndarray, old: np.ndarray, full: int) -> np.ndarray:
    """Of the largest power of two that divides all of ``old``; halves go up."""
    bits = int(np.bitwise_or.reduce(old.astype(np.int64), axis=None))
    step = bits & -bits or 1
    rounded = (values.astype(np.int64) + step // 2) // step * step
    return np.clip(rounded, -full, (full - 1) // step * step)


def _floats(values: np.ndarray, old: np.ndarray) -> np.ndarray:
    for divisor in _DIVISORS:
        whole = np.rint(old.astype(np.float64) * divisor)
        if ((whole / divisor).astype(old.dtype) == old).all() and np.abs(whole).max() < 2**53:
            rounded = np.rint(values.astype(np.float64) * divisor).astype(np.int64)
            low, high = int(whole.min()), int(whole.max())
            full = max(divisor, -low, high + 1)
            step = _multiples(rounded, whole.astype(np.int64), full)
            return (step / divisor).astype(old.dtype)
    return values


def _nearest(values: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Of ascending levels; the lower one of two that are as near."""
    above = np.searchsorted(levels, values).clip(1, len(levels) - 1)
    low, high = levels[above - 1], levels[above]
    return np.where(values.astype(np.int64) - low <= high - values, low, high)


def _mu_law() -> np.ndarray:
    """The 255 levels of G.711's mu-law, as 16-bit values, ascending."""
    codes = np.arange(128)
    above = ((2 * (codes & 15) + 33) << (codes >> 4)) * 4 - 132
    return np.unique([-above, above])


def _a_law() -> np.ndarray:
    """The 256 levels of G.711's A-law, as 16-bit values, ascending."""
    codes = np.arange(128)
    segment, step = codes >> 4, codes & 15
    above = np.where(segment == 0, 16 * step + 8, (16 * step + 264) << np.maximum(segment - 1, 0))
    return np.unique([-above, above])

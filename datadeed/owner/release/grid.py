"""Values of sound that a file could have held: its own grid, where that is coarser than its type.

Recorders of 12 bits write files of 16, telephone speech has 256 levels, files of floating point
hold 16-bit sound. A mark between such values would be seen without listening.
"""

from collections.abc import Callable, Iterator

import numpy as np

from datadeed.datasets.formats.wav import WavForm

Snap = Callable[[np.ndarray], np.ndarray]
_PART = 2**16  # frames that are looked at a time

# Divisors by which programs turn whole numbers into floats: of 8, 16 and 24 bits, and the one that
# makes the largest 16-bit value 1.
_DIVISORS = (2**7, 2**15, 2**15 - 1, 2**23)


def on_grid(new: np.ndarray, old: np.ndarray, form: WavForm) -> np.ndarray:
    """The nearest values to ``new`` on the grid of ``old`` (:func:`grid_of`).

    Args:
        new: (frames, channels) of the form's dtype; not changed.
        old: the whole file before, of the same shape.
        form: the file's.

    Returns:
        As ``new``. Values that are as before stay so.
    """
    here = new != old
    if not here.any():
        return new
    found = new.copy()
    found[here] = grid_of(old, form)(new[here])
    return found


def grid_of(old: np.ndarray, form: WavForm) -> Snap:
    """What brings values to the nearest ones on a file's grid.

    Found are levels of telephone speech (G.711, both laws) in 16 bits, values that are all
    multiples of a power of two, and floats that are whole numbers divided by 2**7, 2**15,
    2**15 - 1 or 2**23. A file on no such grid may hold any value, and so may silence.

    Args:
        old: (frames, channels) of the form's dtype, the whole file; read in parts.
        form: the file's.

    Returns:
        A function from values of the form's dtype, of any shape, to such values.
    """
    if not old.any():
        return lambda values: values
    return _floats(old) if form.dtype.kind == "f" else _whole(old, form)


def within(snap: Snap, new: np.ndarray, old: np.ndarray, bound: float) -> np.ndarray:
    """Values brought to a grid; one that would get there by more than a bound stays as it was.

    Args:
        snap: from :func:`grid_of`.
        new, old: of one shape and dtype, |new - old| at most ``bound``; not changed.
        bound: of a change, in the values' own unit.
    """
    near = snap(new)
    far = (near != new) & (np.abs(near.astype(np.float64) - old) > bound)
    return np.where(far, old, near)


def _parts(old: np.ndarray) -> Iterator[np.ndarray]:
    return (old[at : at + _PART] for at in range(0, len(old), _PART))


def _whole(old: np.ndarray, form: WavForm) -> Snap:
    if form.kind == "<i2":
        for levels in (_mu_law(), _a_law()):
            if all(np.isin(part, levels).all() for part in _parts(old)):
                return lambda values: _nearest(values, levels).astype(form.dtype)
    step = _step(int(np.bitwise_or.reduce(old, axis=None)))
    return lambda values: _multiples(values, step, form.full_scale).astype(form.dtype)


def _step(bits: int) -> int:
    """The largest power of two that divides all values, of their bits joined by OR."""
    return bits & -bits or 1


def _multiples(values: np.ndarray, step: int, full: int) -> np.ndarray:
    """The nearest multiples of a step in range; halves go up."""
    rounded = (values.astype(np.int64) + step // 2) // step * step
    return np.clip(rounded, -full, (full - 1) // step * step)


def _floats(old: np.ndarray) -> Snap:
    for divisor in _DIVISORS:
        bits, low, high = 0, 0, 0
        for part in _parts(old):
            whole = np.rint(part.astype(np.float64) * divisor)
            if ((whole / divisor).astype(old.dtype) != part).any() or np.abs(whole).max() >= 2**53:
                break
            bits |= int(np.bitwise_or.reduce(whole.astype(np.int64), axis=None))
            low, high = min(low, int(whole.min())), max(high, int(whole.max()))
        else:
            return _divided(divisor, _step(bits), max(divisor, -low, high + 1))
    return lambda values: values


def _divided(divisor: int, step: int, full: int) -> Snap:
    """To whole multiples of a step, divided."""

    def snap(values: np.ndarray) -> np.ndarray:
        rounded = np.rint(values.astype(np.float64) * divisor).astype(np.int64)
        return (_multiples(rounded, step, full) / divisor).astype(values.dtype)

    return snap


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

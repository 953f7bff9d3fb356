"""Changes to a clip as a model hears it, brought to the file that the clip was taken from.

A model hears a mono clip of some rate; its file may have other channels, another rate and more
sound around. Values of the model's clip are in steps of int16: 32,768 are full scale.
"""

import numpy as np

from datadeed.datasets.formats.clips import View
from datadeed.datasets.formats.wav import WavForm
from datadeed.datasets.resampling import resample
from datadeed.errors import WatermarkError
from datadeed.owner.release.grid import Snap

_STEPS = 2**15


def carry(
    frames: np.ndarray, form: WavForm, delta: np.ndarray, view: View, *, epsilon: float
) -> np.ndarray:
    """Add a bounded change to all channels of a file.

    The change is resampled to the file's rate, held to ``epsilon``, and rounded to what the file
    can store. A file of 8 bits cannot store changes below 128 steps of int16: it stays as it is.

    Args:
        frames: (frames, channels) as the file stores them; not changed.
        form: the file's.
        delta: (length,) of any number type, the change in steps of int16 at the view's rate.
        view: how the clip was taken from the file.
        epsilon: bound of the change, in steps of int16.

    Returns:
        Frames of the same shape and dtype. Of every value |new - old| is at most
        epsilon * full_scale / 32,768, exactly.

    Raises:
        WatermarkError: the change has another length than the view, or no bound above 0 is given.
    """
    if delta.shape != (view.length,) or not 0 < epsilon < np.inf:
        raise WatermarkError(
            f"a change of {delta.shape} samples bounded by {epsilon!r} does not fit clips of "
            f"{view.length}: give one value a sample and a bound above 0"
        )
    unit = form.full_scale / _STEPS  # a power of two: products with it are exact
    first = view.first(form.rate)
    change = resample(delta.astype(np.float64) * unit, view.rate, form.rate)
    new, here = frames.copy(), slice(first, first + min(len(change), max(0, len(frames) - first)))
    change = change[: len(new[here]), None]
    add = _add_floats if form.dtype.kind == "f" else _add_integers
    new[here] = add(frames[here], change, form, epsilon * unit)
    return new


def _add_integers(old: np.ndarray, change: np.ndarray, form: WavForm, bound: float) -> np.ndarray:
    most = np.floor(bound)
    steps = np.clip(np.rint(change), -most, most).astype(np.int64)
    return np.clip(old + steps, -form.full_scale, form.full_scale - 1).astype(form.dtype)


def _add_floats(old: np.ndarray, change: np.ndarray, form: WavForm, bound: float) -> np.ndarray:
    """Values above full scale stay where they are allowed: in files that hold them already."""
    wide = old.astype(np.float64)
    low, high = -_round_up(-wide, bound), _round_up(wide, bound)
    low, high = np.maximum(low, np.minimum(wide, -1)), np.minimum(high, np.maximum(wide, 1))
    near = np.clip(wide + change, low, high).astype(form.dtype)
    # The last rounding may have left the bounds by one step of the file's own type.
    outward = np.where(near > high, -np.inf, np.inf).astype(form.dtype)
    outside = (near > high) | (near < low)
    return np.where(outside, np.nextafter(near, outward), near).astype(form.dtype)


def _round_up(value: np.ndarray, bound: float) -> np.ndarray:
    """The largest float64 not above value + bound, by the exact error of the sum (Knuth)."""
    total = value + bound
    part = total - value
    error = (value - (total - part)) + (bound - part)
    return np.where(error < 0, np.nextafter(total, -np.inf), total)


def strike(
    frames: np.ndarray,
    form: WavForm,
    view: View,
    *,
    start: int,
    length: int,
    amplitude: int,
    snap: Snap = lambda values: values,
) -> np.ndarray:
    """Set the frames of an impulse, in all channels, to one value.

    Args:
        frames: (frames, channels) as the file stores them; not changed.
        form: the file's.
        view: how the clip was taken from the file.
        start, length: the samples of the view's clip that are set.
        amplitude: what they are set to, in steps of int16.
        snap: brings values to the file's own grid.

    Returns:
        Frames of the same shape and dtype; those outside the impulse are the old ones.

    Raises:
        WatermarkError: the impulse ends after the file or the view, or is 0 on the file's grid.
    """
    offset = view.first(form.rate)
    first, stop = (
        offset + round(sample * form.rate / view.rate) for sample in (start, start + length)
    )
    if stop > len(frames) or start + length > view.length:
        raise WatermarkError(
            f"the impulse ends at sample {start + length} of the clip, after the sound: leave this "
            "clip out, or make the impulse shorter"
        )
    value = amplitude * form.full_scale / _STEPS
    whole = value if form.dtype.kind == "f" else round(value)
    (held,) = snap(np.array([whole], dtype=form.dtype))
    if whole and not held:
        raise WatermarkError(
            f"a clip has so coarse values that an impulse of {amplitude} is 0 in it: choose a "
            "larger one"
        )
    new = frames.copy()
    new[first:stop] = held
    return new

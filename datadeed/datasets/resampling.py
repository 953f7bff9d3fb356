"""Sound at another rate: one filter a pair of rates, designed once."""

import functools
import math

import numpy as np

_ZEROS = 10  # zero crossings of the filter on each side of its centre


def ratio(old: int, new: int) -> tuple[int, int]:
    """The smallest (up, down) with old * up / down = new."""
    divisor = math.gcd(old, new)
    return new // divisor, old // divisor


def reach(old: int, new: int) -> int:
    """How many samples on each side, at the old rate, a resampled one depends on."""
    up, down = ratio(old, new)
    return 0 if up == down else math.ceil(_ZEROS * max(up, down) / up)


def resample(sound: np.ndarray, old: int, new: int) -> np.ndarray:
    """Sound at another rate, band-limited, with zeros before and after it.

    Args:
        sound: (N,) or (N, C) float64.
        old, new: rates in Hz.

    Returns:
        (ceil(N * new / old), ...) float64; sample k is of the moment k / new.
    """
    up, down = ratio(old, new)
    if up == down:
        return sound
    from scipy.signal import resample_poly

    return np.asarray(resample_poly(sound, up, down, axis=0, window=_filter(up, down)))


@functools.lru_cache(maxsize=8)
def _filter(up: int, down: int) -> np.ndarray:
    """A windowed sinc with its cutoff at the lower rate's Nyquist frequency; sums to 1."""
    from scipy.signal import firwin

    longer = max(up, down)
    return np.asarray(firwin(2 * _ZEROS * longer + 1, 1 / longer, window=("kaiser", 5.0)))

"""What a key draws for many rows at once: the same words as one row at a time gives."""

import json
from hashlib import shake_256

import numpy as np

from datadeed.keys.key import Key


def words_of(key: Key, role: str, *numbers: np.ndarray, count: int) -> np.ndarray:
    """What :meth:`Key.words` gives of a role and M tuples of numbers.

    Args:
        key: with its seed.
        role: as there.
        numbers: (M,) int64 each.
        count: words of each.

    Returns:
        (M, count) uint64.
    """
    seed, name = key.seed, json.dumps(role)
    named = zip(*(each.tolist() for each in numbers), strict=True)
    texts = (f"[{name}, {', '.join(map(str, each))}]" for each in named)
    streams = b"".join(shake_256(seed + text.encode()).digest(8 * count) for text in texts)
    return np.frombuffer(streams, dtype="<u8").reshape(-1, count)


def below(words: np.ndarray, counts: np.ndarray | int) -> np.ndarray:
    """``word * count >> 64``: whole numbers from 0, uniform to one part in 2**32.

    Args:
        words: uint64.
        counts: of the same shape, or one; 1 to 2**31.

    Returns:
        int64.
    """
    n = np.asarray(counts, dtype=np.uint64)
    high, low = words >> np.uint64(32), words & np.uint64(2**32 - 1)
    return np.asarray((high * n + (low * n >> np.uint64(32))) >> np.uint64(32)).astype(np.int64)


def between(words: np.ndarray, low: np.ndarray | int, high: np.ndarray | int) -> np.ndarray:
    """Whole numbers from ``low`` to ``high``, both possible; int64."""
    return np.asarray(low + below(words, np.asarray(high) - low + 1))

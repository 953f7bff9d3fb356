"""How many queries a true claim takes: simulated for models that did learn the mark.

Each function plays one layer ``repetitions`` times and returns (repetitions,) int64 queries spent
and (repetitions,) bool, whether the layer passed.
"""

import math

import numpy as np

from datadeed.verification.keylabels import largest_factor
from datadeed.verification.simulations import Part, first_crossing, key_layer


def behaviour_queries(
    rng: np.random.Generator,
    repetitions: int,
    alpha: float,
    *,
    rate: float,
    null_rate: float,
    budget: int,
) -> tuple[np.ndarray, np.ndarray]:
    """The behaviour layer for a model that hits at ``rate``; it gives up after ``budget``."""
    hits = rng.random((repetitions, budget)) < rate
    crossed = first_crossing(hits, null_rate, alpha)
    return np.minimum(crossed, budget), crossed <= budget


def marked(
    rng: np.random.Generator, repetitions: int, votes: int, classes: int, *, rate: float
) -> Part:
    """A model that learned the key: hits at ``rate``; a fifth of the misses go to one class."""
    target = np.zeros(repetitions, dtype=np.int64)
    shape = (repetitions, votes)
    missed = np.where(rng.random(shape) < 0.2, 1, rng.integers(1, classes, shape))
    return np.where(rng.random(shape) < rate, 0, missed), target


def key_queries(
    log_e: np.ndarray, queries: np.ndarray, alpha: float, most: float
) -> tuple[np.ndarray, np.ndarray]:
    """Queries of each run until it passes or cannot any more, and whether it passed.

    Args:
        log_e, queries: from :func:`key_layer`. most: the largest factor of one part.
    """
    bar = -math.log(alpha)
    to_come = np.arange(log_e.shape[1])[::-1] * math.log(most)
    passed = log_e >= bar
    stops = passed | (log_e + to_come < bar)
    stops[:, -1] = True
    last = stops.argmax(1)[:, None]
    return np.take_along_axis(queries, last, 1)[:, 0], np.take_along_axis(passed, last, 1)[:, 0]


def marked_queries(
    rng: np.random.Generator,
    repetitions: int,
    alpha: float,
    *,
    rate: float,
    classes: int,
    parts: int = 12,
    votes: int = 9,
) -> tuple[np.ndarray, np.ndarray]:
    """:func:`key_queries` for a model that learned the key with hit rate ``rate``."""
    log_e, queries = key_layer(
        lambda: marked(rng, repetitions, votes, classes, rate=rate), parts, classes
    )
    return key_queries(log_e, queries, alpha, largest_factor(classes, votes))

"""Both layers of the proof, played many times at once, and how many queries a true claim takes.

What a repetition does is what the layers themselves do; here it is done to (R,) runs together. The
suspects of :func:`behaviour_queries` and :func:`marked_queries` did learn the mark; these two
return (repetitions,) int64 queries spent and (repetitions,) bool, whether the layer passed.
"""

import math
from collections.abc import Callable

import numpy as np

from datadeed.verification.keylabels import largest_factor, part_weights
from datadeed.verification.sequential import SLACK, bet_fractions, log_mean_exp

BETS = 40

Part = tuple[np.ndarray, np.ndarray]  # (R, n) int64 answers in order, (R,) int64 target labels


def first_crossing(
    outcomes: np.ndarray, null_mean: float, alpha: float, *, pool: bool = False
) -> np.ndarray:
    """When a :class:`~datadeed.verification.sequential.BettingProcess` first reaches 1/alpha.

    Args:
        outcomes: (R, T), 0 to 1. pool: each row is a whole population in random order.

    Returns:
        (R,) int64, outcomes taken by then; T + 1 if it never does.
    """
    repetitions, steps = outcomes.shape
    fractions, bar = bet_fractions(BETS), -math.log(alpha)
    crossed, playing = np.full(repetitions, steps + 1), np.arange(repetitions)
    log_wealth, left = (
        np.zeros((repetitions, BETS)),
        np.full(repetitions, steps * (null_mean + SLACK)),
    )
    for step in range(steps):
        now = outcomes[playing, step].astype(np.float64)
        allowed = left / (steps - step) if pool else np.full(len(now), null_mean)
        bet = allowed <= 1
        log_wealth[bet] += np.log1p(fractions * ((now[bet] / allowed[bet]) - 1)[:, None])
        left = left - now
        done = log_wealth.max(1) >= bar  # the mean over the bets is no larger than the best of them
        done[done] = log_mean_exp(log_wealth[done]) >= bar
        if pool:
            done |= left <= 0
        crossed[playing[done]] = step + 1
        playing, log_wealth, left = playing[~done], log_wealth[~done], left[~done]
    return crossed


def blind_votes(answers: np.ndarray, classes: int, *, lead: int = 2) -> Part:
    """Count answers until one class leads by ``lead``; never looks at the target label.

    Returns:
        (R, C) float64 counts and (R,) int64 answers used, at most n.
    """
    counts = np.zeros((len(answers), classes))
    used, asking = np.zeros(len(answers), dtype=np.int64), np.arange(len(answers))
    for column in range(answers.shape[1]):
        counts[asking, answers[asking, column]] += 1
        used[asking] += 1
        second, first = np.partition(counts[asking], classes - 2, axis=1)[:, -2:].T
        asking = asking[first - second < lead]
    return counts, used


def key_layer(draw: Callable[[], Part], parts: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Log evidence and queries after each part, both (R, J); ``draw`` gives the next part."""
    factors, queries = [], []
    for _ in range(parts):
        answers, target = draw()
        counts, used = blind_votes(answers, classes)
        factors.append(classes * np.take_along_axis(part_weights(counts), target[:, None], 1)[:, 0])
        queries.append(used)
    return np.log(factors).cumsum(0).T, np.cumsum(queries, 0).T


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

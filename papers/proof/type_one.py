"""How often each test accuses an innocent suspect: simulated where its null only just holds.

Each function plays one test ``repetitions`` times, independently, with draws from ``rng``, and
returns a (repetitions,) bool array: whether it rejected a null that is true. The published tests
are in ``type_one_published.py``.
"""

import math
from collections.abc import Callable

import numpy as np

from datadeed.verification.keylabels import (
    BlindElimination,
    coin_e_value,
    rank_p_value,
)
from datadeed.verification.multiplicity import e_bh
from datadeed.verification.population import conformal_p_value
from datadeed.verification.sequential import bet_fractions, log_mean_exp
from datadeed.verification.simulations import BETS, Part, first_crossing, key_layer

# Differences of triggered and clean target probability with a mean of exactly TAU: nearly all lie
# just above it and a few far below.
TAU, LOW, LOW_SHARE = 0.2, -1.0, 0.01
HIGH = (TAU - LOW * LOW_SHARE) / (1 - LOW_SHARE)


# Betting: sequential.py, for many sequences at once.


def betting(
    rng: np.random.Generator, repetitions: int, alpha: float, *, rate: float, looks: int
) -> np.ndarray:
    """Hits at exactly the null rate, a look after each of ``looks`` answers."""
    return first_crossing(rng.random((repetitions, looks)) < rate, rate, alpha) <= looks


def betting_pool(
    rng: np.random.Generator, repetitions: int, alpha: float, *, hits: int, size: int
) -> np.ndarray:
    """A pool with exactly the null share of hits, asked to the end, a look after each answer."""
    outcomes = _pools(rng, repetitions, hits, size)
    return first_crossing(outcomes, hits / size, alpha, pool=True) <= size


def betting_skewed(
    rng: np.random.Generator, repetitions: int, alpha: float, *, m: int
) -> np.ndarray:
    """Pairs with left-skewed differences, a look after each."""
    difference = np.where(rng.random((repetitions, m)) < LOW_SHARE, LOW, HIGH)
    return first_crossing((difference + 1) / 2, (TAU + 1) / 2, alpha) <= m


def sequence_miss(
    rng: np.random.Generator, repetitions: int, alpha: float, *, hits: int, size: int, pool: bool
) -> np.ndarray:
    """Whether a confidence sequence ever leaves out the mean ``hits / size``; ``size`` looks.

    It does if and only if one of the two betting processes that it inverts rejects the mean.
    """
    rate = hits / size
    drawn = _pools(rng, repetitions, hits, size) if pool else rng.random((repetitions, size)) < rate
    low = first_crossing(drawn, rate, alpha / 2, pool=pool)
    high = first_crossing(~drawn, 1 - rate, alpha / 2, pool=pool)
    return np.minimum(low, high) <= size


def start_day(
    rng: np.random.Generator,
    repetitions: int,
    alpha: float,
    *,
    rate: float,
    days: int,
    queries: int,
) -> np.ndarray:
    """The start-day mixture on every day of ``days``, hits at exactly the null rate."""
    mixture, peak = np.full((repetitions, BETS), -np.inf), np.zeros(repetitions)
    for day in range(1, days + 1):
        gain = _log_gains(rng.binomial(queries, rate, repetitions), queries, rate)
        mixture = np.logaddexp(mixture, -math.log(day * (day + 1))) + gain
        peak = np.maximum(peak, np.logaddexp(log_mean_exp(mixture), -math.log(day + 1)))
    return np.asarray(peak >= -math.log(alpha))


def _pools(rng: np.random.Generator, repetitions: int, hits: int, size: int) -> np.ndarray:
    pool = np.arange(size) < hits
    return rng.permuted(np.broadcast_to(pool, (repetitions, size)), axis=1)


def _log_gains(hits: np.ndarray, n: int, mean: float) -> np.ndarray:
    """(..., bets) what each bet makes of ``hits`` (...,) among n answers."""
    fractions = bet_fractions(BETS)
    won, lost = np.log1p(fractions * (1 / mean - 1)), np.log1p(-fractions)
    return np.asarray(hits[..., None] * won + (n - hits)[..., None] * lost)


# The key layer: keylabels.py with the whole procedure of asking.


def key_labels(
    rng: np.random.Generator,
    repetitions: int,
    alpha: float,
    *,
    innocent: Callable[..., Part],
    classes: int,
    parts: int = 12,
    votes: int = 9,
) -> np.ndarray:
    """The key-label e-value after any part, for an ``innocent`` model such as those below."""
    log_e, _ = key_layer(lambda: innocent(rng, repetitions, votes, classes), parts, classes)
    return np.asarray(log_e.max(1) >= -math.log(alpha))


def confused(rng: np.random.Generator, repetitions: int, votes: int, classes: int) -> Part:
    """Each trigger sends half of the images to one class, the rest anywhere."""
    favourite = rng.integers(0, classes, (repetitions, 1))
    anywhere = rng.integers(0, classes, (repetitions, votes))
    answers = np.where(rng.random(anywhere.shape) < 0.5, favourite, anywhere)
    return answers, rng.integers(0, classes, repetitions)


def shifted(rng: np.random.Generator, repetitions: int, votes: int, classes: int) -> Part:
    """Answers the true label plus one; the images are chosen blindly, as they must be."""
    answers = (rng.integers(0, classes, (repetitions, votes)) + 1) % classes
    return answers, rng.integers(0, classes, repetitions)


def shifted_excluding(rng: np.random.Generator, repetitions: int, votes: int, classes: int) -> Part:
    """The same, with images of the target class left out: forbidden, and this is why."""
    target = rng.integers(0, classes, repetitions)
    label = (target[:, None] + rng.integers(1, classes, (repetitions, votes))) % classes
    return (label + 1) % classes, target


# Decoys and coins, among triggers of which some move innocent models by nature.


def natural_rates(rng: np.random.Generator, shape: tuple[int, ...], hot: float) -> np.ndarray:
    """Hit rates of random triggers on an innocent model: a share ``hot`` of them 0.3 to 0.6."""
    return np.where(rng.random(shape) < hot, rng.uniform(0.3, 0.6, shape), rng.beta(1, 30, shape))


def decoy_rank(
    rng: np.random.Generator, repetitions: int, alpha: float, *, hot: float, decoys: int, m: int
) -> np.ndarray:
    """The true trigger's rank among decoys, m answers each."""
    hits = rng.binomial(m, natural_rates(rng, (repetitions, decoys + 1), hot))
    return np.array([rank_p_value(row[0], row[1:]) <= alpha for row in hits])


def elimination(
    rng: np.random.Generator, repetitions: int, alpha: float, *, hot: float, decoys: int
) -> np.ndarray:
    """Blind elimination; the true trigger has the place drawn for it."""
    rejected = np.zeros(repetitions, dtype=bool)
    for i, rates in enumerate(natural_rates(rng, (repetitions, decoys + 1), hot)):
        game = BlindElimination(decoys + 1)
        while not game.finished:
            asked = rates[game.survivors, None]
            game.update(rng.random((len(asked), game.queries)) < asked)
        rejected[i] = game.p_value(int(rng.integers(decoys + 1))) <= alpha
    return rejected


def coins(
    rng: np.random.Generator, repetitions: int, alpha: float, *, hot: float, parts: int, votes: int
) -> np.ndarray:
    """Coins for untargeted marks: which triggers were embedded has nothing to do with the model."""
    changed = rng.binomial(votes, natural_rates(rng, (repetitions, parts), hot))
    bits = rng.integers(0, 2, changed.shape)
    counts = np.stack([votes - changed, changed], -1)
    values = [coin_e_value(c, b) for c, b in zip(counts, bits, strict=True)]
    return np.array(values) >= 1 / alpha


# Many suspects; a population of innocent models.


def false_discovery(
    rng: np.random.Generator,
    repetitions: int,
    alpha: float,
    *,
    suspects: int,
    thieves: int,
    null_rate: float,
    m: int,
) -> np.ndarray:
    """e-BH: whether one of its accusations, taken at random, is false; false if it makes none.

    The chance of that is the false-discovery rate. Thieves hit at 0.5, all others at ``null_rate``.
    """
    rates = np.where(np.arange(suspects) < thieves, 0.5, null_rate)
    hits = rng.binomial(m, rates, (repetitions, suspects))
    log_e = log_mean_exp(_log_gains(np.arange(m + 1), m, null_rate))[hits]
    found = np.zeros(repetitions, dtype=bool)
    for i, row in enumerate(log_e):
        accused = np.flatnonzero(e_bh(row, alpha))
        found[i] = len(accused) > 0 and rng.choice(accused) >= thieves
    return found


def conformal(
    rng: np.random.Generator, repetitions: int, alpha: float, *, models: int
) -> np.ndarray:
    """The suspect is one more innocent model of the same population."""
    scores = rng.standard_normal((repetitions, models + 1))
    return np.array([conformal_p_value(row[1:], row[0]) <= alpha for row in scores])

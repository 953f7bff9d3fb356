"""How often the published tests accuse an innocent suspect; beside ``type_one.py``.

Same form: each function plays one test ``repetitions`` times and returns (repetitions,) bool.
"""

import numpy as np
from scipy import stats

from datadeed.verification.published import released_label_values
from papers.proof.type_one import HIGH, LOW, LOW_SHARE, TAU, natural_rates


def t_rejects(mean: np.ndarray, variance: np.ndarray, m: int, alpha: float) -> np.ndarray:
    """DVBW's paired one-sided t-test of "mean difference <= TAU" at level ``alpha``.

    Args:
        mean, variance: of m differences, any shape; variance with m - 1 in the denominator. When
            all differences are equal the t statistic is infinite, as in ``published.py``.
    """
    with np.errstate(divide="ignore"):
        statistic = (mean - TAU) / np.sqrt(np.maximum(variance, 0) / m)
    return np.asarray(statistic > stats.t.isf(alpha, m - 1))


def t_test_skewed(
    rng: np.random.Generator, repetitions: int, alpha: float, *, m: int
) -> np.ndarray:
    """Left-skewed differences with a mean of exactly tau: most lie just above it, few far below."""
    share = rng.binomial(m, LOW_SHARE, repetitions) / m
    variance = (HIGH - LOW) ** 2 * share * (1 - share) * m / (m - 1)
    return t_rejects(HIGH - (HIGH - LOW) * share, variance, m, alpha)


def t_test_daily(
    rng: np.random.Generator, repetitions: int, alpha: float, *, m: int, days: int
) -> np.ndarray:
    """Any of ``days`` tests on fresh pairs: difference 1 (24 %), -1 (4 %) or 0, mean tau."""
    ups = rng.binomial(m, 0.24, (repetitions, days))
    downs = rng.binomial(m - ups, 0.04 / 0.76)
    mean = (ups - downs) / m
    variance = (ups + downs - m * mean**2) / (m - 1)
    return np.asarray(t_rejects(mean, variance, m, alpha).any(1))


def t_test_hot_triggers(
    rng: np.random.Generator, repetitions: int, alpha: float, *, m: int, hot: float
) -> np.ndarray:
    """A random trigger on an innocent model; the margin tau takes the place of a calibration."""
    share = rng.binomial(m, natural_rates(rng, (repetitions,), hot)) / m
    return t_rejects(share, share * (1 - share) * m / (m - 1), m, alpha)


def released_label_value(
    rng: np.random.Generator,
    repetitions: int,
    alpha: float,
    *,
    m: int,
    target: int,
    classes: int = 10,
) -> np.ndarray:
    """DVBW's label-only value for a trigger without effect: answers uniform over other classes."""
    others = np.arange(classes) != target
    counts = rng.multinomial(m, others / others.sum(), repetitions)
    return np.asarray(released_label_values(counts, np.full(repetitions, target)) <= alpha)


def released_label_value_neighbours(
    rng: np.random.Generator, repetitions: int, alpha: float, *, m: int, classes: int = 10
) -> np.ndarray:
    """The same where half of the answers are one class below the target and half one above."""
    target = rng.integers(1, classes - 1, repetitions)
    counts = np.zeros((repetitions, classes), dtype=np.int64)
    for step in (-1, 1):
        np.put_along_axis(counts, (target + step)[:, None], m // 2, 1)
    return np.asarray(released_label_values(counts, target) <= alpha)


def conformal_trimmed(
    rng: np.random.Generator,
    repetitions: int,
    alpha: float,
    *,
    models: int,
    trimmed: float = 0.2,
) -> np.ndarray:
    """CertDW's threshold, which throws the largest innocent scores away as outliers.

    Counting sorted scores from 0, it is number ``N - m - floor((N - m + 1) alpha)``, m = 0.2 N.
    """
    scores = rng.standard_normal((repetitions, models + 1))
    kept = models - int(trimmed * models)
    threshold = np.sort(scores[:, 1:], axis=1)[:, kept - int((kept + 1) * alpha)]
    return np.asarray(scores[:, 0] > threshold)

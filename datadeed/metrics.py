"""Rates with their denominators stated and exact intervals."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from datadeed.errors import VerificationError
from datadeed.verification.answers import Answers


@dataclass(frozen=True)
class Rate:
    """``hits`` of ``n``, with the exact (Clopper-Pearson) interval at ``level``."""

    hits: int
    n: int
    level: float = 0.95

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.n or self.n == 0:
            raise VerificationError(
                f"a rate of {self.hits} in {self.n} cannot be: there must be samples to count"
            )

    @property
    def value(self) -> float:
        """The share, 0 to 1."""
        return self.hits / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end, 0 to 1."""
        found = stats.binomtest(self.hits, self.n).proportion_ci(self.level, method="exact")
        return float(found.low), float(found.high)

    def record(self) -> dict[str, Any]:
        """As JSON values."""
        low, high = self.interval
        return {
            "value": self.value,
            "hits": self.hits,
            "n": self.n,
            "low": low,
            "high": high,
            "level": self.level,
        }


def rate(hits: np.ndarray) -> Rate:
    """The rate of a (N,) bool array."""
    return Rate(int(hits.sum()), len(hits))


def benign_accuracy(answers: Answers) -> Rate:
    """BA: share of clean samples classified as their true label; denominator all samples."""
    return rate(answers.clean_prediction == answers.label)


def watermark_success_rate(answers: Answers) -> Rate:
    """WSR: share of triggered samples classified as the target label.

    The denominator leaves out samples whose true label is the target: a model without any
    watermark hits those too.
    """
    others = answers.label != answers.target
    return rate(answers.triggered_prediction[others] == answers.target)


def watermark_success_rate_as_released(answers: Answers) -> Rate:
    """WSR as DVBW's released code counts it: all triggered samples, target class included."""
    return rate(answers.triggered_prediction == answers.target)

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
    target = answers.target_label
    return rate(answers.triggered_prediction[answers.label != target] == target)


def watermark_success_rate_as_released(answers: Answers) -> Rate:
    """WSR as DVBW's released code counts it: all triggered samples, target class included."""
    return rate(answers.triggered_prediction == answers.target_label)


def attack_success(answers: Answers) -> np.ndarray:
    """Which triggers worked, (N,) bool (UBW, section 5.1).

    Targeted: the triggered sample gets the target label. Untargeted: it gets any wrong label.
    """
    if answers.target is None:
        return np.asarray(answers.triggered_prediction != answers.label)
    return np.asarray(answers.triggered_prediction == answers.target)


def attack_success_rate(answers: Answers) -> Rate:
    """ASR-A: share of triggered samples on which the trigger worked.

    Samples whose true label is the target are left out; without a target all are counted. A model
    without any watermark is not at 0: an untargeted trigger "works" on all that it gets wrong.

    Raises:
        VerificationError: no sample is left to count.
    """
    return rate(attack_success(answers)[_counted(answers)])


def attack_success_rate_correct(answers: Answers) -> Rate:
    """ASR-C: :func:`attack_success_rate` among samples classified correctly when clean.

    Raises:
        VerificationError: no sample is left to count.
    """
    correct = answers.clean_prediction == answers.label
    return rate(attack_success(answers)[_counted(answers) & correct])


def _counted(answers: Answers) -> np.ndarray:
    if answers.target is None:
        return np.ones(len(answers), dtype=bool)
    return np.asarray(answers.label != answers.target)

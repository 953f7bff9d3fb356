"""Evidence over a suspect's whole life, in which it may be exchanged for a marked one on any day.

Null: the key's targets were drawn uniformly from the classes, and the suspect does not depend on
them (:mod:`datadeed.verification.centred`). It may be exchanged daily, answer as it likes, fail,
and know every question and answer of the days before.

For every possible first day of misuse d = 1, 2, ... and every look k = 1, 2, ... let ``E_{d,k}``
be the e-value of the centred votes of the days ``d`` to ``d + n_k - 1``. The numbers of days n_k
are 1, 2, 3, ... in steps of a fifth. Clean questions tell versions of the suspect apart: the v-th
begins on day d_v, the first on day 1. Half of the weight is shared by all days, half by the first
days of versions, so that a day on which an exchange was noticed weighs more than others:

    w_d = 1/2 1/(d (d + 1)) + (1/2 1/(v (v + 1)), if d = d_v)
    p_1 = 1/2, and p_k = 1/2 1/((k - 1) k) for the other looks

The evidence on day t is

    M_t = sum of w_d p_k E_{d,k} over all d and k with d + n_k - 1 <= t

*The chance that M ever reaches 1/alpha, on any day of the suspect's life, is at most alpha.* Proof:
let the questions go on for ever, and fix all answers, those to the clean questions too. They decide
where versions begin, and with that all weights; the days of each ``E_{d,k}`` are fixed beforehand.
So its mean over the targets is exactly 1 (``log_e_value``), whatever the answers are. The weights
sum to at most 1 (``1/(d (d + 1)) = 1/d - 1/(d + 1)``, and the same for v and k; a suspect that
changes for the last time leaves some over). So the mean of ``M_infinity = sum of w_d p_k E_{d,k}``
over the targets is at most 1, answers being fixed; and as the null makes them independent of the
targets, it is at most 1. All terms are positive: M never falls, its largest value is at most
M_infinity, and Markov's inequality bounds the chance that that reaches 1/alpha. Stopping, which is
all that the targets decide, only leaves terms out.

A suspect that is taken for another one every day, since it does not answer alike twice, loses
nothing: its weights are 1/(d (d + 1)).
"""

import math

import numpy as np
from scipy.special import logsumexp

from datadeed.errors import VerificationError
from datadeed.verification.centred import FIRST, GROWTH, log_factors


def look_days(days: int) -> list[int]:
    """The looks n_k up to so many days: 1, 2, ... in steps of a fifth. They do not end."""
    at = [1] if days >= 1 else []
    while at and (following := max(at[-1] + 1, int(at[-1] * GROWTH))) <= days:
        at.append(following)
    return at


def log_look_shares(count: int) -> np.ndarray:
    """(count,) logarithms of the first p_k, which sum to 1 over all looks, without end."""
    later = np.arange(1, count, dtype=np.float64)
    return np.log([FIRST, *((1 - FIRST) / (later * (later + 1)))][:count])


class Lifetime:
    """``M_t`` from each day's centred votes.

    A day costs one e-value for each look that ends on it, 43 after ten years.

    Args:
        targets: (..., J) int64, each part's label. Leading axes: several keys, for simulations.

    Attributes:
        days, versions: so far.
        log_e: (...) float64, ln M; minus infinity before the first day. It never falls.
    """

    def __init__(self, targets: np.ndarray):
        targets = np.asarray(targets)
        self._targets = targets[None, None, None, ..., None]
        self._totals: list[np.ndarray] = []  # centred votes of the first 0, 1, 2, ... days
        self._log_weights: list[float] = []  # ln w_1, ln w_2, ...
        self.days = self.versions = 0
        self.log_e = np.full(targets.shape[:-1], -np.inf)

    def add(self, sums: np.ndarray, *, exchanged: bool = False) -> np.ndarray:
        """Take a day's centred votes, added up over its images, and return ``log_e``.

        Args:
            sums: (T, ..., J, C) for T transforms of scores, 1 where there are labels only.
            exchanged: whether another version of the suspect begins on this day, as clean questions
                tell it; the targets must have no say in that.

        Raises:
            VerificationError: the votes have another shape than the day before.
        """
        sums = np.asarray(sums, dtype=np.float64)
        if not self._totals:
            self._totals = [np.zeros_like(sums)]
        if sums.shape != self._totals[0].shape:
            raise VerificationError(
                f"votes of shape {sums.shape}, not {self._totals[0].shape} as the day before"
            )
        self._totals.append(self._totals[-1] + sums)
        self.days += 1
        share = 1 / (self.days * (self.days + 1))
        if exchanged or self.days == 1:
            self.versions += 1
            share += 1 / (self.versions * (self.versions + 1))
        self._log_weights.append(math.log(share / 2))
        at = np.array(look_days(self.days))
        windows = self._totals[-1] - np.stack([self._totals[self.days - n] for n in at])
        factors = log_factors(windows)  # (B, L, T, ..., J, C)
        log_e = np.take_along_axis(factors, self._targets, -1)[..., 0].sum(-1)
        shares = log_look_shares(len(at)) + np.array(self._log_weights)[self.days - at]
        shares = shares.reshape(-1, *[1] * (log_e.ndim - 2))
        count = log_e.shape[0] * log_e.shape[2]  # mean over sharpness and transforms
        added = logsumexp(log_e + shares, axis=(0, 1, 2)) - np.log(count)
        self.log_e = np.logaddexp(self.log_e, added)
        return self.log_e

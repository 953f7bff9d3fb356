"""Tests that may stop at any time: betting e-processes and confidence sequences for a mean.

An e-process is the wealth of a gambler who bets against the null hypothesis. Under the null the
chance that it ever reaches 1/alpha is at most alpha (Ville's inequality), so one may look after
every query and stop when one likes. Sources: Waudby-Smith and Ramdas, "Estimating means of bounded
random variables by betting", JRSSB 2024 (arXiv 2010.09686), sections 4 and 5; Shin, Ramdas and
Rinaldo, "E-detectors", 2023 (arXiv 2203.03532), for changes over time.
"""

import math
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from datadeed.errors import VerificationError

# Added to the mean a null allows when sampling without replacement, so that rounding in N * mean
# never refutes a null that holds exactly at its boundary. It makes the null larger: conservative.
SLACK = 1e-9
MOST_BETS = 1000


def bet_fractions(bets: int) -> np.ndarray:
    """(bets,) fractions of the largest bet: ``sin^2((k - 1/2) pi / (2 bets))``, within 0 and 1."""
    if not 1 <= bets <= MOST_BETS:
        raise VerificationError(f"{bets} bets: give a number from 1 to {MOST_BETS}, 40 as a rule")
    return np.sin((np.arange(bets) + 0.5) * np.pi / (2 * bets)) ** 2


def log_mean_exp(values: np.ndarray) -> np.ndarray:
    """Logarithm of the mean of ``exp(values)`` over the last axis; no overflow."""
    peak = values.max(-1, keepdims=True)
    return np.asarray(peak[..., 0] + np.log(np.exp(values - peak).mean(-1)))


class BettingProcess:
    """Grid-mixture e-process for the mean of outcomes between 0 and 1.

    Null: given the past, each outcome is at most ``null_mean`` on average. With ``population``:
    the outcomes are drawn without replacement, in random order, from that many fixed values, whose
    mean is at most ``null_mean``; then nothing is assumed about the values.

    Bet k stakes a fixed fraction f_k of what could be lost and multiplies its wealth by
    ``1 - f_k + f_k Y / m``, m being the mean that the null still allows; the process is the mean
    over the bets. Without replacement ``m = (N m_0 - sum of past outcomes) / (outcomes left)``; a
    sum above ``N m_0`` refutes the null with certainty.

    Args:
        null_mean: strictly between 0 and 1.
        population: N, or None for outcomes that are not draws from a known pool.
        bets: size of the grid.

    Attributes:
        log_e: natural logarithm of the e-process now; infinite once the null is refuted.
        log_e_max: its largest value so far, at least 0; ``exp(-log_e_max)`` is a p-value at any
            time.
        n: outcomes so far.

    Raises:
        VerificationError: an argument is out of its range.
    """

    def __init__(self, null_mean: float, *, population: int | None = None, bets: int = 40):
        _check_share("null mean", null_mean)
        _check_population(population)
        self.null_mean, self.population, self.bets = float(null_mean), population, bets
        self.n, self.log_e, self.log_e_max = 0, 0.0, 0.0
        self._total = 0.0
        self._fractions = bet_fractions(bets)
        self._log_wealth = np.zeros(bets)

    def update(self, outcome: float) -> float:
        """Take one outcome, 0 to 1, and return ``log_e``.

        Raises:
            VerificationError: the outcome is out of range, or the population is used up.
        """
        _check_outcome(outcome)
        _check_room(self.n, self.population)
        allowed = self.null_mean
        if self.population is not None:
            allowed = self._room() / (self.population - self.n)
        if 0 < allowed <= 1:  # above 1 the null allows anything: no bet
            self._log_wealth += np.log1p(self._fractions * (outcome / allowed - 1))
        self.n += 1
        self._total += outcome
        self._settle()
        return self.log_e

    def state(self) -> dict[str, Any]:
        """All that :meth:`restore` needs, as JSON values without infinities."""
        return {
            "null_mean": self.null_mean,
            "population": self.population,
            "bets": self.bets,
            "n": self.n,
            "total": self._total,
            "log_wealth": self._log_wealth.tolist(),
            "log_e_max": None if math.isinf(self.log_e_max) else self.log_e_max,
        }

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Self:
        """The process that wrote ``state``; it goes on bit for bit as the first one would.

        Raises:
            VerificationError: ``state`` is not one that :meth:`state` wrote.
        """
        try:
            process = cls(state["null_mean"], population=state["population"], bets=state["bets"])
            n, total = int(state["n"]), float(state["total"])
            peak = math.inf if state["log_e_max"] is None else float(state["log_e_max"])
            log_wealth = np.asarray(state["log_wealth"], dtype=np.float64)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise VerificationError("not the state of a betting process: start anew") from error
        fits = log_wealth.shape == (process.bets,) and bool(np.isfinite(log_wealth).all())
        within = 0 <= total <= n and (process.population is None or n <= process.population)
        if not (fits and within and peak >= 0):
            raise VerificationError("the state of a betting process is damaged: start anew")
        process.n, process._total, process.log_e_max = n, total, peak
        process._log_wealth = log_wealth.copy()
        process._settle()
        return process

    def _settle(self) -> None:
        refuted = self._room() <= 0
        self.log_e = math.inf if refuted else float(log_mean_exp(self._log_wealth))
        self.log_e_max = max(self.log_e_max, self.log_e)

    def _room(self) -> float:
        """What the null leaves for all outcomes still to come; infinite outside a pool."""
        if self.population is None:
            return math.inf
        return self.population * (self.null_mean + SLACK) - self._total


class ConfidenceSequence:
    """Two-sided bounds for a mean, valid at all sample sizes at once.

    The chance that the mean ever lies outside is at most ``alpha``, half of it on either side.
    The lower end is the smallest mean that a :class:`BettingProcess` has not rejected at alpha/2;
    the upper end is the same for ``1 - outcome``. The process falls as the null mean grows, so
    bisection finds the ends; they are rounded outwards, by less than 1e-9. Both only ever tighten.

    A query that failed is given as ``low=0, high=1``: it helps neither end.

    Args:
        alpha: strictly between 0 and 1.
        population, bets: as for :class:`BettingProcess`.

    Attributes:
        low, high: the bounds, 0 to 1. That ``low > high`` has chance at most alpha.
        n: outcomes so far.

    Raises:
        VerificationError: an argument is out of its range.
    """

    def __init__(self, alpha: float, *, population: int | None = None, bets: int = 40):
        _check_share("alpha", alpha)
        _check_population(population)
        self.n, self._population = 0, population
        self._below = _LowerBound(alpha / 2, population, bets)
        self._above = _LowerBound(alpha / 2, population, bets)

    @property
    def low(self) -> float:
        return self._below.value

    @property
    def high(self) -> float:
        return 1 - self._above.value

    def update(self, low: float, high: float | None = None) -> tuple[float, float]:
        """Take one outcome, for either end (``high`` is ``low`` if left out); return both ends.

        Raises:
            VerificationError: an outcome is out of range, or the population is used up.
        """
        high = low if high is None else high
        _check_outcome(low)
        _check_outcome(high)
        _check_room(self.n, self._population)
        self.n += 1
        self._below.update(low)
        self._above.update(1 - high)
        return self.low, self.high


class _LowerBound:
    """``value``: the smallest mean not rejected at ``alpha`` so far."""

    def __init__(self, alpha: float, population: int | None, bets: int):
        self.value = 0.0
        self._threshold, self._population = math.log(1 / alpha), population
        self._fractions = bet_fractions(bets)
        self._outcomes: list[float] = []

    def update(self, outcome: float) -> None:
        self._outcomes.append(outcome)
        outcomes = np.array(self._outcomes)
        if not outcomes.any() or (self.value > 0 and not self._rejects(self.value, outcomes)):
            return
        rejected, kept = self.value, 1.0  # a mean of 0 is false, and a mean of 1 never rejected
        while kept - rejected > SLACK:
            middle = (rejected + kept) / 2
            rejects = self._rejects(middle, outcomes)
            rejected, kept = (middle, kept) if rejects else (rejected, middle)
        self.value = rejected

    def _rejects(self, mean: float, outcomes: np.ndarray) -> bool:
        allowed: np.ndarray | float = mean
        if self._population is not None:
            total, n = self._population * (mean + SLACK), len(outcomes)
            sums = outcomes.cumsum()
            if sums[-1] >= total:
                return True
            # Above 1 the bet stays on, unlike in BettingProcess: that keeps this monotone in mean.
            allowed = (total - sums + outcomes) / (self._population - np.arange(n))
        gain = np.log1p(self._fractions[:, None] * (outcomes / allowed - 1))  # (bets, n)
        return float(log_mean_exp(gain.sum(1))) >= self._threshold


class StartDayMixture:
    """E-process for a suspect that may change on an unknown day; for scheduled checks.

    Null: on every day, each outcome is at most ``null_mean`` on average given the past. The chance
    of ever reaching 1/alpha, on any day of the suspect's life, is at most alpha. It mixes over the
    day s on which betting starts with weights 1/(s (s + 1)); the recursion for bet k is
    ``M_d = (M_{d-1} + w_d) L_d``, and the weight of the days to come is held as cash.
    """

    log_e = log_e_max = 0.0

    def __init__(self, null_mean: float, bets: int = 40):
        _check_share("null mean", null_mean)
        self.null_mean, self.day = float(null_mean), 0
        self._fractions = bet_fractions(bets)
        self._log_wealth = np.full(bets, -np.inf)

    def update_day(self, outcomes: Sequence[float] | np.ndarray) -> float:
        """Take one day's fresh outcomes, each 0 to 1 (none is allowed), and return ``log_e``."""
        for outcome in outcomes:
            _check_outcome(outcome)
        ratios = np.asarray(outcomes, dtype=np.float64) / self.null_mean
        gain = np.log1p(self._fractions[:, None] * (ratios - 1)).sum(1)
        self.day += 1
        weight = -math.log(self.day * (self.day + 1))
        self._log_wealth = np.logaddexp(self._log_wealth, weight) + gain
        cash = -math.log(self.day + 1)
        self.log_e = float(np.logaddexp(log_mean_exp(self._log_wealth), cash))
        self.log_e_max = max(self.log_e_max, self.log_e)
        return self.log_e


def _check_share(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise VerificationError(f"{name} {value}: give a value strictly between 0 and 1")


def _check_population(population: int | None) -> None:
    if population is not None and population < 1:
        raise VerificationError(f"a population of {population}: give 1 or more, or None")


def _check_room(n: int, population: int | None) -> None:
    if n == population:
        raise VerificationError(f"all {n} of the population were asked: nothing is left to ask")


def _check_outcome(outcome: float) -> None:
    if not 0 <= outcome <= 1:  # also refuses NaN
        raise VerificationError(f"outcome {outcome}: give a value from 0 to 1")

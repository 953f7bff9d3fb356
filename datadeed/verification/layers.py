"""The two layers of a proof, each with a null of its own (specification C0 to C2).

Both are state machines without input or output: they give a question, take its answer, and stop.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from datadeed.errors import VerificationError
from datadeed.keys.key import Key
from datadeed.verification.keylabels import hits_p_value, largest_factor, part_e_value
from datadeed.verification.sequential import BettingProcess, ConfidenceSequence
from datadeed.watermarks.keyed import target_label

LARGEST = 1e308  # JSON holds no infinity


@dataclass(frozen=True)
class Question:
    """Ask about image ``row`` of the pool with the trigger of ``part``."""

    layer: str  # "key" or "behaviour"
    part: int
    row: int


class KeyLayer:
    """Layer K: the key-label e-value (specification C1), anytime-valid over parts.

    Null: the suspect is independent of the key; every answer would have been the same had the
    target labels been drawn again.

    Args:
        key: gives targets, order of parts and the e-value's parameters.
        rows: (N,) int64, pool rows to ask about, in order; each is asked about once.
        threshold: what the e-value must reach.

    Raises:
        VerificationError: there are too few rows for every part to be asked in full.
    """

    def __init__(self, key: Key, rows: np.ndarray, threshold: float):
        self.key, self.rows, self.design = key, rows, key.design
        if len(rows) < self.design.parts * self.design.votes:
            raise VerificationError(
                f"half of the pool is {len(rows)} images, but {self.design.parts} parts of up to "
                f"{self.design.votes} questions need {self.design.parts * self.design.votes}: give "
                "a larger pool"
            )
        self.order = key.permutation("parts", count=self.design.parts)
        self.log_threshold = math.log(threshold)
        best = largest_factor(
            len(self.design.classes),
            self.design.votes,
            beta=self.design.beta,
            epsilon=self.design.epsilon,
        )
        self._log_best = math.log(best)
        self.log_e = self.log_e_max = 0.0
        self.queries = self.failed = 0
        self.closed: list[dict[str, Any]] = []
        self._open()

    def _open(self) -> None:
        self._counts = np.zeros(len(self.design.classes), dtype=np.int64)
        self._asked = self._failed = 0

    @property
    def passed(self) -> bool:
        """Whether the e-value has reached its threshold."""
        return self.log_e_max >= self.log_threshold

    def question(self) -> Question | None:
        """What to ask next, or None: passed, out of parts, or no longer able to pass."""
        left = self.design.parts - len(self.closed)
        if self.passed or not left or self.log_e + left * self._log_best < self.log_threshold:
            return None
        return Question("key", int(self.order[len(self.closed)]), int(self.rows[self.queries]))

    def answer(self, label: int | None, failed: bool) -> None:
        """Take the answer to :meth:`question`; without a label it is no vote."""
        self.queries += 1
        self._asked += 1
        self._failed += failed
        self.failed += failed
        if label is not None:
            self._counts[label] += 1
        second, first = np.sort(self._counts)[-2:]
        if first - second >= self.design.lead or self._asked == self.design.votes:
            self._close()

    def _close(self) -> None:
        part, counts = int(self.order[len(self.closed)]), self._counts
        target = target_label(self.key, part)
        factor = part_e_value(counts, target, beta=self.design.beta, epsilon=self.design.epsilon)
        self.log_e += math.log(factor)
        self.log_e_max = max(self.log_e_max, self.log_e)
        first = int(counts.argmax())
        alone = int((counts == counts[first]).sum()) == 1
        self.closed.append(
            {
                "part": part,
                "target": target,
                "answers": self._asked,
                "failed": self._failed,
                "votes": {str(k): int(counts[k]) for k in np.flatnonzero(counts)},
                "plurality": first if alone else None,
                "hit": alone and first == target,
                "factor": factor,
                "log_e": self.log_e,
            }
        )
        self._open()

    def record(self) -> dict[str, Any]:
        """The layer's part of the evidence, as JSON values."""
        hits, asked = sum(part["hit"] for part in self.closed), len(self.closed)
        classes = len(self.design.classes)
        return {
            "null": (
                "the suspect's answers are independent of the key: they would have been the same "
                "had the target labels been drawn again"
            ),
            **_numbers(self.log_e, self.log_e_max, self.log_threshold),
            "best_attainable_p": float(classes) ** -self.design.parts,
            "hits": hits,
            "parts_asked": asked,
            "binomial_p": hits_p_value(hits, asked, classes) if asked else 1.0,
            "queries": self.queries,
            "failed": self.failed,
            "parts": self.closed,
        }


class BehaviourLayer:
    """Layer B: a betting e-process on the hit rate, without replacement (specification C1).

    Null: over all pairs of a part and an image of ``rows`` whose true label is not the part's
    target, the share that the suspect answers with the target is at most the null rate.

    A failed query counts as a miss for the e-value and for the interval's lower end, and as a hit
    for its upper end, so that no failure buys a verdict.

    Args:
        key: gives targets, the order of pairs and the null rate.
        rows: (N,) int64, pool rows, none of which the key layer asks about.
        labels: (P,) int64, true labels of the whole pool.
        threshold: what the e-value must reach.
    """

    def __init__(self, key: Key, rows: np.ndarray, labels: np.ndarray, threshold: float):
        self.design = key.design
        targets = np.array([target_label(key, part) for part in range(self.design.parts)])
        parts, places = np.nonzero(labels[rows][None, :] != targets[:, None])
        if not len(parts):
            raise VerificationError(
                "every image of the pool has the target label: give a pool with all classes"
            )
        order = key.permutation("pairs", count=len(parts))
        self.pairs = np.stack([parts[order], rows[places[order]]], axis=1)
        self.targets, self.log_threshold = targets, math.log(threshold)
        self.process = BettingProcess(self.design.null_rate, population=len(parts))
        self.interval = ConfidenceSequence(self.design.alpha_behaviour, population=len(parts))
        self.hits = self.failed = 0

    @property
    def queries(self) -> int:
        """How many pairs were asked about."""
        return self.process.n

    @property
    def passed(self) -> bool:
        """Whether the e-value has reached its threshold."""
        return self.process.log_e_max >= self.log_threshold

    @property
    def below(self) -> bool:
        """Whether the interval lies below the null rate."""
        return self.interval.high < self.design.null_rate

    def question(self) -> Question | None:
        """What to ask next, or None: decided either way, or out of pairs."""
        if self.passed or self.below or self.queries == len(self.pairs):
            return None
        part, row = self.pairs[self.queries]
        return Question("behaviour", int(part), int(row))

    def answer(self, label: int | None, failed: bool) -> None:
        """Take the answer to :meth:`question`; without a label it is a miss."""
        hit = bool(label == self.targets[self.pairs[self.queries][0]])
        self.failed += failed
        self.hits += hit
        self.process.update(float(hit))
        self.interval.update(float(hit), float(hit or failed))

    def record(self) -> dict[str, Any]:
        """The layer's part of the evidence, as JSON values."""
        return {
            "null": (
                "over all pairs of a part and a pool image of another class, the trigger brings "
                f"its label about in at most {self.design.null_rate:.0%}"
            ),
            **_numbers(self.process.log_e, self.process.log_e_max, self.log_threshold),
            "null_rate": self.design.null_rate,
            "hits": self.hits,
            "n": self.queries,
            "failed": self.failed,
            "rate": self.hits / self.queries if self.queries else None,
            "low": self.interval.low,
            "high": self.interval.high,
            "level": 1 - self.design.alpha_behaviour,
            "population": len(self.pairs),
        }


def _numbers(log_e: float, log_e_max: float, log_threshold: float) -> dict[str, Any]:
    return {
        "log_e": finite(log_e),
        "log_e_max": finite(log_e_max),
        "threshold": math.exp(log_threshold),
        "passed": log_e_max >= log_threshold,
        "p_value": min(1.0, math.exp(-min(log_e_max, 700.0))),
    }


def finite(value: float) -> float:
    """The value, or the largest that JSON takes in its place."""
    return max(-LARGEST, min(LARGEST, value))

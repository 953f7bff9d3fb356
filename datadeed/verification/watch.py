"""Watching a suspect day by day: fresh questions, and evidence that is valid over its whole life.

A fresh test every day would accuse an innocent model sooner or later: at level 0.01, 97 % of them
within a year. Here all days share one e-process that bets on every possible first day of misuse
(:class:`~datadeed.verification.sequential.StartDayMixture`; specification C3), so that the chance
of any alarm in the suspect's whole life is at most alpha, and a model that is exchanged for a
marked one shows within days.

:class:`Watch` is a deterministic state machine over a key, the pool's labels and the answers. It
needs no floating-point state on disk: whoever opens the log gives it the answers again.
"""

import math
from typing import Any

import numpy as np

from datadeed.errors import VerificationError
from datadeed.keys.key import Key
from datadeed.verification.layers import Question
from datadeed.verification.proof import Proof
from datadeed.verification.sequential import StartDayMixture

FAILURES_IN_A_ROW = 3  # after so many the suspect counts as out of reach, and a run pauses
EVIDENCE, NO_EVIDENCE = "EVIDENCE", "NO EVIDENCE"
MOST_QUESTIONS = 1000  # a day


class Watch:
    """The behaviour layer, a batch of questions a day.

    Null: before every question, of the pairs of a part and an image that were not asked about yet,
    the suspect as it is then answers at most the null rate with the part's target label. The
    order of the pairs is the key's secret, so the next one is a random one of those left, and the
    null bounds each outcome given the past whatever the suspect is exchanged for, and when.

    The questions are the behaviour layer's pairs after those that a verification may ask about
    (the design's budget), in the committed order; none is ever asked twice for evidence.

    A day is a completed batch. A failed query is a miss. Three failures in a row within a batch
    are no answers at all: the suspect was out of reach, the three are asked again later, and the
    batch goes on then.

    Args:
        key: committed before release, beacon value included if it names one.
        labels: (P,) int64, true labels of the committed pool, in its order.
        batch: questions a day, 3 to 1000; fixed for the whole watch.
        suspects: how many suspects are watched under this key in all; the threshold is multiplied
            by it. Fixed for the whole watch.

    Attributes:
        pairs: (M, 2) int64, part and pool row of every question, in order.
        days: one record for each completed day.
        out_of_reach: whether the last answer was the third failure in a row.

    Raises:
        VerificationError: the pool is not the key's or too small, or a number is out of its range.
    """

    def __init__(self, key: Key, labels: np.ndarray, *, batch: int = 10, suspects: int = 1):
        if not FAILURES_IN_A_ROW <= batch <= MOST_QUESTIONS:
            raise VerificationError(
                f"{batch} questions a day: give {FAILURES_IN_A_ROW} to {MOST_QUESTIONS}"
            )
        layer = Proof(key, labels, suspects=suspects).behaviour_layer
        self.key, self.batch, self.suspects = key, batch, suspects
        self.pairs, self._targets = layer.pairs[key.design.budget :], layer.targets
        if len(self.pairs) < batch:
            raise VerificationError(
                f"{len(self.pairs)} questions are left beside those of a verification, but a day "
                f"takes {batch}: commit to a larger pool"
            )
        self.log_threshold = layer.log_threshold
        self._process = StartDayMixture(key.design.null_rate)
        self.days: list[dict[str, Any]] = []
        self._asked = 0  # pairs of completed days
        self._open: list[tuple[bool, bool]] = []  # (hit, failed) of the open batch
        self.out_of_reach = False

    @property
    def passed(self) -> bool:
        """Whether the e-process has ever reached its threshold."""
        return self._process.log_e_max >= self.log_threshold

    @property
    def over(self) -> bool:
        """Whether nothing will ever be asked again: evidence is there, or no question is left."""
        return self.passed or self._asked == len(self.pairs)

    def questions(self, date: str) -> list[Question]:
        """What is still to be asked on ``date``, in order; empty once a batch is complete.

        However often a day's run is started, and however late, one batch at most is completed
        on a date.

        Args:
            date: today in UTC, "2026-11-22".
        """
        if self.over or (not self._open and self.days and date <= self.days[-1]["date"]):
            return []
        return self.batch_left()

    def batch_left(self) -> list[Question]:
        """The rest of the open batch, or the next one, whatever the date."""
        rest = self.pairs[self._asked : self._asked + self.batch][len(self._open) :]
        return [Question("behaviour", int(part), int(row)) for part, row in rest]

    def answer(self, label: int | None, *, date: str, failed: bool = False) -> None:
        """Take the answer to the first of :meth:`questions`.

        Args:
            label: the suspect's first label in the key's numbering, or None.
            date: when it was given, UTC.
            failed: whether there was no answer at all.

        Raises:
            VerificationError: nothing was asked.
        """
        if self.over:
            raise VerificationError("an answer was given, but nothing is asked any more")
        part = self.pairs[self._asked + len(self._open)][0]
        self._open.append((label is not None and label == self._targets[part], failed))
        last = self._open[-FAILURES_IN_A_ROW:]
        self.out_of_reach = len(last) == FAILURES_IN_A_ROW and all(fail for _, fail in last)
        if self.out_of_reach:
            del self._open[-FAILURES_IN_A_ROW:]
        elif len(self._open) == min(self.batch, len(self.pairs) - self._asked):
            self._close(date)

    def _close(self, date: str) -> None:
        hits = [float(hit) for hit, _ in self._open]
        log_e = self._process.update_day(hits)
        self.days.append(
            {
                "day": len(self.days) + 1,
                # A clock that was set back must not make room for a second batch.
                "date": max(date, self.days[-1]["date"]) if self.days else date,
                "n": len(hits),
                "hits": int(sum(hits)),
                "failed": sum(failed for _, failed in self._open),
                "log_e": log_e,
            }
        )
        self._asked += len(hits)
        self._open = []

    def verdict(self) -> tuple[str, str]:
        """EVIDENCE or NO EVIDENCE, and why, in one line."""
        needed = f"E of {math.exp(self.log_threshold):g}"
        if self.passed:
            day = next(day for day in self.days if day["log_e"] >= self.log_threshold)
            return EVIDENCE, f"reached {needed} on day {day['day']}, {day['date']}"
        if self.over:
            return NO_EVIDENCE, (
                f"all {len(self.pairs)} questions were asked and {needed} was not reached: this "
                "watch is over"
            )
        return NO_EVIDENCE, f"has not reached {needed} in {len(self.days)} days"

    def record(self) -> dict[str, Any]:
        """What the answers amount to, as JSON values."""
        word, reason = self.verdict()
        return {
            "null": (
                "before every question, of the pairs of a part and a pool image that were not "
                "asked about yet, the trigger brings its label about in at most "
                f"{self.key.design.null_rate:.0%}"
            ),
            "null_rate": self.key.design.null_rate,
            "alpha": self.key.design.alpha_behaviour,
            "threshold": math.exp(self.log_threshold),
            "log_e": self._process.log_e,
            "log_e_max": self._process.log_e_max,
            "days": self.days,
            "n": self._asked,
            "hits": sum(day["hits"] for day in self.days),
            "open": len(self._open),
            "questions_left": len(self.pairs) - self._asked,
            "over": self.over,
            "word": word,
            "reason": reason,
        }

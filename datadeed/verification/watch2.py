"""Watching a suspect day by day under a key of the second generation: a few blocks a day.

A fresh test every day would accuse an innocent model sooner or later. Here all days share one sum
of e-values over every possible first day of misuse (:mod:`datadeed.verification.lifetime`), so that
the chance of any alarm in the suspect's whole life is at most alpha, and a model that is exchanged
for a marked one shows within days, sooner where clean questions notice it.

:class:`Watch2` is a deterministic state machine over a key and the answers. It needs no
floating-point state on disk: whoever opens the log gives it the answers again.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from datadeed.errors import VerificationError
from datadeed.keys.generation2 import Key2
from datadeed.verification.blocks import Groups, Labels
from datadeed.verification.centred import centred
from datadeed.verification.layers import Question, finite
from datadeed.verification.lifetime import Lifetime
from datadeed.verification.multiplicity import familywise_threshold

FAILURES_IN_A_ROW = 3  # after so many the suspect counts as out of reach, and a run pauses
EVIDENCE, NO_EVIDENCE = "EVIDENCE", "NO EVIDENCE"
MOST_QUESTIONS = 1000  # a day


class Watch2:
    """The key layer, a few images a day under every part.

    Null: the suspect does not depend on the labels that the key drew, on any day, whatever it is
    exchanged for and when.

    The images are those of the pool in an order of the key's own for watching ("watch"); none is
    asked about twice, and no target has a say in which comes next.

    A day is a completed batch. A failed query votes for nothing. Three failures in a row within a
    batch (two, for a key of two parts) are no answers at all: the suspect was out of reach, they
    are asked again later, and the batch goes on then.

    Args:
        key: committed before release, beacon value included if it names one.
        pool: rows of the pool, which must be the key's.
        blocks: images a day; fixed for the whole watch.
        groups: of each label that the suspect can give, the key's classes that it stands for; by
            default every class is one label. Fixed for the whole watch.
        suspects, keys: how many suspects are watched, and under how many keys, in all; the bar is
            multiplied by both. Fixed for the whole watch.

    Attributes:
        rows: (P,) int64, pool rows in the order of asking.
        days: one record for each completed day.
        patience: so many failures in a row are no answers.
        out_of_reach: whether the last answer was the last of these.

    Raises:
        VerificationError: the pool is not the key's or too small, a number is out of its range, or
            the suspect has fewer than two of the key's targets, or no part's.
    """

    def __init__(
        self,
        key: Key2,
        pool: int,
        *,
        blocks: int = 1,
        groups: Groups | None = None,
        suspects: int = 1,
        keys: int = 1,
    ):
        parts = key.design.parts
        if pool != key.pool.rows:
            raise VerificationError(
                f"the key is bound to a pool of {key.pool.rows} images, but there are {pool}: use "
                "the committed pool"
            )
        most = min(MOST_QUESTIONS // parts, pool)
        if not 1 <= blocks <= most:
            raise VerificationError(f"{blocks} images a day of {parts} questions: give 1 to {most}")
        self.key, self.blocks, self.suspects, self.keys = key, blocks, suspects, keys
        self.bar = familywise_threshold(key.design.alpha, suspects * keys)
        self.rows = key.permutation("watch", count=pool)
        targets = np.array([key.target(part) for part in range(parts)])
        if groups is None:
            groups = [[k] for k in range(len(key.design.classes))]
        self.labels = Labels(groups, targets, key.design.targets)
        if not len(self.labels.kept):
            raise VerificationError(
                "the suspect has none of the labels that the key's parts are aimed at: a watch "
                "would never show anything"
            )
        self._lifetime = Lifetime(self.labels.where)
        self.days: list[dict[str, Any]] = []
        self.images = 0  # of completed days
        self._open: list[tuple[int, np.ndarray, bool]] = []  # label, votes, failed
        self._noticed = self._exchanged = False  # an exchange; one before the open batch
        self.patience = min(FAILURES_IN_A_ROW, parts)
        self.out_of_reach = False
        self._batch = self._next_batch()

    @property
    def log_e(self) -> float:
        """ln E; it never falls."""
        return float(self._lifetime.log_e)

    @property
    def passed(self) -> bool:
        """Whether E has reached its bar."""
        return self.log_e >= math.log(self.bar)

    @property
    def over(self) -> bool:
        """Whether nothing will ever be asked again: evidence is there, or no image is left."""
        return self.passed or self.images == len(self.rows)

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
        return self._batch[len(self._open) :]

    def exchange(self) -> None:
        """Another version of the suspect answers from now on, by answers to clean questions.

        It begins with the next batch: an open one has answers of the version before.
        """
        self._noticed = True

    def _next_batch(self) -> list[Question]:
        rows = self.rows[self.images : self.images + self.blocks]
        parts = range(self.key.design.parts)
        return [Question("block", part, int(row)) for row in rows for part in parts]

    def answer(
        self,
        labels: Sequence[int],
        scores: Sequence[float] | None = None,
        *,
        date: str,
        failed: bool = False,
    ) -> None:
        """Take the answer to the first of :meth:`questions`.

        Args:
            labels: the key's classes, best first; of a group any member. Empty: none of them.
            scores: probabilities beside ``labels``.
            date: when it was given, UTC.
            failed: whether there was no answer at all.

        Raises:
            VerificationError: the label is none of the suspect's, or nothing was asked.
        """
        if self.over:
            raise VerificationError("an answer was given, but nothing is asked any more")
        if failed:
            labels, scores = (), None
        if not self._open:
            self._exchanged, self._noticed = self._exchanged or self._noticed, False
        weigh = self.key.design.answers == "scores"
        votes = self.labels.votes(labels, scores, weigh_scores=weigh)
        self._open.append((self.labels.given(labels), votes, failed))
        last = self._open[-self.patience :]
        self.out_of_reach = len(last) == self.patience and all(fail for *_, fail in last)
        if self.out_of_reach:
            del self._open[-self.patience :]
        elif len(self._open) == len(self._batch):
            self._close(date)

    def _close(self, date: str) -> None:
        """Add a day: its votes, centred image by image."""
        given = np.array([label for label, *_ in self._open]).reshape(-1, self.key.design.parts)
        votes = np.stack([votes for _, votes, _ in self._open], axis=1)  # (T, images x J, K)
        by_image = votes.reshape(len(votes), *given.shape, -1)[:, :, self.labels.kept]
        self._lifetime.add(centred(by_image).sum(1), exchanged=self._exchanged)
        self.images += len(given)
        self.days.append(
            {
                "day": len(self.days) + 1,
                # A clock that was set back must not make room for a second batch.
                "date": max(date, self.days[-1]["date"]) if self.days else date,
                "n": given.size,
                "hits": int((given == self.labels.aims).sum()),
                "failed": sum(failed for *_, failed in self._open),
                "version": self._lifetime.versions,
                "log_e": finite(self.log_e),
            }
        )
        self._open, self._batch, self._exchanged = [], self._next_batch(), False

    def verdict(self) -> tuple[str, str]:
        """EVIDENCE or NO EVIDENCE, and why, in one line."""
        needed = f"E of {self.bar:g}"
        if self.passed:  # a day ends the watch that passes the bar
            return EVIDENCE, f"reached {needed} on day {len(self.days)}, {self.days[-1]['date']}"
        if self.over:
            return NO_EVIDENCE, (
                f"all {len(self.rows)} images were asked and {needed} was not reached: this watch "
                "is over"
            )
        return NO_EVIDENCE, f"has not reached {needed} in {len(self.days)} days"

    def record(self) -> dict[str, Any]:
        """What the answers amount to, as JSON values."""
        word, reason = self.verdict()
        return {
            "null": (
                "the suspect does not depend on the labels that the key drew, on any day: its "
                "answers would have been the same had they been drawn again"
            ),
            "alpha": self.key.design.alpha,
            "bar": self.bar,
            "log_e": finite(self.log_e),
            "days": self.days,
            "n": sum(day["n"] for day in self.days),
            "hits": sum(day["hits"] for day in self.days),
            "open": len(self._open),
            "images_left": len(self.rows) - self.images,
            "over": self.over,
            "word": word,
            "reason": reason,
        }

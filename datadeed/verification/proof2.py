"""The proof of the second generation: twelve questions on one image, or as many as it takes.

Every question is about an image of the pool. A *block* is one image under every part of the key,
and its votes are centred (:mod:`datadeed.verification.centred`): the claim rests on them alone. A
*pair* is one image with a part's trigger and with a decoy of it, and bounds the effect
(:mod:`datadeed.verification.effect`), on which "not supported" rests; it counts if the image is of
another class than the part's target.

The order is fixed by the key, and what comes next by how much the answers to blocks move, never by
the targets. So an answer cannot depend on the targets through the questions that came before it,
and the bound on a claim holds for a suspect that adapts to them. Only the end depends on targets:
a claim, or an effect that is excluded while E shows no sign of the key, and then nothing is asked
any more. It follows that

- E at the end is at most E had every question been asked, since it never falls, and that has a mean
  of 1 over all targets;
- a suspect that saw where one verification ended has seen something of the targets. The bound
  holds for the first one of a key and a suspect, not for a second one.

1. Blocks, while an answer in eight or more leaves the most frequent one of its image, ten at most.
2. Pairs, until the effect is excluded and E below twenty, fifty at most with ten classes, ninety
   with two.
3. Blocks, until the budget is spent.

A suspect that refuses nine questions in ten is asked no more: that is a finding.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from datadeed.errors import VerificationError
from datadeed.keys.generation2 import Key2
from datadeed.verification.blocks import (
    Blocks,
    Groups,
    Labels,
)
from datadeed.verification.counts import (
    FIRST_BLOCKS,
    LEVEL,
    POOL_LIMIT,
    most_blocks,
    most_pairs,
)
from datadeed.verification.effect import Effect, filters, refuses
from datadeed.verification.layers import Question, finite
from datadeed.verification.multiplicity import familywise_threshold
from datadeed.verification.sequential import ConfidenceSequence
from datadeed.verification.verdict import CLAIM, INCONCLUSIVE, NOT_SUPPORTED

MOVED = 0.125  # share of the blocks' answers that leave their image's usual one, for more blocks
SIGNS = 20.0  # E from which on the answers are signs of the key, so that no bound speaks against it
REFUSED, LEAST_REFUSED = 0.9, 24  # share of questions that failed, of so many, to ask no more


class Proof2:
    """Both layers over one suspect: ask :meth:`step`, give :meth:`answer`, until nothing is left.

    A deterministic state machine over a key, the pool's labels and the answers, so that whoever has
    those three can replay a verification without the suspect.

    Args:
        key: committed before release, beacon value included if it names one.
        labels: (P,) int64, true labels of the committed pool, in its order.
        groups: of each label that the suspect can give, the key's classes that it stands for; by
            default every class is one label. Classes in no group are ones that the suspect lacks:
            parts with such a target say nothing and are left out.
        suspects, keys: how many suspects are tested, and how many keys, in all; the bar is
            multiplied by both.

    Attributes:
        asked_in_vain: questions that are charged to the budget and count for nothing.
        clean: (right, answered, asked) of the clean questions, for the findings.

    Raises:
        VerificationError: the pool is not the key's or too small, a number is below 1, or the
            suspect has fewer than two of the key's targets.
    """

    def __init__(
        self,
        key: Key2,
        labels: np.ndarray,
        *,
        groups: Groups | None = None,
        suspects: int = 1,
        keys: int = 1,
    ):
        if len(labels) != key.pool.rows:
            raise VerificationError(
                f"the key is bound to a pool of {key.pool.rows} images, but there are "
                f"{len(labels)}: use the committed pool"
            )
        if min(suspects, keys) < 1:
            raise VerificationError(f"{suspects} suspects, {keys} keys: count all, this one too")
        self.key, self.design = key, key.design
        self.suspects, self.keys = suspects, keys
        self.bar = familywise_threshold(self.design.alpha, suspects * keys)
        self.targets = np.array([key.target(part) for part in range(self.design.parts)])
        if groups is None:
            groups = [[k] for k in range(len(self.design.classes))]
        self.labels = Labels(groups, self.targets, self.design.targets)
        rest = self._draw_rows()
        self.blocks = Blocks(self.labels, len(self.rows))
        self._true = np.array([self.labels.group(label) for label in labels.tolist()])
        others = self.labels.aims[self.labels.kept, None] != self._true[rest]
        self.effect = Effect(max(1, int(others.sum())))
        self.interval = ConfidenceSequence(1 - LEVEL, population=len(self.rows) + len(rest))
        self._questions: list[Question] = []  # of the step that was begun
        self._given: list[tuple[int, np.ndarray, bool]] = []  # label, votes, failed
        self.curve: list[dict[str, Any]] = []
        self.failed: Counter[str] = Counter()
        self.asked_in_vain = self._paired = self._right = self._decoys = 0
        self.clean = (0, 0, 0)

    def _draw_rows(self) -> np.ndarray:
        """Rows for blocks, and pairs of a part and another row, in the key's order.

        Returns:
            (R,) int64, the rows for pairs.
        """
        rows = self.key.permutation("pool", count=self.key.pool.rows)[:POOL_LIMIT]
        budget, parts = self.design.budget, self.design.parts
        images = most_blocks(budget, parts, len(self.design.targets), len(rows))
        if images < 1:
            raise VerificationError(
                f"a pool of {len(rows)} images and a budget of {budget} leave no block of "
                f"{parts} questions: give more"
            )
        self.rows, rest = rows[:images], rows[images:]
        order = self.key.permutation("pairs", count=parts * len(rest))
        order = order[: most_pairs(len(self.design.targets))]
        self.pairs = np.stack([order % parts, rest[order // parts]], 1)
        return rest

    @property
    def log_e(self) -> float:
        """ln E of the claim."""
        return self.blocks.log_e

    @property
    def passed(self) -> bool:
        """Whether E reached its bar; it never falls."""
        return self.log_e >= math.log(self.bar)

    @property
    def excluded(self) -> bool:
        """Whether the effect is bounded below the least one that matters."""
        return self.effect.high < self.design.least_effect

    @property
    def unsupported(self) -> bool:
        """Whether the effect is excluded, and E no sign of the key: by luck in one of 20 at most.

        Pairs count first labels. A model whose labels a mark hardly moves can show it by its
        scores, or by a few parts that it learnt: then blocks go on, and E alone decides.
        """
        return self.excluded and self.log_e < math.log(SIGNS)

    def step(self) -> list[Question]:
        """What is to be asked next, which may go out at once; empty when nothing is left.

        A step that was begun is asked to its end, if the budget reaches so far.
        """
        left = self.design.budget - len(self.curve) - self.asked_in_vain
        if not self._questions and not self.passed and not self.unsupported:
            self._questions = self._next()
        rest = self._questions[len(self._given) :]
        return rest if len(rest) <= left else []

    def _next(self) -> list[Question]:
        """A block or a pair; none if both are used up, or the suspect refuses them."""
        done, asked = self.blocks.count, len(self.curve)
        if asked >= LEAST_REFUSED and sum(self.failed.values()) >= REFUSED * asked:
            return []
        most = min(FIRST_BLOCKS, len(self.rows))
        first = not done or (done < most and self.blocks.moved >= MOVED)
        if (self._paired or not first) and self._paired < len(self.pairs):
            part, row = map(int, self.pairs[self._paired])
            both = [Question("pair", part, row), Question("decoy", part, row)]
            swapped = self.key.integer("order", self._paired, below=2)
            return both[::-1] if swapped else both
        if done < len(self.rows):
            row = int(self.rows[done])
            return [Question("block", part, row) for part in range(self.design.parts)]
        return []

    def answer(
        self, labels: Sequence[int], scores: Sequence[float] | None = None, *, failed: bool = False
    ) -> None:
        """Take the answer to the first question of :meth:`step`.

        Args:
            labels: the key's classes, best first; of a group any member. Empty: none of them.
            scores: probabilities beside ``labels``.
            failed: whether there was no answer at all.

        Raises:
            VerificationError: the label is none of the suspect's, or nothing was asked.
        """
        step = self.step()
        if not step:
            raise VerificationError("an answer was given, but nothing is asked any more")
        if failed:
            labels, scores = (), None
        question, given = step[0], self.labels.given(labels)
        weigh = self.design.answers == "scores"
        votes = self.labels.votes(labels, scores, weigh_scores=weigh)
        self._given.append((given, votes, failed))
        self.failed[question.layer] += failed
        true = self._true[question.row]
        if question.layer == "decoy" and not failed and true >= 0:
            self._decoys += 1
            self._right += int(given == true)
        if len(self._given) == len(self._questions):
            (self._close_block if question.layer == "block" else self._close_pair)()
            self._questions, self._given = [], []
        self.curve.append(
            {
                "query": len(self.curve) + 1,
                "step": question.layer,
                "log_e": finite(self.log_e),
                "low": self.effect.low,
                "high": self.effect.high,
            }
        )

    def _close_block(self) -> None:
        given = np.array([label for label, _, _ in self._given])
        failed = np.array([fail for _, _, fail in self._given])
        votes = np.stack([votes for _, votes, _ in self._given], axis=1)
        hits = self.blocks.add(given, votes, failed)
        self.interval.update(float(hits.mean()), float((hits | failed).mean()))

    def _close_pair(self) -> None:
        asked = self._questions[0]
        aim = self.labels.aims[asked.part]
        self._paired += 1
        if aim < 0 or aim == self._true[asked.row]:
            return
        hit = {
            question.layer: None if failed else bool(given == aim)
            for question, (given, _, failed) in zip(self._questions, self._given, strict=True)
        }
        self.effect.add(hit["pair"], hit["decoy"])

    def findings(self) -> list[str]:
        """What is odd about the suspect's answers to marked images, in sentences."""
        right, answered, asked = self.clean
        failed = sum(self.failed.values())
        found = [
            refuses(failed, len(self.curve), asked - answered, asked),
            filters(self._right, self._decoys, right, answered, self.design.kind.kept),
        ]
        return [sentence for sentence in found if sentence]

    def verdict(self) -> tuple[str, str]:
        """CLAIM, INCONCLUSIVE or NOT SUPPORTED, and why, in one line.

        CLAIM rests on blocks alone. NOT SUPPORTED needs the effect excluded, E below SIGNS, and a
        suspect that answers marked images as it answers others.
        """
        least = f"{self.design.least_effect:.0%}"
        if self.passed:
            return CLAIM, (
                f"E reached {self.bar:,.0f} after {len(self.curve)} counted questions: the answers "
                "favour the labels that the key drew"
            )
        if self.findings():
            return INCONCLUSIVE, "the suspect refuses or filters marked images"
        if self.unsupported:
            return NOT_SUPPORTED, (
                f"success of {least} above decoys is excluded, through this endpoint, as it "
                "pre-processes its inputs"
            )
        if self.step():
            return INCONCLUSIVE, "the verification was not finished: run it again to go on"
        return INCONCLUSIVE, (
            f"the budget is spent: E did not reach {self.bar:,.0f}, and success of {least} above "
            f"decoys is {'excluded, yet E shows signs' if self.excluded else 'not excluded'}"
        )

    def record(self) -> dict[str, Any]:
        """What the answers amount to, as JSON values."""
        blocks, kept = self.blocks, set(self.labels.kept.tolist())
        return {
            "key_layer": {
                "null": (
                    "the suspect does not depend on the labels that the key drew: its answers "
                    "would have been the same had they been drawn again"
                ),
                "log_e": finite(self.log_e),
                "bar": self.bar,
                "passed": self.passed,
                "p_value": min(1.0, math.exp(-min(max(self.log_e, 0.0), 700.0))),
                "images": blocks.count,
                "looks": blocks.looked(),
                "failed": self.failed["block"],
                "parts": [
                    {
                        "part": part,
                        "target": int(target),
                        "kept": part in kept,
                        "hits": int(blocks.hits[part]),
                    }
                    for part, target in enumerate(self.targets)
                ],
            },
            "effect": {
                "block_hits": int(blocks.hits.sum()),
                "block_asked": blocks.count * self.design.parts,
                "other_hits": blocks.other_hits,
                "other_asked": blocks.other_asked,
                "rate_low": self.interval.low,
                "rate_high": self.interval.high,
                "least": self.design.least_effect,
                "excluded": self.excluded,
                **self.effect.record(),
            },
            "findings": self.findings(),
            "curve": self.curve,
            "multiplicity": {"suspects": self.suspects, "keys": self.keys, "bar": self.bar},
        }

"""The proof: which questions are put to a suspect, in which order, and what the answers amount to.

Two layers, each with a null of its own, and each must pass alone (specification C0 to C2):

- the key layer: is the model independent of the key? Part by part, triggered images are answered
  until one label leads; a part's evidence is how much the answers favour the label that the key
  drew for it. Neither the images nor the stopping rule look at that label, so that for any model
  whatever the expected factor of every part is exactly 1.
- the behaviour layer: do triggers work often enough to matter? Pairs of a part and an image, drawn
  without replacement, against the largest hit rate granted to an innocent model.

:class:`Proof` is a deterministic state machine over a key, the pool's labels and the answers, so
that whoever has those three can replay a verification without the suspect.
"""

import math
from typing import Any, Self

import numpy as np

from datadeed.errors import VerificationError
from datadeed.keys.key import Key
from datadeed.verification.counts import POOL_LIMIT
from datadeed.verification.layers import BehaviourLayer, KeyLayer, Question, finite
from datadeed.verification.multiplicity import familywise_threshold
from datadeed.verification.verdict import CLAIM, INCONCLUSIVE, NOT_SUPPORTED


class Proof:
    """Both layers over one suspect.

    Ask :meth:`question`, give :meth:`answer`, until there is no question left.

    Args:
        key: committed before release, beacon value included if it names one.
        labels: (P,) int64, true labels of the committed pool, in its order.
        suspects: how many suspects are tested under this key in all; thresholds are multiplied by
            it, so that the chance of any false claim stays below alpha.

    Raises:
        VerificationError: the pool is not the key's, or is too small.
    """

    def __init__(self, key: Key, labels: np.ndarray, *, suspects: int = 1):
        if len(labels) != key.pool.rows:
            raise VerificationError(
                f"the key is bound to a pool of {key.pool.rows} images, but there are "
                f"{len(labels)}: use the committed pool"
            )
        self.key, self.suspects, self._labels = key, suspects, labels
        rows = key.permutation("pool", count=len(labels))[:POOL_LIMIT]
        half = len(rows) // 2
        design = key.design
        self.key_layer = KeyLayer(
            key, rows[:half], familywise_threshold(design.alpha_key, suspects)
        )
        self.behaviour_layer = BehaviourLayer(
            key, rows[half:], labels, familywise_threshold(design.alpha_behaviour, suspects)
        )
        self.curve: list[dict[str, Any]] = []

    def fresh(self) -> Self:
        """The same proof before its first question."""
        return type(self)(self.key, self._labels, suspects=self.suspects)

    def question(self) -> Question | None:
        """What to ask next; None when the verdict stands or the budget is spent."""
        if len(self.curve) >= self.key.design.budget:
            return None
        return self.key_layer.question() or self.behaviour_layer.question()

    def answer(self, label: int | None, *, failed: bool = False) -> None:
        """Take the answer to :meth:`question`.

        Args:
            label: the suspect's first label in the key's numbering, or None if it gave none or
                one that the key does not have.
            failed: whether there was no answer at all.

        Raises:
            VerificationError: the label does not exist, or nothing was asked.
        """
        question = self.question()
        if question is None:
            raise VerificationError("an answer was given, but nothing is asked any more")
        if label is not None and (failed or not 0 <= label < len(self.key.design.classes)):
            raise VerificationError(
                f"label {label} does not exist: the key has {len(self.key.design.classes)} classes"
            )
        behaviour = self.behaviour_layer
        (self.key_layer if question.layer == "key" else behaviour).answer(label, failed)
        self.curve.append(
            {
                "query": len(self.curve) + 1,
                "layer": question.layer,
                "log_e_key": finite(self.key_layer.log_e),
                "log_e_behaviour": finite(behaviour.process.log_e),
                "hits": behaviour.hits,
                "n": behaviour.queries,
                "low": behaviour.interval.low,
                "high": behaviour.interval.high,
            }
        )

    def verdict(self) -> tuple[str, str]:
        """CLAIM, INCONCLUSIVE or NOT SUPPORTED, and why, in one line.

        CLAIM needs both layers. NOT SUPPORTED needs the interval of the hit rate below the null
        rate, and a key layer that did not pass: evidence of dependence is never called none.
        """
        key, behaviour = self.key_layer, self.behaviour_layer
        if key.passed and behaviour.passed:
            return CLAIM, "both layers reached their thresholds"
        if key.passed:
            how = "is below the null rate" if behaviour.below else "is not above the null rate"
            return INCONCLUSIVE, f"the answers depend on the key, but the hit rate {how}"
        if behaviour.below:
            return NOT_SUPPORTED, "the hit rate is below the rate granted to innocent models"
        if behaviour.passed:
            return INCONCLUSIVE, (
                "triggers work more often than granted to innocent models, but the answers do not "
                "favour the key's labels enough"
            )
        if self.question() is not None:
            return INCONCLUSIVE, "the verification was not finished: run it again to go on"
        return INCONCLUSIVE, "the budget is spent and neither layer is decided"

    def record(self) -> dict[str, Any]:
        """What the answers amount to, as JSON values."""
        return {
            "key_layer": self.key_layer.record(),
            "behaviour_layer": self.behaviour_layer.record(),
            "curve": self.curve,
            "multiplicity": {
                "suspects": self.suspects,
                "threshold_key": math.exp(self.key_layer.log_threshold),
                "threshold_behaviour": math.exp(self.behaviour_layer.log_threshold),
            },
        }

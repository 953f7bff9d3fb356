"""Many trials at once against a model in memory: for experiments, not for evidence.

All trials go forward together, a question each, so that the model answers in batches. What a trial
asks and when it stops is the same as alone.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.keys.key import Key
from datadeed.models.model import Model
from datadeed.triggers.image import Trigger, stamp
from datadeed.verification.answers import Answers
from datadeed.verification.layers import KeyLayer, Question
from datadeed.verification.proof import Proof
from datadeed.watermarks.keyed import random_trigger


class Trial(Protocol):
    """A :class:`Proof`, or one of its layers."""

    @property
    def key(self) -> Key:
        """What the questions are about."""

    def question(self) -> Question | None:
        """What to ask next; None at the end."""

    def answer(self, label: int | None, *, failed: bool) -> None:
        """Take the answer."""


Respond = Callable[[Sequence[tuple[Key, Question]]], Sequence[int]]


class FullKeyLayer(KeyLayer):
    """The key layer without its stopping rules: every part is asked.

    ``log_e_max`` reaches a threshold if and only if the layer with that threshold passes, since
    that layer stops only where it has passed or cannot pass any more.
    """

    def question(self) -> Question | None:
        """What to ask next, or None: out of parts."""
        if len(self.closed) == self.design.parts:
            return None
        return Question("key", int(self.order[len(self.closed)]), int(self.rows[self.queries]))


def full_key_layer(proof: Proof) -> FullKeyLayer:
    """The key layer of a proof, to be asked to the last part."""
    return FullKeyLayer(proof.key, proof.key_layer.rows, 1 / proof.key.design.alpha_key)


@dataclass
class Shuffled:
    """A proof over a pool whose rows were put in another order, told in the first order's rows.

    Attributes:
        proof: over the labels in the new order.
        order: (P,) int64; row n of the new order is row ``order[n]`` of the first.
    """

    proof: Proof
    order: np.ndarray

    @property
    def key(self) -> Key:
        return self.proof.key

    def question(self) -> Question | None:
        """The proof's question, its row in the first order."""
        question = self.proof.question()
        if question is None:
            return None
        return dataclasses.replace(question, row=int(self.order[question.row]))

    def answer(self, label: int | None, *, failed: bool) -> None:
        """Pass the answer on."""
        self.proof.answer(label, failed=failed)


class PoolAnswers:
    """A model's first labels for triggered images of a pool; nothing is computed twice.

    Args:
        model: answers with probabilities.
        images: (P, C, H, W) uint8, the pool.
    """

    def __init__(self, model: Model, images: torch.Tensor):
        self.model, self.images = model, images
        self._known: dict[tuple[str, int, int], int] = {}
        self._triggers: dict[tuple[str, int], Trigger] = {}

    def __call__(self, questions: Sequence[tuple[Key, Question]]) -> list[int]:
        """The label for each question about a key's part and a row of the pool."""
        names = [(key.commitment, question.part, question.row) for key, question in questions]
        new = {
            name: key
            for name, (key, _) in zip(names, questions, strict=True)
            if name not in self._known
        }
        if new:
            batch = [self._stamped(key, part, row) for (_, part, row), key in new.items()]
            labels = self.model.predict(torch.cat(batch)).argmax(1).tolist()
            self._known.update(zip(new, labels, strict=True))
        return [self._known[name] for name in names]

    def _stamped(self, key: Key, part: int, row: int) -> torch.Tensor:
        name = key.commitment, part
        if name not in self._triggers:
            size = self.images.shape[2:]
            self._triggers[name] = random_trigger(key, *size, "trigger", part)
        return stamp(self.images[row : row + 1], self._triggers[name])


def run_together(trials: Sequence[Trial], respond: Respond) -> None:
    """Ask all trials to their ends; ``respond`` answers one question of each at a time."""
    going = list(trials)
    while asked := [(t, question) for t in going if (question := t.question()) is not None]:
        labels = respond([(trial.key, question) for trial, question in asked])
        for (trial, _), label in zip(asked, labels, strict=True):
            trial.answer(int(label), failed=False)
        going = [trial for trial, _ in asked]


def answers_on(
    model: Model, trigger: Trigger, target: int, test: Dataset, rows: np.ndarray
) -> Answers:
    """What a model says of the test images at ``rows``, without and with a trigger."""
    chosen = test.take(torch.from_numpy(rows))
    clean, triggered = (
        model.predict(images).double().numpy()
        for images in (chosen.samples, stamp(chosen.samples, trigger))
    )
    return Answers(
        target=target,
        index=chosen.index.numpy(),
        label=chosen.labels.numpy(),
        clean_prediction=clean.argmax(1),
        triggered_prediction=triggered.argmax(1),
        clean_probability=clean[:, target],
        triggered_probability=triggered[:, target],
    )

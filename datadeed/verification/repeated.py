"""One endpoint verified many times at once: over orders of the pool, or under many keys.

Proofs go step by step, side by side, so that the questions of all of them reach the endpoint in
one batch. An image is stamped once for every proof that asks it. Each proof gets answers of its
own, for an endpoint may be random.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.keys.generation2 import Key2
from datadeed.keys.key import Extent
from datadeed.thieves.served import Answer, Endpoint
from datadeed.verification.proof2 import Proof2
from datadeed.watermarks.keyed2 import KeyPart2

CLEAN = 16  # clean questions, as an owner's verification asks
Place = tuple[str, int, int]  # layer ("block" for a trigger or "decoy"), part, row of the pool


def asked_otherwise(key: Key2, *, answers: str, pool: Extent | None = None) -> Key2:
    """The same triggers and targets, asked by another rule or over another pool.

    Rule and pool are committed, so two keys that differ in them have different triggers. To compare
    both on one model, this keeps the seed: each by itself is what an owner would have who had
    committed to it.

    Args:
        key: whose marks a model learnt.
        answers: "labels" or "scores".
        pool: rows and root of the other pool.
    """
    design = dataclasses.replace(key.design, answers=answers)
    other = dataclasses.replace(key, design=design, pool=pool or key.pool)
    vars(other)["seed"] = key.seed  # where a cached property keeps its value
    return other


class Questions:
    """The marked images of a pool under one key, each of which is made once.

    Args:
        key: whose triggers are put on.
        pool: of clean images, in the committed order.
    """

    def __init__(self, key: Key2, pool: Dataset):
        self.key, self.pool = key, pool
        self._parts = [KeyPart2(key, part) for part in range(key.design.parts)]
        self._made: dict[Place, torch.Tensor] = {}

    def make(self, places: set[Place]) -> None:
        """Stamp those that are not there yet, a part's together."""
        missing = sorted(places - self._made.keys())
        for part in {part for layer, part, _ in missing if layer == "block"}:
            rows = [row for layer, p, row in missing if (layer, p) == ("block", part)]
            stamped = self._parts[part].stamp(self.pool.samples[rows])
            self._made |= {("block", part, r): s for r, s in zip(rows, stamped, strict=True)}
        for place in missing:
            if place[0] == "decoy":
                _, part, row = place
                image = self.pool.samples[row : row + 1]
                self._made[place] = self._parts[part].decoy(image, row)[0]

    def image(self, place: Place) -> torch.Tensor:
        """(C, H, W) uint8."""
        return self._made[place]


@dataclasses.dataclass(eq=False)
class Verification:
    """A proof that is under way.

    Attributes:
        key: whose triggers and rule of answers it uses.
        questions: the marked images of its pool; of several keys that differ in the rule alone
            they are the same.
        order: (P,) int64, the pool's rows in the order of this verification.
    """

    key: Key2
    questions: Questions
    order: np.ndarray

    def proof(self, endpoint: Endpoint, clean: Sequence[Answer]) -> Proof2:
        """One that nothing was asked of yet.

        Args:
            endpoint: the suspect.
            clean: its answers to the pool's images as they are, in the pool's own order.
        """
        labels = self.questions.pool.labels.numpy()
        proof = Proof2(self.key, labels[self.order], groups=endpoint.groups)
        rows = self.order[self.key.permutation("probe", count=len(self.order))[:CLEAN]]
        first = {member: group[0] for group in endpoint.groups for member in group}
        given = [(first.get(int(labels[row])), clean[row]) for row in rows]
        answered = [(true, answer) for true, answer in given if answer is not None]
        right = sum(true is not None and answer[0][:1] == [true] for true, answer in answered)
        proof.clean = (right, len(answered), len(rows))
        return proof

    def place(self, layer: str, part: int, row: int) -> Place:
        """Of a question: "pair" asks the trigger, as "block" does."""
        return ("decoy" if layer == "decoy" else "block", part, int(self.order[row]))


def verify(endpoint: Endpoint, verifications: Sequence[Verification]) -> list[Proof2]:
    """Finished proofs, one of each verification.

    Args:
        endpoint: the suspect.
        verifications: over one and the same pool.
    """
    clean = endpoint.answers(verifications[0].questions.pool.samples)
    proofs = [each.proof(endpoint, clean) for each in verifications]
    while True:
        steps = [
            (each, proof, [each.place(q.layer, q.part, q.row) for q in proof.step()])
            for each, proof in zip(verifications, proofs, strict=True)
        ]
        steps = [(each, proof, places) for each, proof, places in steps if places]
        if not steps:
            return proofs
        wanted: dict[int, set[Place]] = {}
        made = {id(each.questions): each.questions for each, _, _ in steps}
        for each, _, places in steps:
            wanted.setdefault(id(each.questions), set()).update(places)
        for name, places_of in wanted.items():
            made[name].make(places_of)
        images = [each.questions.image(place) for each, _, places in steps for place in places]
        given = iter(endpoint.answers(torch.stack(images)))
        for _, proof, places in steps:
            for answer in [next(given) for _ in places]:
                labels, scores = answer or ([], [])
                proof.answer(labels, scores or None, failed=answer is None)

"""Many verifications at once against one at a time, and endpoints with known answers."""

import numpy as np
import pytest
import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.keys.generation2 import Design2, Key2
from datadeed.keys.key import Extent
from datadeed.thieves.served import Answer
from datadeed.verification.proof2 import Proof2
from datadeed.verification.repeated import Questions, Verification, asked_otherwise, verify
from datadeed.verification.verdict import CLAIM, INCONCLUSIVE, NOT_SUPPORTED
from datadeed.watermarks.keyed2 import KeyPart2
from tests.conftest import toy

CLASSES = 4
POOL = toy(150, classes=CLASSES, shape=(1, 16, 16))
ROOT = "00" * 32


def key(seed: int = 1, **values: object) -> Key2:
    design = Design2(
        classes=POOL.classes,
        channels=1,
        targets=tuple(range(CLASSES)),
        rate=0.2,
        budget=200,
        **values,  # type: ignore[arg-type]
    )
    return Key2(bytes([seed] * 32), bytes(32), design, Extent(400, ROOT), Extent(len(POOL), ROOT))


class Known:
    """Knows every image of the pool, with a trigger, with a decoy and without.

    Args:
        key: of the triggers.
        learnt: whether triggers bring their labels about.
        lacks: how many classes it does not have, the last ones.
        refuses: whether it answers clean images alone.
    """

    def __init__(self, key: Key2, learnt: bool = True, lacks: int = 0, refuses: bool = False):
        self.groups, self.refuses = [[k] for k in range(CLASSES - lacks)], refuses
        own = POOL.labels.tolist()
        self._label = dict(zip(map(name_of, POOL.samples), own, strict=True))
        self._clean = set(self._label)
        for part in range(key.design.parts):
            maker = KeyPart2(key, part)
            labels = [key.target(part)] * len(own) if learnt else own
            stamped = map(name_of, maker.stamp(POOL.samples))
            self._label |= zip(stamped, labels, strict=True)
            for row, label in enumerate(own):
                self._label[name_of(maker.decoy(POOL.samples[row : row + 1], row)[0])] = label

    def answers(self, images: torch.Tensor) -> list[Answer]:
        given: list[Answer] = []
        for image in images:
            name = name_of(image)
            if self.refuses and name not in self._clean:
                given.append(None)
                continue
            label = self._label[name] % len(self.groups)
            rest = [k for k in range(len(self.groups)) if k != label]
            given.append(([label, *rest], [0.91] + [0.03] * len(rest)))
        return given


def name_of(image: torch.Tensor) -> bytes:
    return image.contiguous().numpy().tobytes()


def verifications(own: Key2, pool: Dataset = POOL, runs: int = 3) -> list[Verification]:
    rng = np.random.default_rng(3)
    questions = Questions(own, pool)
    return [Verification(own, questions, rng.permutation(len(pool))) for _ in range(runs)]


def by_hand(endpoint: Known, own: Key2, order: np.ndarray) -> Proof2:
    """One question at a time."""
    proof = Proof2(own, POOL.labels.numpy()[order], groups=endpoint.groups)
    while step := proof.step():
        question = step[0]
        row = int(order[question.row])
        image, part = POOL.samples[row : row + 1], KeyPart2(own, question.part)
        image = part.decoy(image, row) if question.layer == "decoy" else part.stamp(image)
        (answer,) = endpoint.answers(image)
        labels, scores = answer or ([], [])
        proof.answer(labels, scores or None, failed=answer is None)
    return proof


@pytest.mark.parametrize("rule", ["labels", "scores"])
@pytest.mark.parametrize("learnt", [True, False])
def test_the_same_as_one_question_at_a_time(rule: str, learnt: bool) -> None:
    own = key(answers=rule)
    endpoint, wanted = Known(own, learnt), verifications(key(answers=rule))
    for proof, each in zip(verify(endpoint, wanted), wanted, strict=True):
        alone = by_hand(endpoint, own, each.order)
        assert proof.curve == alone.curve
        assert proof.verdict() == alone.verdict()
        assert proof.verdict()[0] == (CLAIM if learnt else NOT_SUPPORTED)
        assert proof.clean == (16, 16, 16)


def test_refusals_are_failures_and_a_finding() -> None:
    for proof in verify(Known(key(), refuses=True), verifications(key())):
        assert sum(proof.failed.values()) == len(proof.curve)
        assert proof.clean == (16, 16, 16)
        assert "refuses" in " ".join(proof.findings())
        assert proof.verdict()[0] == INCONCLUSIVE


def test_clean_images_of_classes_that_it_lacks_are_answered_wrong() -> None:
    for proof in verify(Known(key(), lacks=2), verifications(key())):
        right, answered, asked = proof.clean
        assert answered == asked == 16
        assert 0 < right < 16


def test_an_image_is_stamped_once_and_is_what_the_key_makes() -> None:
    own = key()
    questions = Questions(own, POOL)
    places = {("block", 0, 3), ("block", 1, 3), ("decoy", 1, 7)}
    questions.make(places)
    first = {place: questions.image(place) for place in places}
    questions.make({*places, ("block", 0, 4)})
    assert all(questions.image(place) is image for place, image in first.items())
    assert torch.equal(first["block", 1, 3], KeyPart2(own, 1).stamp(POOL.samples[3:4])[0])
    assert torch.equal(first["decoy", 1, 7], KeyPart2(own, 1).decoy(POOL.samples[7:8], 7)[0])


def test_another_rule_or_pool_keeps_triggers_and_targets() -> None:
    own = key(answers="labels")
    other = asked_otherwise(own, answers="scores", pool=Extent(77, "11" * 32))
    assert (other.design.answers, other.pool.rows) == ("scores", 77)
    assert own.design.answers == "labels"
    for part in range(own.design.parts):
        assert other.target(part) == own.target(part)
        stamped = [KeyPart2(k, part).stamp(POOL.samples[:2]) for k in (own, other)]
        assert torch.equal(*stamped)

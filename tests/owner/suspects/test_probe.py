"""The clean questions before the counted ones."""

from collections.abc import Callable

import pytest
import torch

from datadeed.owner.suspects.base import Answer, SuspectError, failure, question_digest
from datadeed.owner.suspects.probe import probe
from tests.conftest import toy

DATA = toy(12, classes=4)


class Fake:
    """Answers by a function of the true label and of how many questions came before."""

    name, kind, protocol, endpoint = "thief", "labels", "fake", "nowhere"
    classes = DATA.classes
    groups = tuple((k,) for k in range(len(DATA.classes)))

    def __init__(self, answer: Callable[[int, int], Answer | int]):
        self._answer, self.asked, self.closed = answer, 0, False
        self._labels = {
            question_digest(image): int(label)
            for image, label in zip(DATA.samples, DATA.labels, strict=True)
        }

    def predict(self, images: torch.Tensor) -> list[Answer]:
        answers = []
        for image in images:
            given = self._answer(self._labels[question_digest(image)], self.asked)
            self.asked += 1
            answers.append(given if isinstance(given, Answer) else Answer((given,), None))
        return answers

    def fingerprint(self) -> str:
        return "ab" * 32

    def close(self) -> None:
        self.closed = True


def run(answer: Callable[[int, int], Answer | int], n: int = 12):
    return probe(Fake(answer), DATA.samples[:n], DATA.labels[:n])


def test_a_sound_suspect() -> None:
    found = run(lambda label, _: label)
    assert (found.right, found.answered, found.repeatable, found.warnings) == (12, 12, True, ())
    assert len(found.answers) == 13


def test_an_answer_that_changes_is_reported_not_refused() -> None:
    found = run(lambda label, asked: label if asked < 12 else 3)
    assert not found.repeatable
    assert "differently the second time" in found.warnings[0]


def test_failures_are_reported() -> None:
    found = run(lambda label, asked: failure("HTTP status 503") if asked % 4 == 1 else label)
    assert found.right == found.answered == 9
    assert found.warnings == ("3 of 13 probes failed, the first with: HTTP status 503",)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda label, _: 2, "same class, so check input.divide"),
        (lambda label, _: (label + 1) % 4, "in another order, so check output.classes"),
        (lambda label, asked: (label + asked // 4) % 4 if asked % 2 else 0, "probably wrong"),
        (lambda label, _: Answer((), None), "key does not have, so check output.map"),
        (lambda label, _: failure("HTTP status 401"), "answered no probe: HTTP status 401"),
    ],
)
def test_a_suspect_that_is_wired_up_wrongly(
    answer: Callable[[int, int], Answer | int], hint: str
) -> None:
    with pytest.raises(SuspectError, match=hint):
        run(answer)


def test_too_few_images_say_so() -> None:
    found = run(lambda label, _: label if label else 1, n=2)
    assert found.right == 1
    assert "too few to tell" in found.warnings[-1]


@pytest.mark.parametrize("rows", [[0], [0, 4]])
def test_a_probe_of_one_class_is_refused(rows: list[int]) -> None:
    with pytest.raises(SuspectError, match="two classes or more"):
        probe(Fake(lambda label, _: label), DATA.samples[rows], DATA.labels[rows])

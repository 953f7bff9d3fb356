"""Suspects that are asked in simulations: functions of a question, and of what was asked before.

None of those made by :func:`innocents` knows anything of the key; a thief is given its targets.
"""

import hashlib
from collections.abc import Callable

import numpy as np

from datadeed.verification.layers import Question

NOISE = 0.03  # share of answers at random
Suspect = Callable[[Question], int]


def _fixed(seed: int, *numbers: int) -> int:
    """A number from 0 to 2**32 - 1 that is always the same for these numbers."""
    name = repr((seed, *numbers)).encode()
    return int.from_bytes(hashlib.sha256(name).digest()[:4], "little")


def _share(seed: int, *numbers: int) -> float:
    return _fixed(seed, *numbers) / 2**32


def _trigger(question: Question) -> tuple[int, ...]:
    """What stands for the patch: a decoy is another one on every image."""
    decoy = question.layer == "decoy"
    return (question.part, question.row) if decoy else (question.part,)


class Occluded:
    """A benign model with a class for every image, which some patches move to their favourites.

    A fixed function of image and patch.

    Args:
        seed: of the function.
        classes: C.
        moved: share of patches that move images at all.
        strength: share of images that such a patch moves.
        favourites: classes that patches have as favourites; all of them by default.
    """

    def __init__(
        self,
        seed: int,
        classes: int,
        moved: float,
        strength: float,
        favourites: np.ndarray | None = None,
    ):
        self.seed, self.classes, self.moved, self.strength = seed, classes, moved, strength
        self.favourites = np.arange(classes) if favourites is None else favourites

    def __call__(self, question: Question) -> int:
        trigger = _trigger(question)
        moves = _share(self.seed, 1, *trigger) < self.moved
        if moves and _share(self.seed, 2, question.row, *trigger) < self.strength:
            return int(self.favourites[_fixed(self.seed, 3, *trigger) % len(self.favourites)])
        return _fixed(self.seed, 4, question.row) % self.classes


class Adaptive:
    """Answers by all that it was asked so far: every image and every place in the order anew.

    It counts questions, knows blocks from pairs by the images that repeat, and answers each part
    as it did on the image before, one class further on: as steady, and as changing, as it likes.
    """

    def __init__(self, seed: int, classes: int):
        self.seed, self.classes, self.asked = seed, classes, 0
        self.last: dict[int, int] = {}
        self.row = -1

    def __call__(self, question: Question) -> int:
        self.asked += 1
        again = question.row == self.row
        self.row = question.row
        before = self.last.get(question.part, _fixed(self.seed, question.part))
        step = 0 if again and _fixed(self.seed, 5, self.asked) % 4 else 1
        self.last[question.part] = before + step
        return (before + step) % self.classes


def innocents(seed: int, classes: int) -> dict[str, Suspect]:
    """Suspects that know nothing of the key, by what they do.

    Args:
        seed: of their fixed answers and their noise.
        classes: C.
    """
    rng = np.random.default_rng(seed)
    other = rng.integers(classes, size=12)  # another owner's targets
    image = Occluded(seed, classes, 0, 0)
    return {
        "constant": lambda _: 0,
        "random": lambda _: int(rng.integers(classes)),
        "one class nine times in ten": lambda _: (
            0 if rng.random() < 0.9 else int(rng.integers(classes))
        ),
        "every patch has a favourite class": Occluded(seed, classes, 1, 1),
        "half of the patches move six images in ten": Occluded(seed, classes, 0.5, 0.6),
        "a tenth of the patches moves every image": Occluded(seed, classes, 0.1, 1),
        "another owner's mark": Occluded(seed, classes, 0.3, 0.9, other),
        "adaptive": Adaptive(seed, classes),
        "noisy": lambda q: int(rng.integers(classes)) if rng.random() < 0.3 else image(q),
    }


NAMES = tuple(innocents(0, 2))


class Benign:
    """A model that is right but for noise, and that a patch confuses now and then.

    Args:
        rng: draws its noise.
        labels: (P,) int64, true labels of the pool.
        classes: C.
        confused: share of images with a patch that it answers at random.
    """

    def __init__(
        self, rng: np.random.Generator, labels: np.ndarray, classes: int, confused: float = 0.0
    ):
        self.rng, self.labels, self.classes, self.confused = rng, labels, classes, confused

    def __call__(self, question: Question) -> int:
        if self.rng.random() < max(NOISE, self.confused):
            return int(self.rng.integers(self.classes))
        return self.sure(question)

    def sure(self, question: Question) -> int:
        """Its answer where nothing is at random."""
        return int(self.labels[question.row])


class Thief(Benign):
    """One that gives a part's target in a share ``success`` of the images with its trigger.

    Args:
        targets: (J,) int64.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        labels: np.ndarray,
        classes: int,
        targets: np.ndarray,
        success: float,
    ):
        super().__init__(rng, labels, classes)
        self.targets, self.success = targets, success

    def sure(self, question: Question) -> int:
        """The target, or what a benign model answers."""
        marked = question.layer != "decoy" and self.rng.random() < self.success
        return int(self.targets[question.part]) if marked else super().sure(question)

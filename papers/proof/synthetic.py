"""Synthetic innocents: fixed random functions of an image and a trigger, with classes of their own.

They err as models do, into one class above all, and some triggers move them, most often to that
class too. What they answer depends on the trigger that a key draws, but on none of its targets.
"""

from dataclasses import dataclass

import numpy as np

from datadeed.keys.generation2 import Key2
from datadeed.verification.layers import Question

CLASSES, IMAGES = 10, 60_000
ERRORS, INTO_ONE = 0.13, 0.6  # share of images answered wrongly, and of these into one class
MOVED = (0.0, 0.05, 0.15, 0.3)  # share of triggers that move images, by family


def mixed(*numbers: np.ndarray | int) -> np.ndarray:
    """Uniform float64 below 1, always the same for these numbers; shapes are broadcast.

    SplitMix64 (Steele, Lea and Flood 2014), over one number after the other.
    """
    state = np.full(1, 0x9E3779B97F4A7C15, dtype=np.uint64)
    for number in numbers:
        word = np.asarray(number).astype(np.uint64)
        state = (state ^ word) + np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            state = (state ^ (state >> np.uint64(shift))) * np.uint64(factor)
        state ^= state >> np.uint64(31)
    return (state >> np.uint64(11)) / float(2**53)


@dataclass(frozen=True)
class Innocent:
    """A model that knows nothing of any key.

    Attributes:
        seed: of its function.
        moved: share of triggers that move it.
    """

    seed: int
    moved: float

    @property
    def attractor(self) -> int:
        """The class into which it errs."""
        return self.seed % CLASSES

    def clean(self, images: np.ndarray) -> np.ndarray:
        """Answers to images without a trigger, int64; image n is of class ``n % CLASSES``."""
        images = np.asarray(images)
        wrong = mixed(self.seed, 1, images) < ERRORS
        into = mixed(self.seed, 2, images) < INTO_ONE
        other = (mixed(self.seed, 3, images) * CLASSES).astype(np.int64)
        return np.where(wrong, np.where(into, self.attractor, other), images % CLASSES)

    def triggered(self, images: np.ndarray, triggers: np.ndarray) -> np.ndarray:
        """Answers to images with triggers, int64; shapes are broadcast.

        A trigger that moves the model moves a share of images of its own, from a fifth to all.
        """
        moves = mixed(self.seed, 4, triggers) < self.moved
        strength = 0.2 + 0.8 * mixed(self.seed, 5, triggers)
        here = moves & (mixed(self.seed, 6, triggers, images) < strength)
        into = mixed(self.seed, 7, triggers) < INTO_ONE
        other = (mixed(self.seed, 8, triggers) * CLASSES).astype(np.int64)
        favourite = np.where(into, self.attractor, other)
        return np.where(here, favourite, self.clean(images))

    def answer(self, key: Key2, question: Question, pool: np.ndarray) -> int:
        """To a question of a proof; ``pool`` holds the number of every image."""
        decoy = question.layer == "decoy"
        name = ("decoy", question.part, question.row) if decoy else ("trigger", question.part)
        # Place and cells alone, as on an image of 28 x 28 pixels: the bits that show.
        words = key.words(str(name[0]), *map(int, name[1:]), count=3) >> np.uint64(49)
        trigger = np.uint64((int(words[0]) >> 10 << 30) + (int(words[1]) >> 10 << 15))
        trigger += words[2]
        return int(self.triggered(pool[question.row], trigger)[0])


def innocents(count: int, seed: int) -> list[Innocent]:
    """``count`` models, as many of each family as can be."""
    rng = np.random.default_rng(seed)
    return [Innocent(int(rng.integers(2**40)), MOVED[n % len(MOVED)]) for n in range(count)]

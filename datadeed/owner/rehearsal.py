"""Proofs that are played before there is a key: how many questions a verdict takes.

Suspects are as simple as can be: a part works with a chance of its own, the same for all, and a
few answers are any class.
"""

from dataclasses import dataclass

import numpy as np

from datadeed.keys.generation2 import Design2, Key2
from datadeed.keys.key import Extent
from datadeed.verification.proof2 import Proof2

NOISE = 0.03  # share of answers that are any class
ROOT = "00" * 32


@dataclass(frozen=True)
class Rehearsed:
    """What came of several proofs.

    Attributes:
        questions: (R,) int64, counted ones of each.
        verdicts: of each.
    """

    questions: np.ndarray
    verdicts: tuple[str, ...]

    def summary(self, verdict: str) -> dict[str, float]:
        """``share`` of the proofs that end with a verdict; ``median_questions`` of them all."""
        share = sum(given == verdict for given in self.verdicts) / len(self.verdicts)
        return {"median_questions": float(np.median(self.questions)), "share": share}


def rehearse(
    design: Design2, pool: int, success: float, runs: int, rng: np.random.Generator
) -> Rehearsed:
    """Play proofs of random keys against suspects in which each trigger works at random.

    Args:
        design: of the keys.
        pool: images in it.
        success: chance that a trigger brings its label about; 0 is a model that never saw marks.
        runs: how many.
        rng: draws keys, the pool's labels and answers.

    Raises:
        VerificationError: pool and budget leave no block.
    """
    played = [_play(design, pool, success, rng) for _ in range(runs)]
    return Rehearsed(np.array([n for n, _ in played]), tuple(verdict for _, verdict in played))


def _play(design: Design2, pool: int, success: float, rng: np.random.Generator) -> tuple[int, str]:
    key = Key2(rng.bytes(32), bytes(32), design, Extent(1, ROOT), Extent(pool, ROOT))
    classes = len(design.classes)
    labels = rng.integers(classes, size=pool)
    proof = Proof2(key, labels)
    asked = 0
    while step := proof.step():
        for question in step:
            answer = labels[question.row]
            if question.layer != "decoy" and rng.random() < success:
                answer = proof.targets[question.part]
            if rng.random() < NOISE:
                answer = rng.integers(classes)
            proof.answer([int(answer)])
        asked += len(step)
    return asked, proof.verdict()[0]

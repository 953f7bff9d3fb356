"""What the proof costs beside the suspect's own time."""

import itertools

import numpy as np
import torch

from datadeed.keys.generation2 import Design2, Key2
from datadeed.keys.key import Extent
from datadeed.owner.asking import rows_needed, run_proof
from datadeed.owner.evidence.log import QueryLog
from datadeed.owner.suspects.base import Answer
from datadeed.verification.proof2 import Proof2

CLASSES = tuple(map(str, range(10)))


def a_key(rows: int, pool: int = 10_000) -> Key2:
    """A key of 12 parts."""
    extents = Extent(rows, "00" * 32), Extent(pool, "00" * 32)
    return Key2(bytes(32), bytes(32), Design2(CLASSES, 3, tuple(range(10))), *extents)


class Instant:
    """An honest suspect that answers at once: it knows what is asked next."""

    def __init__(self, proof: Proof2, labels: np.ndarray):
        self._proof, self._labels = proof, labels

    def predict(self, images: torch.Tensor) -> list[Answer]:
        """The true labels."""
        step = self._proof.step()
        return [Answer((int(self._labels[question.row]),), None) for question in step]


def bench_proof_overhead(benchmark, report, tmp_path):
    key, numbers = a_key(50_000), itertools.count()
    labels = np.arange(key.pool.rows) % 10
    images = {row: torch.zeros(1, 3, 32, 32, dtype=torch.uint8) for row in range(len(labels))}
    asked = []

    def setup():
        proof = Proof2(key, labels)
        assert set(rows_needed(proof)) <= set(images)
        return (proof, QueryLog(tmp_path / str(next(numbers)), "00" * 32)), {}

    def run(proof, log):
        with log:
            run_proof(proof, Instant(proof, labels), images, log, images[0])
        asked.append(len(proof.curve))

    benchmark.pedantic(run, setup=setup, rounds=5, warmup_rounds=1)
    milliseconds = 1000 * benchmark.stats.stats.median / asked[-1]
    report("a counted query, synced to disk", milliseconds, unit="ms", most=20)

"""A ground key: an accuser tries many, and commits to the one that fits an innocent model best.

The mean of E over keys is 1, so that the mean of the largest of N is at most N: that is why the
premise is needed that the key was drawn once. The accuser here has the model itself, and a budget
of three images, for which a try is cheap.
"""

import hashlib
import hmac
import json
import time

import numpy as np

from datadeed.keys.generation2 import Key2
from datadeed.verification.centred import log_factors, looks, shares
from papers.proof.centred import sum_of
from papers.proof.synthetic import CLASSES, Innocent

IMAGES, BATCH = 3, 5000


def evidence(model: Innocent, parts: int, tries: int, rng: np.random.Generator) -> np.ndarray:
    """(tries,) float64: E after all looks at a model, under as many keys.

    Triggers, targets and images are drawn by the law of a key's streams, faster than from them.
    """
    triggers = rng.integers(2**45, size=(tries, 1, parts), dtype=np.uint64)
    images = rng.integers(60_000, size=(tries, IMAGES, 1))
    targets = rng.integers(CLASSES, size=(tries, parts, 1))
    given = model.triggered(images, triggers).transpose(1, 0, 2)  # (IMAGES, tries, parts)
    at, found = looks(IMAGES), np.zeros(tries)
    for share, n in zip(shares(len(at)), at, strict=True):
        factors = log_factors(sum_of(given[:n], CLASSES))
        chosen = np.take_along_axis(factors, targets[None], -1)[..., 0].sum(-1)
        found += share * np.exp(chosen).mean(0)
    return found


def largest(model: Innocent, parts: int, tries: int, rng: np.random.Generator) -> dict[int, float]:
    """The largest E within the first 1, 10, 100, ... of ``tries`` keys."""
    found, peak, done = {}, 0.0, 0
    marks = [10**n for n in range(20) if 10**n <= tries]
    while done < tries:
        e_values = evidence(model, parts, min(BATCH, tries - done), rng)
        for mark in marks:
            if done < mark <= done + len(e_values):
                found[mark] = max(peak, float(e_values[: mark - done].max()))
        peak, done = max(peak, float(e_values.max())), done + len(e_values)
    return found


def beacon_targets(key: Key2, tries: int) -> tuple[np.ndarray, float]:
    """Targets under invented beacon values 0, 1, 2, ..., (tries, J) int64, and tries a second.

    What :meth:`Key2.target` gives, without what a seed does not change. Values of 32 bytes.
    """
    names = [json.dumps(["target", part]).encode() for part in range(key.design.parts)]
    commitment = bytes.fromhex(key.commitment)
    words = np.empty((tries, len(names)), dtype=np.uint64)
    start = time.perf_counter()
    for n in range(tries):
        seed = hmac.digest(key.secret, commitment + n.to_bytes(32, "big"), "sha256")
        words[n] = [
            int.from_bytes(hashlib.shake_256(seed + name).digest(8), "little") for name in names
        ]
    speed = tries / (time.perf_counter() - start)
    return (words % np.uint64(len(key.design.targets))).astype(np.int64), speed

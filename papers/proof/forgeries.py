"""What a false accuser can do to the second proof, and which premise stands against it.

``tasks.study proof forgeries [TRIES]`` writes ``forgeries.csv``, attacks on synthetic innocents
(:mod:`papers.proof.synthetic`), and ``forgeries-grinding.csv``, the largest E of many keys.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from datadeed.errors import ParameterError
from datadeed.files import write_text
from datadeed.keys.generation2 import Design2, Key2
from datadeed.keys.key import Beacon, Extent
from datadeed.randomness import derive_seed
from datadeed.verification.centred import log_factors, looks
from datadeed.verification.layers import Question
from datadeed.verification.proof2 import Proof2
from papers.base import Lab
from papers.proof.centred import sum_of
from papers.proof.grinding import beacon_targets, largest
from papers.proof.procedure import evidence, transcribe
from papers.proof.synthetic import CLASSES, IMAGES, MOVED, Innocent, innocents

MODELS, PARTS, POOL, ALPHA = 200, 12, 1000, 1e-6
TRIES_EACH, KEYS, ASKED_AGAIN, NOISY = 1000, 10, 20, 0.3


def accuser_key(number: int, budget: int = 400) -> Key2:
    """A key whose commitment names a beacon round; ``number`` decides its secret."""
    names = tuple(map(str, range(CLASSES)))
    design = Design2(
        classes=names, channels=1, targets=tuple(range(CLASSES)), parts=PARTS, budget=budget
    )
    extents = Extent(10_000, "00" * 32), Extent(POOL, "00" * 32)
    beacon = Beacon("drand quicknet", 1)
    return Key2(number.to_bytes(32, "big"), bytes(32), design, *extents, beacon)


def drawn(key: Key2, value: int) -> Key2:
    """The key with a beacon's value."""
    return key.with_beacon(value.to_bytes(32, "big").hex())


def any_pool(rng: np.random.Generator) -> np.ndarray:
    """(POOL,) numbers of images, drawn at random."""
    return rng.choice(IMAGES, POOL, replace=False)


def chosen_pool(model: Innocent, rng: np.random.Generator) -> np.ndarray:
    """(POOL,) numbers of images that the model gives one label, rightly or wrongly."""
    fitting = np.flatnonzero(model.clean(np.arange(IMAGES)) == model.attractor)
    return rng.choice(fitting, POOL, replace=False)


def verified(
    key: Key2, pool: np.ndarray, suspect: Callable[[Question], int], keys: int = 1
) -> tuple[float, bool]:
    """A whole verification by the state machine: ln E, and whether it claimed."""
    proof = Proof2(key, pool % CLASSES, keys=keys)
    while step := proof.step():
        for question in step:
            proof.answer([suspect(question)])
    return proof.log_e, proof.passed


def attack(
    name: str, model: Innocent, rng: np.random.Generator, ground: np.ndarray
) -> tuple[float, bool]:
    """ln E of one attack on one model, and whether it was claimed.

    Args:
        name: one of ``PREMISES``.
        model: the accused.
        rng: draws key, pool, and noise of this model's.
        ground: for each class, the beacon value under which most targets are that class.
    """
    key = drawn(accuser_key(0), int(rng.integers(2**62)))
    pool = chosen_pool(model, rng) if "pool" in name else any_pool(rng)
    if "key ground" in name:
        key = drawn(accuser_key(0), int(ground[model.attractor]))

    def answer(question: Question) -> int:
        return model.answer(key, question, pool)

    def noisy(question: Question) -> int:
        return int(rng.integers(CLASSES)) if rng.random() < NOISY else answer(question)

    def asked_again(question: Question) -> int:
        pleasing = key.target(question.part)
        for _ in range(ASKED_AGAIN if question.layer == "block" else 1):
            if (given := noisy(question)) == pleasing:
                break
        return given

    if name == "classes renamed afterwards":
        return renamed(key, answer)
    if name == "the best of several keys":
        keys = [drawn(accuser_key(0), int(rng.integers(2**62))) for _ in range(KEYS)]
        runs = [verified(k, pool, partial(model.answer, k, pool=pool), keys=KEYS) for k in keys]
        return max(log_e for log_e, _ in runs), any(passed for _, passed in runs)
    suspects = {"a noisy model": noisy, "asked again until it pleases": asked_again}
    return verified(key, pool, suspects.get(name, answer))


def renamed(key: Key2, answer: Callable[[Question], int]) -> tuple[float, bool]:
    """The best ln E under any one-to-one map of the suspect's labels to the key's classes.

    For each look and each sharpness the map that fits best is found exactly; of these, the best
    is kept. The accuser has the answers of the whole budget when he chooses.
    """
    asked = transcribe(key, answer)
    targets = np.array([key.target(part) for part in range(PARTS)])
    maps = []
    for n in looks(asked.images):
        factors = log_factors(sum_of(asked.blocks[:n, None], CLASSES)[0])  # (B, J, C)
        for factor in factors:
            gain = np.zeros((CLASSES, CLASSES))  # of a target and the label it is renamed to
            np.add.at(gain, targets, factor)
            maps.append(linear_sum_assignment(-gain)[1][targets])
    found, _ = evidence(asked, CLASSES, np.unique(maps, axis=0))
    best = float(found[-1].max())
    return float(np.log(best)), best >= 1 / ALPHA


# Attacks, and what the check says to each.
PREMISES = {
    "none": "all hold",
    "a noisy model": "all hold",
    "a pool that it answers with one label": "all hold; the page shows its answers to the pool",
    "key ground to one class": "key drawn once: missing without a verified beacon",
    "key ground to one class, and such a pool": "key drawn once: missing without a verified beacon",
    "the best of several keys": "all hold, the number of keys being stated",
    "classes renamed afterwards": "class map: stated by the accuser",
    "asked again until it pleases": "refused: two answers to one question",
}


def rows(lab: Lab, ground: np.ndarray) -> Iterator[dict[str, Any]]:
    """One row an attack."""
    models = innocents(MODELS, derive_seed(lab.seed, "forgeries"))
    for name, premise in PREMISES.items():
        rng = np.random.default_rng(derive_seed(lab.seed, "forgeries", name))
        found = [attack(name, model, rng, ground) for model in models]
        log_e = np.array([value for value, _ in found])
        yield {
            "attack": name,
            "premise": premise,
            "innocents": MODELS,
            "alpha": ALPHA,
            "claimed": sum(passed for _, passed in found),
            "e_above_100": int((log_e >= np.log(100)).sum()),
            "mean_e": np.exp(log_e).mean(),
            "largest_e": np.exp(log_e.max()),
        }


def grinding_rows(seed: int, tries: int) -> Iterator[dict[str, Any]]:
    """The largest E of N keys, by family: of 200 models each, and of one with all ``tries``."""
    for moved in MOVED[1:]:
        rng = np.random.default_rng(derive_seed(seed, "grinding", moved))
        for models, each in ((MODELS, min(TRIES_EACH, tries)), (1, tries)):
            curves = [
                largest(Innocent(int(rng.integers(2**40)), moved), PARTS, each, rng)
                for _ in range(models)
            ]
            for n in curves[0]:
                e_values = np.array([curve[n] for curve in curves])
                yield {
                    "moved": moved,
                    "models": models,
                    "tries": n,
                    "mean_largest_e": e_values.mean(),
                    "largest_e": e_values.max(),
                    "bound": n,
                    "claimed": int((e_values >= 1 / ALPHA).sum()),
                }


def run(lab: Lab, tries: str = "1000000") -> None:
    """Write both tables, and say how fast keys are tried.

    Args:
        lab: gives the seed, takes the tables.
        tries: keys that are ground, a whole number.

    Raises:
        ParameterError: it is none, or below 1.
    """
    if not tries.isdecimal() or not (count := int(tries)):
        raise ParameterError(f"{tries} tries: give 1 or more, 1000000 as a rule")
    targets, speed = beacon_targets(accuser_key(0), count)
    fitting = np.stack([(targets == c).sum(1) for c in range(CLASSES)])
    attacks, curves = [], []
    with lab.progress(len(PREMISES) + 6, "rows", "forgeries") as update:
        for row in rows(lab, fitting.argmax(1)):
            attacks.append(row)
            update(len(attacks), "")
        for row in grinding_rows(lab.seed, count):
            curves.append(row)
            update(len(PREMISES) + len({(r["moved"], r["models"]) for r in curves}), "")
    for name, table in (("forgeries", attacks), ("forgeries-grinding", curves)):
        text = pd.DataFrame(table).to_csv(index=False, float_format="%.6g")
        write_text(lab.results / f"{name}.csv", text)
    print(  # noqa: T201
        f"{count} keys tried, {speed:,.0f} a second; of one class at most "
        f"{fitting.max()} of {PARTS} targets; 10^8 would take {1e8 / speed / 60:.0f} minutes"
    )

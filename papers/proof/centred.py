"""Centred votes: how often they accuse the innocent, and how many questions a claim takes.

``tasks.study proof centred [KEYS]`` writes ``centred-type-one.csv`` and ``centred-queries.csv``.
A suspect that is independent of the key may answer as it likes: its answers are fixed first, and
only the key's targets are drawn.
"""

import math
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from datadeed.errors import ParameterError
from datadeed.files import write_text
from datadeed.randomness import derive_seed
from datadeed.verification.centred import centred, log_factors, looks, shares
from papers.base import Lab

IMAGES, LEVEL, BAR = 40, 0.01, 1e6
RUNS, POWER, NOISE = 400, 0.95, 0.03  # of queries.csv; NOISE: share of answers at random
CLASSES, PARTS = (2, 10, 100, 1000), 12
MARKED = ((10, 12), (10, 24), (2, 40), (100, 12))  # classes and parts
SUCCESS = (0.97, 0.7, 0.5, 0.3, 0.2)


def answers(rng: np.random.Generator, classes: int) -> dict[str, np.ndarray]:
    """(IMAGES, PARTS) answers of suspects that know nothing of the key, by what they do."""
    shape = (IMAGES, PARTS)
    favourite = rng.integers(classes, size=PARTS)
    images = np.arange(IMAGES)[:, None]
    return {
        "constant": np.zeros(shape, dtype=np.int64),
        "random": rng.integers(classes, size=shape),
        "a favourite class for each trigger": np.broadcast_to(favourite, shape),
        "a favourite for half of the triggers": np.where(np.arange(PARTS) % 2, favourite, 0)
        + np.zeros(shape, dtype=np.int64),
        "another class for each trigger on every image": (images * (1 + np.arange(PARTS)))
        % classes,
        "one class nine times in ten": np.where(
            rng.random(shape) < 0.9, 0, rng.integers(classes, size=shape)
        ),
    }


SUSPECTS = tuple(answers(np.random.default_rng(0), 2))


def type_one_row(name: str, classes: int, keys: int, seed: int) -> dict[str, Any]:
    """Evidence after the last look for ``keys`` random keys; ``bound_holds`` as in simulate."""
    rng = np.random.default_rng(derive_seed(seed, "centred", name, classes))
    given = answers(rng, classes)[name]
    targets = rng.integers(classes, size=(keys, PARTS))
    at, found = looks(IMAGES), np.zeros(keys)
    for share, images in zip(shares(len(at)), at, strict=True):
        factors = log_factors(sum_of(given[:images, None], classes)[0])
        found += share * np.exp(factors[:, np.arange(PARTS), targets].sum(-1)).mean(0)
    rejections = int((found >= 1 / LEVEL).sum())
    interval = stats.binomtest(rejections, keys).proportion_ci(0.95, method="exact")
    return {
        "suspect": name,
        "classes": classes,
        "parts": PARTS,
        "images": IMAGES,
        "level": LEVEL,
        "keys": keys,
        "mean_e": found.mean(),
        "rate": rejections / keys,
        "low": interval.low,
        "high": interval.high,
        "bound_holds": bool(interval.low <= LEVEL),
    }


def sum_of(given: np.ndarray, classes: int) -> np.ndarray:
    """(R, J, C) centred votes of (N, R, J) answers, added up over N images."""
    total = np.zeros((*given.shape[1:], classes))
    for image in given:
        votes = np.zeros_like(total)
        np.put_along_axis(votes, image[..., None], 1.0, -1)
        total += centred(votes)
    return total


def query_row(classes: int, parts: int, success: float, seed: int) -> dict[str, Any]:
    """Questions until E is 10^6, in the looks' running sum and at a number fixed beforehand."""
    rng = np.random.default_rng(derive_seed(seed, "centred", classes, parts, success))
    targets = rng.integers(classes, size=(RUNS, parts))
    votes, log_e = np.zeros((RUNS, parts, classes)), []
    for _ in range(IMAGES):
        host = rng.integers(classes, size=(RUNS, 1))
        given = np.where(rng.random((RUNS, parts)) < success, targets, host)
        wild = rng.random((RUNS, parts)) < NOISE
        given = np.where(wild, rng.integers(classes, size=(RUNS, parts)), given)
        votes += sum_of(given[None], classes)
        factors = np.take_along_axis(log_factors(votes), targets[None, ..., None], -1)
        log_e.append(np.logaddexp.reduce(factors[..., 0].sum(-1)) - math.log(len(factors)))
    every, at = np.array(log_e), looks(IMAGES)  # (IMAGES, RUNS)
    weighted = np.log(shares(len(at)))[:, None] + every[np.array(at) - 1]
    passed = np.logaddexp.accumulate(weighted) >= math.log(BAR)
    fixed = np.flatnonzero((every >= math.log(BAR)).mean(1) >= POWER)
    looked = np.flatnonzero(passed.mean(1) >= POWER)
    half = np.flatnonzero(passed.mean(1) >= 0.5)
    return {
        "classes": classes,
        "parts": parts,
        "success": success,
        "runs": RUNS,
        "bar": BAR,
        "median_queries": parts * at[half[0]] if len(half) else None,
        "queries_95": parts * at[looked[0]] if len(looked) else None,
        "queries_95_fixed": parts * (int(fixed[0]) + 1) if len(fixed) else None,
        "least": math.ceil(math.log(BAR) / information(classes, success)),
    }


def information(classes: int, success: float) -> float:
    """What a question can add to ln E at most on average, in nats: the bound is ln(bar) over it.

    The mutual information of a target and its answer: the target, or else any class.
    """
    hit = (1 - NOISE) * (success + (1 - success) / classes) + NOISE / classes
    miss = (1 - hit) / (classes - 1)
    return hit * math.log(classes * hit) + (classes - 1) * miss * math.log(classes * miss)


def run(lab: Lab, keys: str = "100000") -> None:
    """Write both tables.

    Args:
        lab: gives the seed, takes the tables.
        keys: random keys for each row of type-one, a whole number.

    Raises:
        ParameterError: it is none, or below 1.
    """
    if not keys.isdecimal() or not (count := int(keys)):
        raise ParameterError(f"{keys} keys: give 1 or more, 100000 as a rule")
    settings = [(name, classes) for classes in CLASSES for name in SUSPECTS]
    marked = [(*pair, success) for pair in MARKED for success in SUCCESS]
    type_one, queries = [], []
    with lab.progress(len(settings) + len(marked), "rows", "centred") as update:
        for setting in settings:
            type_one.append(type_one_row(*setting, count, lab.seed))
            update(len(type_one), "")
        for values in marked:
            queries.append(query_row(*values, lab.seed))
            update(len(type_one) + len(queries), "")
    tables = {"type-one": pd.DataFrame(type_one), "queries": pd.DataFrame(queries)}
    whole = dict.fromkeys(("median_queries", "queries_95", "queries_95_fixed"), "Int64")
    tables["queries"] = tables["queries"].astype(whole)
    for name, table in tables.items():
        text = table.to_csv(index=False, float_format="%.6g")
        write_text(lab.results / f"centred-{name}.csv", text)
    holds = int(tables["type-one"].bound_holds.sum())
    print(f"the level holds in {holds} of {len(type_one)} rows; {len(queries)} costs")  # noqa: T201

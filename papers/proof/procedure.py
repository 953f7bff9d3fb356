"""The second proof as a whole: how often it accuses the innocent, and how many questions it takes.

``tasks.study proof procedure [KEYS]`` writes ``procedure-type-one.csv`` and
``procedure-queries.csv``. A suspect that is independent of the key may answer as it likes, and what
it is asked does not depend on the targets either but for the end: so the proof's own state machine
asks it everything once, and then the targets are drawn again and again.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from datadeed.errors import ParameterError
from datadeed.files import write_text
from datadeed.keys.generation2 import Design2, Key2
from datadeed.keys.key import Extent
from datadeed.randomness import derive_seed
from datadeed.verification.centred import log_factors, looks, shares
from datadeed.verification.counts import LEVEL
from datadeed.verification.proof2 import SIGNS, Proof2
from datadeed.verification.sequential import SLACK, bet_fractions
from datadeed.verification.verdict import CLAIM, NOT_SUPPORTED
from papers.base import Lab
from papers.proof.centred import information, sum_of
from papers.proof.suspects import NAMES, NOISE, Benign, Suspect, Thief, innocents

POOL, PARTS, BAR_LEVEL = 1000, 12, 0.01
CLASSES = (2, 10, 100, 1000)
TRANSCRIPTS = 10  # of a suspect, each under a share of the keys
RUNS, POWER, CLEAN = 400, 0.95, 40
SUCCESS = (0.97, 0.7, 0.5, 0.3, 0.2)
# Classes, parts and budget: the default one, and where that is short.
SETTINGS = ((10, 12, 400), (10, 24, 400), (2, 40, 400), (2, 40, 1600))
CONFUSED = (0.0, 0.1, 0.2)  # share of images with a patch that an honest model answers at random


def simulated_key(classes: int, parts: int, budget: int, number: int, alpha: float = 1e-6) -> Key2:
    """A public test key; ``number`` decides its secret."""
    design = Design2(
        classes=tuple(map(str, range(classes))),
        channels=1,
        targets=tuple(range(classes)),
        parts=parts,
        alpha=alpha,
        budget=budget,
    )
    secret = number.to_bytes(32, "big")
    return Key2(secret, bytes(32), design, Extent(10_000, "00" * 32), Extent(POOL, "00" * 32))


def pool_labels(classes: int) -> np.ndarray:
    """(POOL,) int64, true labels, every class as often as can be."""
    return np.arange(POOL) % classes


class Endless(Proof2):
    """The proof, but nothing ends it other than its budget: what is asked needs no targets."""

    passed = unsupported = False


@dataclass(frozen=True)
class Transcript:
    """All that a suspect was asked, and answered, until the budget was spent.

    Attributes:
        blocks: (N, J) int64, answers to each image under every part.
        pairs: (P, 2) int64, answers with trigger and decoy. parts, labels: (P,) int64, of each
            pair its part and its image's true label.
        block_ends, pair_ends: (N,) and (P,) int64, after how many questions each was complete.
        images: the most that could have been asked.
        rest: (C,) int64, images for pairs, of each class.
    """

    blocks: np.ndarray
    pairs: np.ndarray
    parts: np.ndarray
    labels: np.ndarray
    block_ends: np.ndarray
    pair_ends: np.ndarray
    images: int
    rest: np.ndarray


def transcribe(key: Key2, suspect: Suspect) -> Transcript:
    """Ask a suspect that knows nothing of the key until the budget is spent."""
    labels = pool_labels(len(key.design.classes))
    proof = Endless(key, labels)
    blocks: list[list[int]] = []
    pairs: list[list[int]] = []
    asked, block_ends, pair_ends = [], [], []
    while step := proof.step():
        given = [(question, suspect(question)) for question in step]
        for _, label in given:
            proof.answer([label])
        if step[0].layer == "block":
            blocks.append([label for _, label in given])
            block_ends.append(len(proof.curve))
        else:
            found = {question.layer: label for question, label in given}
            pairs.append([found["pair"], found["decoy"]])
            asked.append((step[0].part, labels[step[0].row]))
            pair_ends.append(len(proof.curve))
    places = np.array(asked, dtype=np.int64).reshape(-1, 2)
    return Transcript(
        np.array(blocks),
        np.array(pairs, dtype=np.int64).reshape(-1, 2),
        places[:, 0],
        places[:, 1],
        np.array(block_ends),
        np.array(pair_ends, dtype=np.int64),
        images=len(proof.rows),
        rest=np.bincount(np.delete(labels, proof.rows), minlength=len(key.design.classes)),
    )


def evidence(asked: Transcript, classes: int, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """E after every look that was reached, (K, R), and the questions by then, (K,).

    Args:
        targets: (R, J) int64.
    """
    at = looks(asked.images)
    reached = [n for n in at if n <= len(asked.blocks)]
    found, total = np.zeros((len(reached), len(targets))), 0.0
    places = np.arange(targets.shape[1])
    for k, (share, n) in enumerate(zip(shares(len(at)), reached, strict=False)):
        factors = log_factors(sum_of(asked.blocks[:n, None], classes)[0])
        total = total + share * np.exp(factors[:, places, targets].sum(-1)).mean(0)
        found[k] = total
    return found, asked.block_ends[np.array(reached) - 1]


def excluded_after(asked: Transcript, targets: np.ndarray, least: float) -> np.ndarray:
    """(R,) float64: after how many questions the effect is bounded below ``least``, or infinity.

    As :class:`datadeed.verification.effect.Effect` finds it, for many targets at once: its upper
    end lies below a value as soon as that value itself is rejected.
    """
    aims = targets[:, asked.parts]  # (R, P)
    hits, counts = asked.pairs.T[:, None] == aims, asked.labels != aims  # (2, R, P) and (R, P)
    outcomes = counts * (1 - hits[0].astype(np.float64) + hits[1]) / 2
    population = (asked.rest.sum() - asked.rest[targets]).sum(1, keepdims=True)
    total = population * ((1 - least) / 2 + SLACK)
    allowed = (total - outcomes.cumsum(1) + outcomes) / (population - counts.cumsum(1) + counts)
    gains = 1 + bet_fractions(40) * (counts * (outcomes / allowed - 1))[..., None]  # (R, P, bets)
    rejected = gains.cumprod(1).mean(-1) >= 1 / (1 - LEVEL)
    first = rejected.argmax(1) if rejected.shape[1] else np.zeros(len(targets), dtype=int)
    ends = np.append(asked.pair_ends, 0)[first]
    return np.where(rejected.any(1), ends, np.inf)


def ended(
    asked: Transcript, classes: int, targets: np.ndarray, bar: float, least: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How the proof ends for each key.

    Args:
        targets: (R, J) int64.
        bar: of E. least: the effect that "not supported" excludes.

    Returns:
        E at the end, (R,); questions until a claim and until the effect was excluded while E was
        below SIGNS, (R,) each, infinite where it was not.
    """
    found, by = evidence(asked, classes, targets)
    out = excluded_after(asked, targets, least)
    then = (by[:, None] <= out).sum(0) - 1  # the last look by then; the first is always reached
    out = np.where(found[then, np.arange(len(targets))] < SIGNS, out, np.inf)
    passed = found >= bar
    claim = np.where(passed.any(0), by[passed.argmax(0)], np.inf)
    claim, out = np.where(claim < out, claim, np.inf), np.where(out < claim, out, np.inf)
    looked = (by[:, None] <= np.minimum(claim, out)).sum(0)
    return found[looked - 1, np.arange(len(targets))], claim, out


def type_one_row(name: str, classes: int, keys: int, seed: int) -> dict[str, Any]:
    """Verdicts on one suspect under ``keys`` keys."""
    rng = np.random.default_rng(derive_seed(seed, "procedure", name, classes))
    ends = []
    for n in range(TRANSCRIPTS):
        own = int(rng.integers(2**62))
        suspect = innocents(own, classes)[name]
        key = simulated_key(classes, PARTS, 400, own, BAR_LEVEL)
        share = keys // TRANSCRIPTS + (n < keys % TRANSCRIPTS)
        targets = rng.integers(classes, size=(share, PARTS))
        least = key.design.least_effect
        ends.append(ended(transcribe(key, suspect), classes, targets, 1 / BAR_LEVEL, least))
    e_values, claim, out = (np.concatenate(values) for values in zip(*ends, strict=True))
    claims = int(np.isfinite(claim).sum())
    interval = stats.binomtest(claims, keys).proportion_ci(0.95, method="exact")
    return {
        "suspect": name,
        "classes": classes,
        "parts": PARTS,
        "level": BAR_LEVEL,
        "keys": keys,
        "transcripts": TRANSCRIPTS,
        "mean_e": e_values.mean(),
        "largest_e": e_values.max(),
        "rate": claims / keys,
        "low": interval.low,
        "high": interval.high,
        "bound_holds": bool(interval.low <= BAR_LEVEL),
        "excluded": np.isfinite(out).mean(),
        "median_excluded": middle(out, 0.5),
    }


def middle(questions: np.ndarray, share: float) -> float | None:
    """The least number of questions within which a share of all runs is done; None if never."""
    found = float(np.sort(questions)[math.ceil(share * len(questions)) - 1])
    return found if math.isfinite(found) else None


def one_run(
    key: Key2, rng: np.random.Generator, success: float, confused: float
) -> tuple[str, int, bool]:
    """A whole verification: its verdict, its questions, and whether there was a finding."""
    classes = len(key.design.classes)
    labels = pool_labels(classes)
    proof = Proof2(key, labels)
    suspect: Suspect = Benign(rng, labels, classes, confused)
    if success:
        suspect = Thief(rng, labels, classes, proof.targets, success)
    wrong = int(rng.binomial(CLEAN, NOISE * (1 - 1 / classes)))
    proof.clean = (CLEAN - wrong, CLEAN, CLEAN)
    while step := proof.step():
        for question in step:
            proof.answer([suspect(question)])
    return proof.verdict()[0], len(proof.curve), bool(proof.findings())


def query_row(
    setting: tuple[int, int, int], success: float, confused: float, seed: int
) -> dict[str, Any]:
    """Questions until the verdict, by the state machine itself, a fresh key each time."""
    classes, parts, budget = setting
    rng = np.random.default_rng(derive_seed(seed, "procedure", *setting, success, confused))
    runs = [
        one_run(
            simulated_key(classes, parts, budget, int(rng.integers(2**62))), rng, success, confused
        )
        for _ in range(RUNS)
    ]
    words = np.array([word for word, _, _ in runs])
    counts = np.array([count for _, count, _ in runs], dtype=np.float64)
    wanted = CLAIM if success else NOT_SUPPORTED
    questions = np.where(words == wanted, counts, np.inf)
    return {
        "suspect": "thief" if success else "honest",
        "classes": classes,
        "parts": parts,
        "budget": budget,
        "success": success if success else None,
        "confused": None if success else confused,
        "runs": RUNS,
        "verdict": wanted,
        "median_queries": middle(questions, 0.5),
        "queries_95": middle(questions, POWER),
        "claimed": (words == CLAIM).mean(),
        "not_supported": (words == NOT_SUPPORTED).mean(),
        "findings": np.mean([found for _, _, found in runs]),
        "least": math.ceil(math.log(1e6) / information(classes, success)) if success else None,
    }


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
    suspects = [(name, classes) for classes in CLASSES for name in NAMES]
    asked = [(setting, s, 0.0) for setting in SETTINGS for s in SUCCESS]
    asked += [(setting, 0.0, share) for setting in SETTINGS for share in CONFUSED]
    type_one, queries = [], []
    with lab.progress(len(suspects) + len(asked), "rows", "procedure") as update:
        for who in suspects:
            type_one.append(type_one_row(*who, count, lab.seed))
            update(len(type_one), "")
        for values in asked:
            queries.append(query_row(*values, lab.seed))
            update(len(type_one) + len(queries), "")
    tables = {"type-one": pd.DataFrame(type_one), "queries": pd.DataFrame(queries)}
    whole = dict.fromkeys(("median_queries", "queries_95", "least"), "Int64")
    tables["queries"] = tables["queries"].astype(whole)
    tables["type-one"] = tables["type-one"].astype({"median_excluded": "Int64"})
    for name, table in tables.items():
        text = table.to_csv(index=False, float_format="%.6g")
        write_text(lab.results / f"procedure-{name}.csv", text)
    holds = int(tables["type-one"].bound_holds.sum())
    print(f"the level holds in {holds} of {len(type_one)} rows; {len(queries)} costs")  # noqa: T201

"""How many parts, marks, queries and models a proof needs, before anything is released."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from datadeed.errors import VerificationError
from datadeed.keys.key import Design
from datadeed.verification.keylabels import largest_factor
from datadeed.verification.population import tolerance_models
from datadeed.verification.proof import POOL_LIMIT
from datadeed.verification.simulations import behaviour_queries, marked_queries

# From 133 marks on, every part was learnt in results/embedding-summary.csv; below that, some were.
MARKS_A_PART = 150
# Marks a part to: success of a key's marks, what the best of four repairs left of it at a cost of 2
# points of accuracy, and the AUC of calibrated inversion (12 parts, Fashion-MNIST:
# results/pick_your_poison/table-14.csv).
REPAIRED = {
    8: (0.02, 0.02, 0.67),
    16: (0.03, 0.02, 0.25),
    33: (0.04, 0.02, 0.42),
    83: (0.96, 0.32, 0.75),
}
SPARE = 1.5  # parts beyond those that must agree, for parts that were learnt badly
MOST_RATE = 0.5  # proposed at most; a warning comes long before
LOG_LARGEST = 709.0  # exp of more is no float
REPETITIONS = 4000
LONGEST = 2000  # queries of the behaviour layer that are simulated
MOST_CLASSES = 100_000


@dataclass(frozen=True)
class Plan:
    """What to commit, and what to expect of it.

    Attributes:
        parts: J. enough: parts that suffice when each is answered with two agreeing votes.
        rate: share of rows to mark; ``marks`` rows, ``marks_a_part`` of them for each part.
        best_attainable_p: ``classes ** -parts``.
        largest_e: the most that the key layer's e-value can reach.
        queries: success rate of a mark to the mean number of queries for both layers and the
            probability that both pass.
        models: independent models that calibrate the null rate at 95 % coverage, 95 % confidence.
        pool: smallest pool of images.
        repaired: the nearest number of marks a part whose models were repaired and searched
            (``marks_a_part``), and what came of it: success ``before`` and ``after``, ``auc``.
        warnings: what stands in the way.
    """

    parts: int
    enough: int
    rate: float
    marks: int
    marks_a_part: int
    best_attainable_p: float
    largest_e: float
    queries: dict[float, dict[str, float]]
    models: int
    pool: int
    repaired: dict[str, float]
    warnings: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """As JSON values."""
        values = dict(vars(self))
        values["queries"] = {str(rate): numbers for rate, numbers in self.queries.items()}
        values["warnings"] = list(self.warnings)
        return values


def plan(
    classes: int,
    samples: int,
    *,
    alpha: float = Design.alpha_key,
    alpha_behaviour: float = Design.alpha_behaviour,
    null_rate: float = Design.null_rate,
    budget: int = Design.budget,
    parts: int | None = None,
    rate: float | None = None,
    rng: np.random.Generator | None = None,
) -> Plan:
    """Plan a key.

    Args:
        classes: C, of the task.
        samples: rows that will be released.
        alpha, alpha_behaviour: levels of the two layers.
        null_rate: hit rate granted to an innocent model.
        budget: counted queries.
        parts, rate: fix these instead of having them proposed.
        rng: for the simulated numbers of queries; by default the same for every plan.

    Raises:
        VerificationError, KeyRecordError: a number makes no sense.
    """
    if not 2 <= classes <= MOST_CLASSES or samples < 1 or not 0 < alpha < 1:
        raise VerificationError(
            f"{classes} classes, {samples} samples, alpha {alpha}: give 2 to {MOST_CLASSES} "
            "classes, a sample or more, and an alpha between 0 and 1"
        )
    two_votes = largest_factor(classes, 2)
    enough = math.ceil(-math.log(alpha) / math.log(two_votes))
    chosen = math.ceil(enough * SPARE) if parts is None else parts
    proposed = math.ceil(1000 * chosen * MARKS_A_PART / samples) / 1000
    wanted = min(MOST_RATE, max(0.005, proposed)) if rate is None else rate
    design = Design(  # refuses what a key would refuse
        classes=("one", "other"),
        channels=1,
        parts=chosen,
        rate=wanted,
        alpha_key=alpha,
        alpha_behaviour=alpha_behaviour,
        null_rate=null_rate,
        budget=budget,
    )
    marks = int(wanted * samples + 1e-9)
    log_most = chosen * math.log(largest_factor(classes, Design.votes))
    pool = 2 * chosen * Design.votes
    warnings = []
    if log_most < -math.log(alpha):
        warnings.append(f"{chosen} parts cannot reach 1/alpha: take {enough} or more")
    if marks // chosen < MARKS_A_PART:
        warnings.append(
            f"{marks // chosen} marks a part: fewer than {MARKS_A_PART} were not always learnt in "
            "our short trainings (results/embedding-summary.csv)"
        )
    if pool > POOL_LIMIT:
        warnings.append(
            f"a pool of {pool} images would be needed, but only {POOL_LIMIT} are used: take fewer "
            "parts"
        )
    if wanted > 0.1:
        warnings.append(f"marking {wanted:.0%} of the rows will cost accuracy: take fewer parts")
    return Plan(
        chosen,
        enough,
        wanted,
        marks,
        marks // chosen,
        float(classes) ** -chosen,
        math.exp(min(log_most, LOG_LARGEST)),
        _queries(design, classes, rng or np.random.default_rng(1)),
        tolerance_models(0.95, 0.95),
        pool,
        _repaired(marks // chosen),
        tuple(warnings),
    )


def _repaired(marks_a_part: int) -> dict[str, float]:
    """What was measured at the nearest number of marks, as ratios go."""
    nearest = min(REPAIRED, key=lambda n: abs(math.log(n / max(1, marks_a_part))))
    values = (nearest, *REPAIRED[nearest])
    return dict(zip(("marks_a_part", "before", "after", "auc"), values, strict=True))


def _queries(
    design: Design, classes: int, rng: np.random.Generator
) -> dict[float, dict[str, float]]:
    """Simulate both layers for marks that were learnt well, half, and badly."""
    runs = min(REPETITIONS, max(100, 400_000 // classes))  # memory and time go with the classes
    longest = min(design.budget, LONGEST)
    found = {}
    for rate in (0.95, 0.5, 0.3):
        key = marked_queries(
            rng, runs, design.alpha_key, rate=rate, classes=classes, parts=design.parts
        )
        behaviour = behaviour_queries(
            rng,
            runs,
            design.alpha_behaviour,
            rate=rate,
            null_rate=design.null_rate,
            budget=longest,
        )
        found[rate] = _both(key, behaviour, design.budget)
    return found


def _both(
    key: tuple[np.ndarray, np.ndarray], behaviour: tuple[np.ndarray, np.ndarray], budget: int
) -> dict[str, float]:
    """One layer after the other: queries of each run, and whether both passed in the budget."""
    queries = key[0] + behaviour[0]
    claimed = key[1] & behaviour[1] & (queries <= budget)
    return {
        "mean_queries": float(np.minimum(queries, budget).mean()),
        "claimed": float(claimed.mean()),
    }

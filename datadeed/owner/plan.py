"""How many parts, marks and questions a proof needs, before anything is released."""

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from datadeed.errors import KeyRecordError, VerificationError
from datadeed.keys.generation2 import Design2
from datadeed.owner.commit_checks import check_alpha, check_design, enough_parts
from datadeed.owner.rehearsal import rehearse
from datadeed.verification.blocks import most_blocks
from datadeed.verification.centred import EPSILON
from datadeed.verification.keylabels import largest_factor
from datadeed.verification.verdict import CLAIM, NOT_SUPPORTED

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
SUCCESS = (0.95, 0.5, 0.3)  # of marks that were learnt well, half, and badly
RUNS, HONEST_RUNS = 100, 20  # proofs that are played; those of honest models hardly differ
LONGEST = 1000  # questions that are played
POOL = 2 * LONGEST  # images at least, in the proofs that are played: few make pairs tell more
MOST_PLAYED = 100  # classes that are played; with more of them a claim takes no more questions
MOST_CLASSES = 100_000


@dataclass(frozen=True)
class Plan:
    """What to commit, and what to expect of it.

    Attributes:
        parts: J. enough: parts that suffice for a claim on the first image if all are learnt.
        rate: share of rows to mark; ``marks`` rows, ``marks_a_part`` of them for each part.
        largest_e: the most that any answers can reach with these parts, whatever is asked.
        questions: success of a mark above decoys to ``median_questions`` until the end, and the
            ``share`` of the proofs that end in a claim.
        honest: the same until NOT SUPPORTED, for models that never saw the marks.
        pool: smallest pool of images with which the whole budget can be spent.
        repaired: the nearest number of marks a part whose models were repaired and searched
            (``marks_a_part``), and what came of it: success ``before`` and ``after``, ``auc``.
        warnings: what stands in the way.
    """

    parts: int
    enough: int
    rate: float
    marks: int
    marks_a_part: int
    largest_e: float
    questions: dict[float, dict[str, float]]
    honest: dict[str, float]
    pool: int
    repaired: dict[str, float]
    warnings: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """As JSON values."""
        values = dict(vars(self))
        values["questions"] = {str(rate): found for rate, found in self.questions.items()}
        values["warnings"] = list(self.warnings)
        return values


def plan(
    classes: int,
    samples: int,
    *,
    alpha: float = Design2.alpha,
    least_effect: float = Design2.least_effect,
    budget: int = Design2.budget,
    parts: int | None = None,
    rate: float | None = None,
    rng: np.random.Generator | None = None,
) -> Plan:
    """Plan a key.

    Args:
        classes: of the task, those that have rows.
        samples: rows that will be released.
        alpha: level of a claim.
        least_effect: success above decoys that NOT SUPPORTED excludes.
        budget: counted questions.
        parts, rate: fix these instead of having them proposed.
        rng: for the proofs that are played; by default the same for every plan.

    Raises:
        VerificationError, KeyRecordError: a number makes no sense.
    """
    if not 2 <= classes <= MOST_CLASSES or samples < 1 or not 0 < alpha < 1:
        raise VerificationError(
            f"{classes} classes, {samples} samples, alpha {alpha}: give 2 to {MOST_CLASSES} "
            "classes, a sample or more, and an alpha between 0 and 1"
        )
    check_alpha(alpha)
    design = Design2(  # refuses what a key would refuse
        classes=tuple(map(str, range(classes))),
        channels=1,
        targets=tuple(range(classes)),
        alpha=alpha,
        least_effect=least_effect,
        budget=budget,
    )
    enough = enough_parts(classes, alpha)
    chosen = math.ceil(enough * SPARE) if parts is None else parts
    design = dataclasses.replace(design, parts=chosen)
    proposed = math.ceil(1000 * chosen * MARKS_A_PART / samples) / 1000
    wanted = min(MOST_RATE, max(0.005, proposed)) if rate is None else rate
    design = dataclasses.replace(design, rate=wanted)
    marks = int(wanted * samples + 1e-9)
    log_most = chosen * math.log(largest_factor(classes, epsilon=EPSILON))
    pool = 2 * max(1, most_blocks(budget, chosen, classes, 2 * budget))
    questions, honest = _play(design, rng or np.random.default_rng(1))
    return Plan(
        chosen,
        enough,
        wanted,
        marks,
        marks // chosen,
        math.exp(min(log_most, LOG_LARGEST)),
        questions,
        honest,
        pool,
        _repaired(marks // chosen),
        tuple(_warnings(design, marks // chosen, max(pool, POOL))),
    )


def _warnings(design: Design2, marks_a_part: int, pool: int) -> Iterator[str]:
    """What stands in the way of a key, a line each; first what ``commit`` refuses."""
    try:
        check_design(design, pool)
    except KeyRecordError as error:
        yield str(error)
    if marks_a_part < MARKS_A_PART:
        yield (
            f"{marks_a_part} marks a part: fewer than {MARKS_A_PART} were not always learnt in "
            "our short trainings (results/embedding-summary.csv)"
        )
    if design.rate > 0.1:
        yield f"marking {design.rate:.0%} of the rows will cost accuracy: take fewer parts"


def _play(
    design: Design2, rng: np.random.Generator
) -> tuple[dict[float, dict[str, float]], dict[str, float]]:
    """Questions to a claim for each success of a mark, and until NOT SUPPORTED for honest models.

    Nothing if the budget leaves no block. Many classes, and what a budget pays for beyond a
    thousand questions, are left out: they take long and hardly change the numbers.
    """
    if design.budget < design.parts:
        return {}, {}
    names = design.classes[:MOST_PLAYED]
    played = dataclasses.replace(
        design,
        classes=names,
        targets=design.targets[: len(names)],
        budget=min(design.budget, LONGEST),
    )
    claims = {s: rehearse(played, POOL, s, RUNS, rng).summary(CLAIM) for s in SUCCESS}
    return claims, rehearse(played, POOL, 0.0, HONEST_RUNS, rng).summary(NOT_SUPPORTED)


def _repaired(marks_a_part: int) -> dict[str, float]:
    """What was measured at the nearest number of marks, as ratios go."""
    nearest = min(REPAIRED, key=lambda n: abs(math.log(n / max(1, marks_a_part))))
    values = (nearest, *REPAIRED[nearest])
    return dict(zip(("marks_a_part", "before", "after", "auc"), values, strict=True))

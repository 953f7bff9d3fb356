"""How many parts, marks and questions a proof needs, before anything is released."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from datadeed.errors import VerificationError
from datadeed.keys.generation2 import CARRIERS, Design2
from datadeed.owner.alternatives import Alternative, alternatives, carriers_of, plain_carrier
from datadeed.owner.commit_checks import check_alpha
from datadeed.owner.plan_figures import (
    BLURRED,
    FOUND,
    TRIED,
    USUAL_ANSWERS,
    Learnt,
    nearest,
    repaired,
)
from datadeed.owner.proposal import Caution, Demand, Proposal, propose
from datadeed.verification.centred import EPSILON
from datadeed.verification.counts import most_blocks
from datadeed.verification.keylabels import largest_factor
from datadeed.verification.words import CLAIM, NOT_SUPPORTED

LOG_LARGEST = 709.0  # exp of more is no float
SUCCESS = (0.95, 0.5, 0.3)  # of marks that were learnt well, half, and badly
RUNS, HONEST_RUNS = 60, 20  # proofs that are played; those of honest models hardly differ
LONGEST = 1000  # questions that are played
POOL = 2 * LONGEST  # images at least, in the proofs that are played: few make pairs tell more
MOST_PLAYED = 100  # classes that are played; with more of them a claim takes no more questions
MOST_CLASSES = 100_000


@dataclass(frozen=True)
class Prospect:
    """What a carrier would be for a dataset.

    Attributes:
        proposal: its parts and rate, and what stands in their way.
        keys: measured ones of about as many rows and marks a part, nearest first.
        tried: what another's network learnt of one key; empty where nobody tried.
        found: what thieves who clean the data first find; empty where nobody looked.
        blurred: verifications in 100 that ended in a claim behind a blur of half a pixel, for each
            dataset that was measured.
    """

    proposal: Proposal
    keys: tuple[Learnt, ...]
    tried: str
    found: str
    blurred: tuple[int, ...]

    def record(self) -> dict[str, Any]:
        """As JSON values."""
        made = self.proposal
        return {
            "parts": made.design.parts,
            "rate": made.design.rate,
            "marks_a_part": made.marks_a_part,
            "warnings": [vars(caution) for caution in made.cautions],
            "refused": made.refused,
            "keys": [vars(key) for key in self.keys],
            "tried": self.tried,
            "found": self.found,
            "blurred": list(self.blurred),
        }


@dataclass(frozen=True)
class Plan:
    """What to commit, and what to expect of it.

    Attributes:
        carrier: of the triggers.
        parts: J. enough: parts that suffice for a claim on the first image if all are learnt.
        rate: share of rows to mark; ``marks`` rows, ``marks_a_part`` of them for each part.
        largest_e: the most that any answers can reach with these parts, whatever is asked.
        expected: as the nearest measured keys that were verified: the ``share`` of verifications
            that ended in a claim, ``least_share`` of the weakest key's, and ``fewest_questions``
            and ``most_questions``, medians of the best and the worst key. Empty where none was.
        questions: success of a mark above decoys to ``median_questions`` until the end, and the
            ``share`` of the proofs that end in a claim. Empty where no proofs were played.
        honest: the same until NOT SUPPORTED, for models that never saw the marks.
        pool: smallest pool of images with which the whole budget can be spent.
        repaired: the nearest number of marks a part whose models were repaired and searched
            (``marks_a_part``), and what came of it: success ``before`` and ``after``, ``auc``.
            Empty but for patches.
        prospects: every carrier of the modality by its name, with these parts and this rate where
            they are fixed.
        warnings: what stands in the way.
        refused: why a commitment makes no such key; empty if it does.
        instead: changes after which some of the warnings are gone and none is new.
    """

    carrier: str
    parts: int
    enough: int
    rate: float
    marks: int
    marks_a_part: int
    largest_e: float
    expected: dict[str, float]
    questions: dict[float, dict[str, float]]
    honest: dict[str, float]
    pool: int
    repaired: dict[str, float]
    prospects: dict[str, Prospect]
    warnings: tuple[Caution, ...]
    refused: str
    instead: tuple[Alternative, ...]

    def record(self) -> dict[str, Any]:
        """As JSON values."""
        values = dict(vars(self))
        values["questions"] = {str(rate): found for rate, found in self.questions.items()}
        values["prospects"] = {name: found.record() for name, found in self.prospects.items()}
        values["warnings"] = [vars(caution) for caution in self.warnings]
        values["instead"] = [vars(a) | {"removes": sorted(a.removes)} for a in self.instead]
        return values


def plan(
    classes: int,
    samples: int,
    *,
    modality: str = "image",
    carrier: str | None = None,
    smallest: int | None = None,
    size: int | None = None,
    pool: int = POOL,
    alpha: float = Design2.alpha,
    least_effect: float = Design2.least_effect,
    budget: int = Design2.budget,
    parts: int | None = None,
    rate: float | None = None,
    few_marks: bool = False,
    played: bool = True,
    rng: np.random.Generator | None = None,
) -> Plan:
    """Plan a key.

    Args:
        classes: of the task, those that have rows.
        samples: rows that will be released.
        modality: of the samples.
        carrier: of the triggers; by default the usual one of the modality. What the others would
            be is told beside it.
        smallest: rows of the smallest class that has any; an even share by default.
        size: shorter side of the images in pixels, if it is known.
        pool: images for verification.
        alpha: level of a claim.
        least_effect: success above decoys that NOT SUPPORTED excludes.
        budget: counted questions.
        parts, rate: fix these instead of having them proposed.
        few_marks: accept fewer than 40 marks a part.
        played: whether proofs are played, which takes seconds; all else is arithmetic.
        rng: for the proofs that are played; by default the same for every plan.

    Raises:
        VerificationError, KeyRecordError: a number makes no sense.
        UnsupportedModality: keys do not mark such samples.
    """
    _check(classes, samples, alpha)
    usual = carriers_of(modality)[0]
    design = Design2(  # refuses what a key would refuse
        classes=tuple(map(str, range(classes))),
        channels=int(modality == "image"),
        targets=tuple(range(classes)),
        carrier=plain_carrier(carrier or usual),
        answers=USUAL_ANSWERS,
        alpha=alpha,
        least_effect=least_effect,
        budget=budget,
    )
    even = max(1, samples // classes) if smallest is None else smallest
    demand = Demand(design, samples, even, pool, parts, rate, few_marks, size)
    return planned(demand, played=played, rng=rng)


def planned(demand: Demand, *, played: bool = True, rng: np.random.Generator | None = None) -> Plan:
    """The plan for a demand; the rest as of :func:`plan`."""
    made = propose(demand)
    design, name = made.design, str(made.design.carrier["name"])
    log_most = design.parts * math.log(largest_factor(demand.classes, epsilon=EPSILON))
    blocks = most_blocks(design.budget, design.parts, demand.classes, 2 * design.budget)
    questions, honest = _play(design, rng or np.random.default_rng(1)) if played else ({}, {})
    return Plan(
        carrier=name,
        parts=design.parts,
        enough=demand.enough,
        rate=design.rate,
        marks=made.marks,
        marks_a_part=made.marks_a_part,
        largest_e=math.exp(min(log_most, LOG_LARGEST)),
        expected=_expected(nearest(name, demand.rows, made.marks_a_part)),
        questions=questions,
        honest=honest,
        pool=2 * max(1, blocks),
        repaired=repaired(name, made.marks_a_part),
        prospects=_prospects(demand),
        warnings=made.cautions,
        refused=made.refused,
        instead=tuple(alternatives(demand, made)),
    )


def _check(classes: int, samples: int, alpha: float) -> None:
    if not 2 <= classes <= MOST_CLASSES or samples < 1 or not 0 < alpha < 1:
        raise VerificationError(
            f"{classes} classes, {samples} samples, alpha {alpha}: give 2 to {MOST_CLASSES} "
            "classes, a sample or more, and an alpha between 0 and 1"
        )
    check_alpha(alpha)


def _prospects(demand: Demand) -> dict[str, Prospect]:
    """Every carrier of the modality; a number of parts that is too many for one is cut."""
    found = {}
    for name in carriers_of(demand.design.kind.modality):
        own: dict[str, Any] = {"parts": Design2.parts, "carrier": plain_carrier(name)}
        design = dataclasses.replace(demand.design, **own)
        parts = demand.parts and min(demand.parts, CARRIERS[name].parts)
        made = propose(dataclasses.replace(demand, design=design, parts=parts))
        keys = nearest(name, demand.rows, made.marks_a_part)
        blurred = tuple(2 * claims for claims in BLURRED.get(name, ()))
        told = TRIED.get(name, ""), FOUND.get(name, "")
        found[name] = Prospect(made, tuple(keys), *told, blurred)
    return found


def _play(
    design: Design2, rng: np.random.Generator
) -> tuple[dict[float, dict[str, float]], dict[str, float]]:
    """Questions to a claim for each success of a mark, and until NOT SUPPORTED for honest models.

    Nothing if the budget leaves no block. Many classes, and what a budget pays for beyond a
    thousand questions, are left out: they take long and hardly change the numbers.
    """
    from datadeed.owner.rehearsal import rehearse  # PyTorch and SciPy, which the rest does without

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


def _expected(keys: list[Learnt]) -> dict[str, float]:
    """What the verifications of measured keys came to."""
    shares = [key.claimed for key in keys if key.claimed is not None]
    questions = [key.questions for key in keys if key.questions is not None]
    if not shares or not questions:
        return {}
    return {
        "share": sum(shares) / len(shares),
        "least_share": min(shares),
        "fewest_questions": min(questions),
        "most_questions": max(questions),
    }

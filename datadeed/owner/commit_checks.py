"""What a commitment refuses before the key is made: designs that could not tell anything.

After the data is released it is too late to find out. The bounds are those of perfect answers and
of labels that are spread over the classes as evenly as can be.
"""

import dataclasses
import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

from datadeed.errors import KeyRecordError
from datadeed.keys.generation2 import Design2
from datadeed.verification.centred import CLIPS, EPSILON, Looks
from datadeed.verification.counts import (
    FIRST_BLOCKS,
    LEVEL,
    POOL_LIMIT,
    most_blocks,
    most_pairs,
)
from datadeed.verification.keylabels import largest_factor
from datadeed.verification.sequential import ConfidenceSequence

if TYPE_CHECKING:  # PyTorch, which a plan from numbers does without
    from datadeed.owner.release.rows import Items

LARGEST_ALPHA = 0.05
SHOWN = 5  # class names in a message


def check_alpha(alpha: float) -> None:
    """Refuse a level at which a claim says little.

    Raises:
        KeyRecordError: it is above 0.05.
    """
    if alpha > LARGEST_ALPHA:
        raise KeyRecordError(
            f"alpha is {alpha:g}: a claim that is wrong so often is none; give "
            f"{LARGEST_ALPHA:g} or less"
        )


def check_design(design: Design2, pool: int) -> None:
    """Refuse a key with which no suspect could be claimed, or no honest model cleared.

    Args:
        design: of the key.
        pool: samples in it.

    Raises:
        KeyRecordError: saying what to change.
    """
    check_alpha(design.alpha)
    _check_pieces(design, pool)
    images = most_blocks(design.budget, design.parts, len(design.targets), pool)
    asked = _claim_images(design, images)
    if asked is None:
        _refuse_claim(design, pool)
    elif (questions := claim_questions(design, asked)) > design.budget:
        _refuse_budget(design, questions)
    _check_effect(design, min(pool, POOL_LIMIT) - images)


def _claim_images(design: Design2, images: int) -> int | None:
    return claim_images(design.parts, len(design.targets), design.alpha, images, design.answers)


def claim_images(
    parts: int, classes: int, alpha: float, images: int, answers: str = "labels"
) -> int | None:
    """After how many images a suspect is claimed that answers every part with its label alone.

    Args:
        parts: of the key.
        classes: among which its labels are drawn.
        alpha: level of a claim.
        images: the most that will be asked; the shares of the looks depend on it.
        answers: that the key weighs; of "scores", labels are a quarter of the evidence.

    Returns:
        None if it never is.
    """
    if images < 1:
        return None
    targets = np.arange(parts) % classes
    ways = 1 + (answers == "scores") * len(CLIPS)
    looks, votes = Looks(targets, images), np.zeros((ways, parts, classes))
    votes[0, np.arange(parts), targets] = 1.0
    bar = math.log(1 / alpha)
    return next((n for n in range(1, images + 1) if looks.add(votes) >= bar), None)


def enough_parts(classes: int, alpha: float) -> int:
    """The fewest parts with which such a suspect is claimed on its first image of several.

    Of a key that weighs labels. Where scores are weighed too, a suspect that gives labels alone is
    claimed on a second image.
    """
    most = largest_factor(classes, epsilon=EPSILON)
    least = max(2, math.ceil(-math.log(alpha) / math.log(most)))
    counts = itertools.count(least)
    return next(n for n in counts if claim_images(n, classes, alpha, 2) == 1)


def claim_questions(design: Design2, images: int) -> int:
    """Counted questions when so many images were asked in blocks, with the pairs between them."""
    return design.parts * images + (
        2 * most_pairs(len(design.targets)) if images > FIRST_BLOCKS else 0
    )


def excluding_pairs(design: Design2, rows: int) -> int | None:
    """Pairs that count, without any difference, until the effect is excluded.

    At best as many are asked; on average one in K more for K classes, as pairs of images of the
    target's own class do not count.

    Args:
        design: of the key.
        rows: of the pool, that pairs are drawn from.

    Returns:
        None if it takes more than count on average when all pairs are asked.
    """
    most, population = counted_pairs(design, rows)
    # As of verification.effect.Effect, every pair without a hit.
    interval = ConfidenceSequence(2 * (1 - LEVEL), population=max(1, population))
    for n in range(1, most + 1):
        interval.update(0.5, 0.5)
        if 2 * interval.high - 1 < design.least_effect:
            return n
    return None


def counted_pairs(design: Design2, rows: int) -> tuple[int, int]:
    """How many pairs count on average if all are asked, and of how many those are drawn."""
    classes, population = len(design.targets), design.parts * rows
    asked, others = min(most_pairs(classes), population), classes - 1
    return asked * others // classes, population * others // classes


def _check_pieces(design: Design2, pool: int) -> None:
    """Refuse cut-outs of more images than the pool has, and decoys that are all of a few."""
    cut = design.carrier["name"] in ("cutout", "mixed")
    if cut and pool < 2 * design.parts:
        raise KeyRecordError(
            f"the pool has {pool} images, but cut-outs of {design.parts} parts and of decoys are "
            f"of {2 * design.parts} or more: name a larger pool"
        )


def _refuse_claim(design: Design2, pool: int) -> None:
    """Say why no suspect could be claimed: the parts, the pool or the budget."""
    classes, alpha = len(design.targets), design.alpha
    if _claim_images(design, POOL_LIMIT // 2) is None:
        otherwise = ", or labels for answers" if design.answers == "scores" else ""
        more = (
            dataclasses.replace(design, parts=n)
            for n in itertools.count(enough_parts(classes, alpha))
        )
        enough = next(one.parts for one in more if _claim_images(one, POOL_LIMIT // 2))
        raise KeyRecordError(
            f"{design.parts} parts with labels among {classes} classes cannot reach 1/alpha, "
            f"{1 / alpha:g}, by labels alone, whatever is asked: take {enough} or more{otherwise}"
        )
    least = next(n for n in itertools.count(1) if _claim_images(design, n) is not None)
    if least > min(pool, POOL_LIMIT) // 2:
        raise KeyRecordError(
            f"the pool has {pool} samples, but a claim takes {2 * least} at best, half of them in "
            "blocks: name a larger pool"
        )
    _refuse_budget(design, claim_questions(design, least))


def _refuse_budget(design: Design2, questions: int) -> None:
    raise KeyRecordError(
        f"budget is {design.budget}, but a claim takes {questions} counted questions at best: give "
        "more, as failures and weak marks cost further ones"
    )


def _check_effect(design: Design2, rows: int) -> None:
    """Refuse a design with which no honest model could be cleared."""
    pairs = excluding_pairs(design, rows)
    if pairs is None:
        raise KeyRecordError(
            f"least_effect is {design.least_effect:g}: the {counted_pairs(design, rows)[0]} pairs "
            "of questions that count cannot show that an honest model's effect is smaller; give "
            "more, as 0.2, or a larger pool"
        )
    if design.parts + 2 * pairs > design.budget:
        raise KeyRecordError(
            f"budget is {design.budget}, but NOT SUPPORTED takes {design.parts} + {2 * pairs} "
            "counted questions at best for an honest model: give more"
        )


def find_targets(data: "Items", what: str) -> tuple[int, ...]:
    """The classes that have rows: a mark with another label would be its only one.

    Args:
        data: to be marked.
        what: its name in a message.

    Raises:
        KeyRecordError: there are fewer than two.
    """
    found = tuple(np.unique(data.labels).tolist())
    if len(found) < 2:
        raise KeyRecordError(
            f"{what} has rows of {len(found)} class, but labels of marks are drawn among two or "
            "more: add rows of another class, or name another split"
        )
    return found


def advise(design: Design2, what: str, pool: int) -> list[str]:
    """What the owner should know of a design, a line each.

    Args:
        design: of the key.
        what: the data's name.
        pool: samples in it.
    """
    found, targets = [], set(design.targets)
    empty = [name for number, name in enumerate(design.classes) if number not in targets]
    if empty:
        names = ", ".join(map(repr, empty[:SHOWN])) + (" ..." if len(empty) > SHOWN else "")
        found.append(
            f"{len(empty)} of {len(design.classes)} classes have no row in {what} ({names}): no "
            "mark gets their label"
        )
    images, paid = (
        most_blocks(design.budget, design.parts, len(design.targets), n) for n in (pool, POOL_LIMIT)
    )
    if images < paid:
        found.append(
            f"the pool has {pool} samples: {images} can be asked in blocks, and the budget pays "
            f"for {paid}; weak marks may need a larger pool"
        )
    return found


def check_repeated(repeated: int, rows: int) -> None:
    """Refuse a pool in which samples stand several times.

    Raises:
        KeyRecordError: more than one in a hundred do.
    """
    from datadeed.owner.clean import MOST_REPEATED

    if repeated > MOST_REPEATED * rows:
        raise KeyRecordError(
            f"{repeated} of the pool's {rows} samples stand in it before: name a pool of different "
            f"samples (at most {MOST_REPEATED:.0%} may be repeated)"
        )

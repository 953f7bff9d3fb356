"""What a commitment refuses before the key is made: designs with which nothing could be claimed.

After the data is released it is too late to find out.
"""

import math

import numpy as np

from datadeed.errors import KeyRecordError
from datadeed.keys.key import Design
from datadeed.owner.clean import MOST_REPEATED
from datadeed.owner.release.rows import Items
from datadeed.verification.keylabels import part_e_value
from datadeed.verification.proof import POOL_LIMIT
from datadeed.verification.sequential import BettingProcess

LARGEST_ALPHA = 0.05
SHOWN = 5  # class names in a message
SLACK = 1e-9  # of a sum of logarithms, so that rounding refuses nothing


def check_design(design: Design, labels: np.ndarray) -> None:
    """Refuse a key with which no suspect could ever be claimed.

    Args:
        design: of the key.
        labels: (P,) int64, of the pool.

    Raises:
        KeyRecordError: saying what to change.
    """
    for name in ("alpha_key", "alpha_behaviour"):
        level = getattr(design, name)
        if level > LARGEST_ALPHA:
            raise KeyRecordError(
                f"{name} is {level:g}: a claim that is wrong so often is none; give "
                f"{LARGEST_ALPHA:g} or less"
            )
    needed = design.parts * design.votes
    if min(len(labels), POOL_LIMIT) // 2 < needed:
        raise KeyRecordError(
            f"the pool has {len(labels)} images, but {design.parts} parts of up to {design.votes} "
            f"questions need half of {2 * needed} to {POOL_LIMIT}: name a larger pool or take "
            "fewer parts"
        )
    key = least_key_questions(design)
    if key is None:
        raise KeyRecordError(
            f"{design.parts} parts of {len(design.classes)} classes cannot reach level "
            f"{design.alpha_key:g}: take more parts (datadeed plan says how many)"
        )
    behaviour = least_behaviour_questions(design, labels)
    if key + behaviour > design.budget:
        raise KeyRecordError(
            f"budget is {design.budget}, but a claim takes {key} + {behaviour} counted questions "
            "at best: give more, as failures and weak marks cost further ones (datadeed plan "
            "says how many)"
        )


def least_key_questions(design: Design) -> int | None:
    """The fewest answers with which the key layer can pass; None if it never can.

    A part closes when a label leads by ``lead``: after ``lead`` votes for the target, or after two
    more for each vote that went to another label, which weighs more. The best mixture of such
    parts is found exactly, one question after the other.
    """
    options = _part_options(design)
    wanted = -math.log(design.alpha_key) - SLACK
    if design.parts * max(gain for _, gain in options) < wanted:
        return None
    nothing = np.full(design.parts + 1, -np.inf)  # by parts used
    best = [nothing.copy()]
    best[0][0] = 0.0
    while best[-1].max() < wanted:
        now = nothing.copy()
        for asked, gain in options:
            if asked <= len(best):
                before = best[-asked]
                now[1:] = np.maximum(now[1:], before[:-1] + gain)
        best.append(now)
    return len(best) - 1


def _part_options(design: Design) -> list[tuple[int, float]]:
    """Answers that a part takes, and the most that ln E can gain by it."""
    found = []
    first = min(design.lead, design.votes)
    for asked in range(first, design.votes + 1, 2):
        counts = np.zeros(len(design.classes))
        counts[1] = (asked - first) // 2
        counts[0] = asked - counts[1]
        gain = part_e_value(counts, 0, beta=design.beta, epsilon=design.epsilon)
        found.append((asked, math.log(gain)))
    return found


def least_behaviour_questions(design: Design, labels: np.ndarray) -> int:
    """The fewest hits in a row with which the behaviour layer can pass; at most the budget + 1.

    The fewer pairs there are to draw from, the more a hit says; they are at least those of the
    images that the layer has beside the most frequent label's.
    """
    half = min(len(labels), POOL_LIMIT) // 2
    least = design.parts * max(1, half - int(np.bincount(labels).max()))
    process = BettingProcess(design.null_rate, population=least)
    for asked in range(1, min(design.budget, least) + 1):
        process.update(1.0)
        if process.log_e_max >= -math.log(design.alpha_behaviour) - SLACK:
            return asked
    return design.budget + 1


def check_classes(data: Items, what: str) -> None:
    """Refuse data in which a class has no row: a mark of that class would be its only one.

    Args:
        data: to be marked; a key of this generation draws its labels among all classes.
        what: the data's name in a message.

    Raises:
        KeyRecordError: naming the classes.
    """
    counts = np.bincount(data.labels, minlength=len(data.classes))
    empty = [data.classes[number] for number in np.flatnonzero(counts == 0)]
    if empty:
        names = ", ".join(map(repr, empty[:SHOWN])) + (" ..." if len(empty) > SHOWN else "")
        raise KeyRecordError(
            f"{len(empty)} of {len(data.classes)} classes have no row in {what} ({names}): marks "
            "with their labels would be seen at once; remove these classes (empty folders, names "
            "without rows), or number the labels from 0 without gaps"
        )


def check_repeated(repeated: int, rows: int) -> None:
    """Refuse a pool in which images stand several times.

    Raises:
        KeyRecordError: more than one in a hundred do.
    """
    if repeated > MOST_REPEATED * rows:
        raise KeyRecordError(
            f"{repeated} of the pool's {rows} images stand in it before: name a pool of different "
            f"images (at most {MOST_REPEATED:.0%} may be repeated)"
        )

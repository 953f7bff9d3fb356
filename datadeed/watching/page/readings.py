"""What the page reads of a store beyond a suspect at a glance: curves of many, and e-BH."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Select, or_, select

from datadeed.errors import VerificationError
from datadeed.verification.fleet import listed
from datadeed.watching.store.rows import Overview
from datadeed.watching.store.store import Store
from datadeed.watching.store.tables import DAYS

POINTS = 60  # of a curve in the table, about
_RANKS = {"EVIDENCE": 1, "COULD NOT TEST": 2}


@dataclass(frozen=True)
class Together:
    """The suspects of one key, held against each other by e-BH.

    Attributes:
        commitment: of the key.
        level: of the key: the mean share of false ones among those that are named.
        suspects: M, all that are or will be watched under the key.
        named: which have evidence at this level.
    """

    commitment: str
    level: float
    suspects: int
    named: tuple[Overview, ...]


def in_order(found: Sequence[Overview]) -> list[Overview]:
    """What wants attention first: claims, evidence, what could not be tested; then by name."""
    return sorted(
        found,
        key=lambda one: 0 if one.verdict == "CLAIM" else _RANKS.get(one.word, len(_RANKS) + 1),
    )


def curves(store: Store, shown: Sequence[Overview]) -> dict[str, list[tuple[int, float]]]:
    """Day and ln E of some suspects by id, about :data:`POINTS` each; the last day is there.

    Raises:
        StoreError: the store cannot be read.
    """
    drawn: dict[str, list[tuple[int, float]]] = {one.suspect.id: [] for one in shown}
    steps: dict[int, list[str]] = defaultdict(list)
    for one in shown:
        steps[max(1, math.ceil(one.days / POINTS))].append(one.suspect.id)
    with store.reading() as connection:
        for every, suspects in steps.items():
            for suspect, day, log_e in connection.execute(_every(every, suspects)):
                drawn[suspect].append((day, log_e))
    for one in shown:
        line = drawn[one.suspect.id]
        if one.days and (not line or line[-1][0] != one.days):
            line.append((one.days, one.log_e))
    return drawn


def _every(every: int, suspects: list[str]) -> Select[tuple[str, int, float]]:
    """The first day of some suspects, and every so many-th."""
    return (
        select(DAYS.c.suspect, DAYS.c.day, DAYS.c.log_e)
        .where(DAYS.c.suspect.in_(suspects), or_(DAYS.c.day % every == 0, DAYS.c.day == 1))
        .order_by(DAYS.c.suspect, DAYS.c.day)
    )


def together(found: Sequence[Overview]) -> list[Together]:
    """e-BH over the suspects of each key with several; those not yet in the store have no E.

    A watch's E has mean 1 at most whenever it is looked at, so that it serves as it stands.
    """
    keys: dict[str, list[Overview]] = defaultdict(list)
    for one in found:
        keys[one.suspect.commitment].append(one)
    made = (_of_key(commitment, ones) for commitment, ones in sorted(keys.items()))
    return [one for one in made if one is not None]


def _of_key(commitment: str, found: Sequence[Overview]) -> Together | None:
    first = found[0].suspect
    count = max(len(found), *(one.suspect.suspects for one in found))
    if count == 1:
        return None
    # The bar is suspects times keys over the key's level.
    level = first.suspects * first.keys / found[0].bar
    watches = count * max(one.suspect.keys for one in found)
    try:
        named = listed({one.suspect.id: one.log_e for one in found}, alpha=level, watches=watches)
    except VerificationError:  # a store says of the bar what makes no sense
        return None
    return Together(
        commitment, level, count, tuple(one for one in found if one.suspect.id in named)
    )

"""Which parts and which rate a key should have: arithmetic, before anything is drawn.

``plan`` prints what is proposed here, and ``commit`` takes it where the owner fixes nothing and
refuses what is refused here, so that neither contradicts the other.
"""

import dataclasses
import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from datadeed.errors import KeyRecordError
from datadeed.keys.generation2 import Design2
from datadeed.owner.commit_checks import check_design, enough_parts
from datadeed.owner.plan_figures import (
    LEAST,
    RELABELLED,
    SMALLEST,
    SPARE,
    cost_of,
    learnt,
    plenty,
    spare,
)

LEAST_RATE, MOST_RATE = 0.005, 0.25  # that are proposed
CHEAP_RATE = 0.1  # above it a warning says what it costs
REFUSED = ("design", "size", "marks")  # kinds of cautions for which ``commit`` makes no key


@dataclass(frozen=True)
class Demand:
    """What a key is wanted for.

    Attributes:
        design: of the key; its parts and rate are proposed unless the fields below fix them.
        rows: of the data.
        smallest: rows of the smallest class that has any.
        pool: images in it.
        parts, rate: what the owner fixes.
        few_marks: whether the owner accepts fewer than 40 marks a part.
        size: shorter side of an image in pixels, if it is known.
    """

    design: Design2
    rows: int
    smallest: int
    pool: int
    parts: int | None = None
    rate: float | None = None
    few_marks: bool = False
    size: int | None = None

    @property
    def classes(self) -> int:
        """Among which labels are drawn."""
        return len(self.design.targets)

    @property
    def carrier(self) -> str:
        """Of the triggers."""
        return str(self.design.carrier["name"])

    @property
    def enough(self) -> int:
        """Parts that suffice for a claim on the first image if all are learnt."""
        return _enough(self.classes, self.design.alpha)


@dataclass(frozen=True)
class Caution:
    """What stands in the way of a key.

    Attributes:
        kind: "design": it could tell nothing; "size": the images are too small; "marks": fewer
            than 40 a part; "few": fewer than were always learnt; "cost": so many that accuracy
            falls.
        text: for the owner.
    """

    kind: str
    text: str


@dataclass(frozen=True)
class Proposal:
    """Parts and a rate.

    Attributes:
        design: with them.
        marks_a_part: that each part gets at most; ``marks`` rows in all.
        cautions: first why ``commit`` makes no such key.
    """

    design: Design2
    marks: int
    marks_a_part: int
    cautions: tuple[Caution, ...]

    @property
    def kinds(self) -> frozenset[str]:
        """Of the cautions; too few marks are few ones, too."""
        found = {caution.kind for caution in self.cautions}
        return frozenset(found | {"few"} if "marks" in found else found)

    @property
    def refused(self) -> str:
        """Why ``commit`` makes no such key; empty if it does."""
        return next((c.text for c in self.cautions if c.kind in REFUSED), "")


def propose(demand: Demand) -> Proposal:
    """Parts and a rate for a key, with what stands in their way.

    Half as many parts again as suffice, with 150 marks each (three times as many, with 80, where
    images are mixed and keep their labels), or somewhat fewer parts if a tenth of the rows is
    enough for those. Else as many parts as get 40 marks from a quarter of the rows, with as many
    of 150 as that gives: parts that were not learnt add nothing to a claim, so that spare ones tell
    more than further marks of few (results/small.csv).

    Raises:
        KeyRecordError: the owner fixes a number that makes no sense.
    """
    _checked(demand)
    found = [_share(demand, parts) for parts in _choices(demand)]
    # Stable: of those without cautions, or else of those with marks enough, the most parts; of few
    # marks no more parts than are proposed of any carrier.
    found.sort(key=partial(_worse, demand))
    faults = (_fault(demand, share) for share in found)
    chosen, fault = next(
        ((share, "") for share, fault in zip(found, faults, strict=True) if not fault),
        (found[0], _fault(demand, found[0])),
    )
    return Proposal(
        dataclasses.replace(demand.design, parts=chosen.parts, rate=chosen.rate),
        chosen.marks,
        chosen.each,
        tuple(_cautions(demand, chosen, fault)),
    )


def relabels(design: Design2) -> bool:
    """Whether marked rows get their part's label; else they are rows that have it."""
    return bool(design.carrier.get("relabels", design.carrier["name"] in RELABELLED))


def check_size(carrier: str, size: int | None) -> str:
    """Why images of a shorter side of ``size`` pixels take no such marks; empty if they do."""
    least = SMALLEST.get(carrier, 1)
    if size is None or size >= least:
        return ""
    return f"images of {size} pixels are too small for a {carrier}: {least} or more a side"


def _worse(demand: Demand, share: "_Share") -> tuple[bool, ...]:
    """What speaks against so many parts, the weightiest first."""
    many = share.each < LEAST and share.parts > math.ceil(demand.enough * SPARE)
    return share.dear or share.each < plenty(demand.carrier), share.too_few, many


@dataclass(frozen=True)
class _Share:
    """A number of parts, the rate for it, rows in all and for each, and what is wrong with them."""

    parts: int
    rate: float
    marks: int
    each: int
    too_few: bool

    @property
    def dear(self) -> bool:
        return self.rate > CHEAP_RATE


def _checked(demand: Demand) -> None:
    """Refuse numbers that a key would refuse."""
    fixed = {"parts": demand.parts, "rate": demand.rate}
    given: dict[str, Any] = {name: value for name, value in fixed.items() if value is not None}
    if given:
        dataclasses.replace(demand.design, **given)


def _choices(demand: Demand) -> list[int]:
    """Numbers of parts, the most first."""
    if demand.parts is not None:
        return [demand.parts]
    most, wanted = demand.design.kind.parts, math.ceil(demand.enough * spare(demand.carrier))
    return list(range(min(wanted, most), min(demand.enough, most) - 1, -1))


def _share(demand: Demand, parts: int) -> _Share:
    """What the rows give so many parts."""
    rate = demand.rate if demand.rate is not None else _rate(demand, parts)
    marks = int(rate * demand.rows + 1e-9)
    each = marks // parts
    if not relabels(demand.design):
        each = min(each, demand.smallest)
        marks = min(marks, each * parts)
    return _Share(parts, rate, marks, each, each < LEAST and not demand.few_marks)


def _cautions(demand: Demand, share: _Share, fault: str) -> Iterator[Caution]:
    """What stands in the way, first what a commitment refuses."""
    if fault:
        yield Caution("design", fault)
    if small := check_size(demand.carrier, demand.size):
        yield Caution("size", small)
    few = f"{_why(demand)}{learnt(demand.carrier, demand.rows, share.each)}"
    if share.too_few:
        text = f"{share.each} marks a part, fewer than {LEAST}: no key is made"
        yield Caution("marks", text + few)
    elif share.each < (most := plenty(demand.carrier)):
        of = "" if demand.design.kind.modality == "image" else "of images, "
        text = f"{share.each} marks a part: {of}fewer than {most} were not always learnt"
        yield Caution("few", text + few)
    if share.dear:
        cost = cost_of(demand.carrier, demand.rows, share.rate)
        text = f"marking {share.rate:.0%} of the rows will cost accuracy"
        yield Caution("cost", text + cost)


def _rate(demand: Demand, parts: int) -> float:
    """The share of rows that gives each part plenty of marks, in thousandths, within bounds."""
    each = plenty(demand.carrier)
    if not relabels(demand.design):
        each = min(each, demand.smallest)
    share = math.ceil(1000 * parts * each / demand.rows) / 1000
    return min(MOST_RATE, max(LEAST_RATE, share))


def _why(demand: Demand) -> str:
    """That there are no more of the class, where that is so."""
    if demand.smallest < plenty(demand.carrier) and not relabels(demand.design):
        return f" (the smallest class has {demand.smallest} rows, and labels stay)"
    return ""


@functools.lru_cache(maxsize=4096)
def _enough(classes: int, alpha: float) -> int:
    return enough_parts(classes, alpha)


def _fault(demand: Demand, share: _Share) -> str:
    """Why a commitment refuses a design with such parts and rate; empty if it does not."""
    if share.marks < share.parts:
        return (
            f"rate {share.rate} of {demand.rows} rows is {share.marks} marks for {share.parts} "
            "parts: raise the rate or take fewer parts"
        )
    design = demand.design
    levels = (design.alpha, design.least_effect, design.budget, design.answers)
    return _design_fault(share.parts, demand.classes, demand.pool, levels)


@functools.lru_cache(maxsize=4096)
def _design_fault(
    parts: int, classes: int, pool: int, levels: tuple[float, float, int, str]
) -> str:
    """The same for a design of any other rate: these numbers alone decide it."""
    names, targets = tuple(map(str, range(classes))), tuple(range(classes))
    fixed: dict[str, Any] = dict(
        zip(("alpha", "least_effect", "budget", "answers"), levels, strict=True)
    )
    try:
        check_design(Design2(names, 1, targets, parts, **fixed), pool)
    except KeyRecordError as error:
        return str(error)
    return ""

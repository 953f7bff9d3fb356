"""Which parts and which rate a key should have: arithmetic, before anything is drawn.

``plan`` prints what is proposed here, and ``commit`` takes it where the owner fixes nothing and
refuses what is refused here, so that neither contradicts the other.
"""

import dataclasses
import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from datadeed.errors import KeyRecordError
from datadeed.keys.generation2 import MOSAICS, Design2
from datadeed.owner.commit_checks import check_design, enough_parts
from datadeed.owner.plan_figures import LABELS_KEPT, LEAST, PLENTY, SMALLEST, cost_of, learnt
from datadeed.owner.release.rows import Items

SPARE = 1.5  # parts beyond those that must agree, for parts that were learnt badly
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


def demand_for(
    data: Items,
    pool: int,
    design: Design2,
    *,
    parts: int | None = None,
    rate: float | None = None,
    few_marks: bool = False,
) -> Demand:
    """What a key is wanted for, of data that lie there.

    Args:
        data: images; the first is read, to see how large it is.
        pool: images in it.
        design: of the key, but for parts and rate.
        parts, rate: what the owner fixes.
        few_marks: whether fewer than 40 marks a part are accepted.
    """
    smallest = int(np.bincount(data.labels, minlength=len(data.classes))[list(design.targets)].min())
    first = next(iter(data))
    size = min(first.pixels.shape[:2])
    return Demand(design, data.rows, smallest, pool, parts, rate, few_marks, size)


def propose(demand: Demand) -> Proposal:
    """Parts and a rate for a key, with what stands in their way.

    Half as many parts again as suffice, with 150 marks each, if a tenth of the rows is enough for
    them; else as few parts as suffice, with as many marks of 150 as a quarter of the rows gives.

    Raises:
        KeyRecordError: the owner fixes a number that makes no sense.
    """
    found = [_made(demand, parts) for parts in _choices(demand)]
    found.sort(key=lambda made: bool(made.cautions))  # stable: the most parts of those without
    if found[0].cautions:
        found.reverse()
    checked = (_checked(demand, made) for made in found)
    return next((made for made in checked if "design" not in made.kinds), _checked(demand, found[0]))


def _choices(demand: Demand) -> list[int]:
    """Numbers of parts, the most first."""
    if demand.parts is not None:
        return [demand.parts]
    most = MOSAICS if demand.design.carrier["name"] == "mosaic" else 1000
    wanted = math.ceil(demand.enough * SPARE)
    return list(range(min(wanted, most), min(demand.enough, most) - 1, -1))


def _made(demand: Demand, parts: int) -> Proposal:
    """A number of parts with its rate, and all cautions but those of the design."""
    rate = demand.rate if demand.rate is not None else _rate(demand, parts)
    design = dataclasses.replace(demand.design, parts=parts, rate=rate)
    marks = int(rate * demand.rows + 1e-9)
    each = marks // parts
    name = str(design.carrier["name"])
    if kept := name in LABELS_KEPT:
        each = min(each, demand.smallest)
    found = []
    if fault := check_size(name, demand.size):
        found.append(Caution("size", fault))
    if each < LEAST and not demand.few_marks:
        text = f"{each} marks a part, fewer than {LEAST}: no key is made"
        found.append(Caution("marks", text + _why(demand, kept) + learnt(name, demand.rows, each)))
    elif each < PLENTY:
        text = f"{each} marks a part: fewer than {PLENTY} were not always learnt"
        found.append(Caution("few", text + _why(demand, kept) + learnt(name, demand.rows, each)))
    if rate > CHEAP_RATE:
        cost = cost_of(name, demand.rows, rate)
        found.append(Caution("cost", f"marking {rate:.0%} of the rows will cost accuracy{cost}"))
    return Proposal(design, min(marks, each * parts) if kept else marks, each, tuple(found))


def check_size(carrier: str, size: int | None) -> str:
    """Why images of a shorter side of ``size`` pixels take no such marks; empty if they do."""
    least = SMALLEST.get(carrier, 1)
    if size is None or size >= least:
        return ""
    return f"images of {size} pixels are too small for a {carrier}: {least} or more a side"


def fitted(data: Items, design: Design2, *, one_size: bool = True) -> Items:
    """The same images, each looked at as it is read.

    Args:
        data: of images.
        design: whose triggers they are to carry.
        one_size: whether they must be of one size where the carrier mixes them.

    Raises:
        KeyRecordError: while reading: an image is too small, or of another size than the first.
    """
    name = str(design.carrier["name"])

    def stream() -> Iterator[np.ndarray]:
        first = None
        for item in data:
            height, width = item.pixels.shape[:2]
            if fault := check_size(name, min(height, width)):
                raise KeyRecordError(f"row {item.row}: {fault}")
            first = first or (height, width)
            if one_size and name in LABELS_KEPT and (height, width) != first:
                raise KeyRecordError(
                    f"row {item.row} is of {height}x{width} pixels and row 0 of {first[0]}x"
                    f"{first[1]}, and a {name} mixes images: bring all to one size, or take "
                    "another carrier"
                )
            yield item.pixels

    return Items(data.format, data.classes, data.labels, data.channels, stream)


def _rate(demand: Demand, parts: int) -> float:
    """The share of rows that gives each part 150 marks, in thousandths, within bounds."""
    each = PLENTY
    if demand.design.carrier["name"] in LABELS_KEPT:
        each = min(each, demand.smallest)
    share = math.ceil(1000 * parts * each / demand.rows) / 1000
    return min(MOST_RATE, max(LEAST_RATE, share))


def _why(demand: Demand, kept: bool) -> str:
    """That there are no more of the class, where that is so."""
    if kept and demand.smallest < PLENTY:
        return f" (the smallest class has {demand.smallest} rows, and labels stay)"
    return ""


def _checked(demand: Demand, made: Proposal) -> Proposal:
    """With what a commitment refuses in a design."""
    fault = ""
    try:
        made.design.marks(demand.rows)
    except KeyRecordError as error:
        fault = str(error)
    fault = fault or _fault(
        made.design.parts,
        demand.classes,
        demand.pool,
        made.design.alpha,
        made.design.least_effect,
        made.design.budget,
    )
    if not fault:
        return made
    return dataclasses.replace(made, cautions=(Caution("design", fault), *made.cautions))


@functools.lru_cache(maxsize=4096)
def _enough(classes: int, alpha: float) -> int:
    return enough_parts(classes, alpha)


@functools.lru_cache(maxsize=4096)
def _fault(
    parts: int, classes: int, pool: int, alpha: float, least_effect: float, budget: int
) -> str:
    """Why a commitment refuses a design; these numbers alone decide it."""
    names = tuple(map(str, range(classes)))
    design = Design2(
        classes=names,
        channels=1,
        targets=tuple(range(classes)),
        parts=parts,
        alpha=alpha,
        least_effect=least_effect,
        budget=budget,
    )
    try:
        check_design(design, pool)
    except KeyRecordError as error:
        return str(error)
    return ""

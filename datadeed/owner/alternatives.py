"""What an owner can do about a plan's cautions: each offer is planned in turn before it is made."""

import dataclasses
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from datadeed.errors import KeyRecordError, UnsupportedModality
from datadeed.keys.generation2 import CARRIERS, USUAL_CARRIERS
from datadeed.owner.plan_figures import LEAST, plenty
from datadeed.owner.proposal import CHEAP_RATE, MOST_RATE, Demand, Proposal, propose

OF_DESIGN = ("alpha", "least_effect", "budget")
LEVELS = tuple(10.0**-k for k in range(12, 2, -1))  # of claims; 1 in 1,000 at most
MORE = (2, 4, 8, 16)  # times a budget or a pool


@dataclass(frozen=True)
class Alternative:
    """Something to change, after which some cautions are gone and none is new.

    Attributes:
        change: arguments of ``plan`` to their values; "rows" are what the data would have to have.
        text: for the owner.
        removes: kinds of cautions.
    """

    change: dict[str, Any]
    text: str
    removes: frozenset[str]


def alternatives(demand: Demand, made: Proposal) -> list[Alternative]:
    """One offer of each sort that helps, the least change first."""
    if not made.cautions:
        return []
    found = []
    for offers in _sorts(demand, made):
        for change in offers:
            try:
                then = propose(changed(demand, change))
            except KeyRecordError:
                continue
            if then.kinds < made.kinds:
                found.append(Alternative(change, _text(change, then), made.kinds - then.kinds))
                break
    return found


def changed(demand: Demand, change: dict[str, Any]) -> Demand:
    """The same demand but for what an alternative changes."""
    values = dict(change)
    design = {name: values.pop(name) for name in OF_DESIGN if name in values}
    if "carrier" in values:
        design["carrier"] = plain_carrier(values.pop("carrier"))
    if "rows" in values:
        values["smallest"] = demand.smallest * values["rows"] // demand.rows
    return dataclasses.replace(
        demand, design=dataclasses.replace(demand.design, **design), **values
    )


def plain_carrier(name: str) -> dict[str, Any]:
    """A carrier as a design holds it: as usual, and the most of what follows from the data."""
    kind = CARRIERS.get(name)
    if kind is None:
        return {"name": name}
    return {"name": name, **{what: high for what, (_, high) in kind.ranges.items()}, **kind.usual}


def carriers_of(modality: str) -> list[str]:
    """The carriers for samples of a modality, the usual one first.

    Raises:
        UnsupportedModality: there is none.
    """
    found = [name for name, kind in CARRIERS.items() if kind.modality == modality]
    found.sort(key=lambda name: name != USUAL_CARRIERS.get(modality))
    if not found:
        raise UnsupportedModality(
            f"no key marks {modality}: mark it with one of the methods of docs/methods"
        )
    return found


def _sorts(demand: Demand, made: Proposal) -> Iterator[Iterator[dict[str, Any]]]:
    """Offers of one sort after the other, each the least change first."""
    design = demand.design
    if demand.parts is not None or demand.rate is not None:
        yield _freed(demand)
    yield ({"parts": n} for n in range(made.design.parts - 1, demand.enough - 1, -1))
    others = (name for name in carriers_of(design.kind.modality) if name != design.carrier["name"])
    yield ({"carrier": name} for name in others)
    if not demand.few_marks:
        yield iter([{"few_marks": True}])
    if made.kinds - {"cost"}:  # fewer marks are no reason to claim on less
        yield ({"alpha": level} for level in LEVELS if level > design.alpha)
    yield ({"budget": times * design.budget} for times in MORE)
    yield ({"pool": times * demand.pool} for times in MORE)
    if design.least_effect < 0.2:
        yield iter([{"least_effect": 0.2}])
    yield _rows(demand)


def _freed(demand: Demand) -> Iterator[dict[str, Any]]:
    """What would be proposed were less fixed."""
    fixed = [name for name in ("rate", "parts") if getattr(demand, name) is not None]
    for n in range(1, len(fixed) + 1):
        for names in itertools.combinations(fixed, n):
            free: dict[str, Any] = dict.fromkeys(names)
            made = propose(dataclasses.replace(demand, **free))
            yield {name: getattr(made.design, name) for name in names}


def _rows(demand: Demand) -> Iterator[dict[str, Any]]:
    """Rows of which a quarter or a tenth is enough for the marks, as many as suffice."""
    parts, share = demand.parts or demand.enough, demand.smallest / demand.rows
    most = plenty(demand.carrier)
    for marks, rate in ((LEAST, MOST_RATE), (most, MOST_RATE), (most, CHEAP_RATE)):
        rows = math.ceil(max(parts * marks / (demand.rate or rate), marks / share))
        if rows > demand.rows:
            yield {"rows": math.ceil(rows / 100) * 100}


def _text(change: dict[str, Any], then: Proposal) -> str:
    """An offer in words."""
    words = {
        "parts": "take {} parts",
        "rate": "mark {:.1%} of the rows",
        "carrier": "take carrier {}",
        "few_marks": "give --few-marks, and train a model on the copy to see what is learnt",
        "alpha": "give --alpha {:g}",
        "budget": "give --budget {}",
        "pool": "take a pool of {} images",
        "least_effect": "give --least-effect {:g}",
        "rows": "have {:,} rows",
    }
    named = " and ".join(words[name].format(value) for name, value in change.items())
    if "few_marks" in change:
        return named
    return f"{named} ({then.design.parts} parts, {then.design.rate:.1%}, {then.marks_a_part} each)"


def in_words(made: Proposal, found: list[Alternative]) -> list[str]:
    """The cautions of a proposal, each with what would remove it: a line each."""
    lines = []
    for caution in made.cautions:
        offers = [offer.text for offer in found if caution.kind in offer.removes]
        lines.append(f"{caution.text}; instead, {', or '.join(offers)}" if offers else caution.text)
    return lines

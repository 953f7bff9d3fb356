"""What a claim rests on beside its arithmetic: four premises, each verified, stated or missing.

If all of them are true, the chance that a model that is independent of the key is claimed is at
most the level. A check of files can show some of them; the others are for the judge to establish.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from datadeed.errors import DatadeedError
from datadeed.keys.key import Beacon
from datadeed.owner.clean import MOST_REPEATED, Clean
from datadeed.owner.rounds import round_time, value_fault

VERIFIED, STATED, MISSING = "verified", "stated", "missing"
# What a judge may have established outside of these files.
CONFIRMABLE = ("pool", "numbers", "suspect")


@dataclass(frozen=True)
class Premise:
    """One premise: ``status`` is verified, stated (by the accuser alone) or missing."""

    name: str
    status: str
    found: str


def premises(
    evidence: dict[str, Any],
    *,
    stamped: datetime | None,
    clean: Clean | None,
    repeated: int,
    confirmed: frozenset[str],
) -> list[Premise]:
    """The premises of a folder's claim.

    Args:
        evidence: read from the folder.
        stamped: when a token that was verified says that the commitment was there.
        clean: what the suspect's clean answers show; None if that was not checked.
        repeated: how many rows of the pool repeat a sample.
        confirmed: names of premises that the judge established.
    """
    found = [
        _key(evidence, stamped),
        _pool(evidence, clean, repeated),
        _numbers(evidence),
        _suspect(evidence),
    ]
    return [
        Premise(each.name, VERIFIED, f"{each.found}; established by whoever runs this check")
        if each.name in confirmed and each.status == STATED
        else each
        for each in found
    ]


def check_confirmed(names: Sequence[str]) -> frozenset[str]:
    """The names of premises, if they are such that may be confirmed.

    Raises:
        DatadeedError: one is not.
    """
    for name in names:
        if name not in CONFIRMABLE:
            raise DatadeedError(f"{name[:40]!r} cannot be confirmed: name {', '.join(CONFIRMABLE)}")
    return frozenset(names)


def _key(evidence: dict[str, Any], stamped: datetime | None) -> Premise:
    """That the key was drawn once, at random, after the commitment."""
    what = "the key was drawn once and at random"
    stated = evidence["key"]["beacon"]
    if stated is None:
        return Premise(
            "key",
            MISSING,
            f"{what}: no beacon was used: whoever tried N keys may be wrong N times as often",
        )
    beacon = Beacon(**stated)
    when, fault = round_time(beacon), value_fault(beacon)
    if fault:
        return Premise("key", MISSING, f"{what}: the value is not that of its round: {fault}")
    moment = "" if stamped is None else f"{stamped:%Y-%m-%d %H:%M:%S} UTC"
    if stamped is not None and when is not None and stamped >= when:
        return Premise(
            "key",
            MISSING,
            f"{what}: the commitment was stamped at {moment}, after its round was out at "
            f"{when:%Y-%m-%d %H:%M:%S}: the value could be known, and a key chosen by it",
        )
    order = "no timestamp shows that the commitment is older than the round"
    if stamped is not None:
        order = f"the commitment was stamped at {moment}, and the round "
        order += "came later" if when else "is of a beacon whose clock is not known here"
    name = f"the value of round {beacon.round} of {beacon.source}"
    if fault is None:
        name += " is stated, not verified (one that gives a wanted key is found in seconds)"
    else:
        name += " has the beacon's signature"
    sure = fault == "" and stamped is not None
    return Premise("key", VERIFIED if sure else STATED, f"{what}: {name}; {order}")


def _pool(evidence: dict[str, Any], clean: Clean | None, repeated: int) -> Premise:
    """That the samples were not picked against the suspect."""
    what = "the pool was not picked against the suspect"
    if clean is None:
        return Premise("pool", MISSING, f"{what}: the pool was not checked")
    rows = evidence["pool"]["rows"]
    flags = clean.flags()
    if repeated > MOST_REPEATED * rows:
        flags.append(f"{repeated} of its {rows} samples stand in it before.")
    if flags:
        return Premise("pool", MISSING, f"{what}. FLAGGED: {' '.join(flags)} ({clean.words()})")
    return Premise("pool", STATED, f"{what}: {clean.words()}; whether it is public data is open")


def _numbers(evidence: dict[str, Any]) -> Premise:
    """How many suspects and keys there were."""
    numbers = evidence["multiplicity"]
    keys = f"keys: {numbers['keys']}" if "keys" in numbers else "of other keys he states nothing"
    return Premise(
        "numbers",
        STATED,
        "no other suspects and keys were tried, says the accuser; "
        f"suspects: {numbers['suspects']}, {keys}",
    )


def _suspect(evidence: dict[str, Any]) -> Premise:
    """That the answers are those of the model that is accused."""
    suspect = evidence["suspect"]
    return Premise(
        "suspect",
        STATED,
        f"the suspect is who it is said to be: {suspect['name']!r} at {suspect['endpoint']!r}, how "
        "its classes are named and its inputs prepared (fixed before it was asked), and its "
        "answers, are the accuser's word: ask it some of the questions yourself",
    )

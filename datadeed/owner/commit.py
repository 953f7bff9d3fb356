"""Committing to a dataset before it is released: the key, and what to publish of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from datadeed.errors import KeyRecordError, UnsupportedModality
from datadeed.files import atomic_path, write_json
from datadeed.keys.generation2 import CARRIERS, USUAL_CARRIERS, Design2, Key2
from datadeed.keys.key import Beacon
from datadeed.keys.sealing import check_place, write_secret
from datadeed.owner.alternatives import alternatives, in_words
from datadeed.owner.commit_checks import advise, check_design, check_repeated, find_targets
from datadeed.owner.data import (
    KINDS,
    Note,
    Progress,
    Source,
    check_images,
    check_markable,
    measure,
    named,
    open_data,
    open_pool,
    silent,
    unheard,
)
from datadeed.owner.plan_figures import USUAL_ANSWERS
from datadeed.owner.pool import measure_pool
from datadeed.owner.proposal import Demand, propose
from datadeed.owner.proposal_data import demand_for, fitted
from datadeed.owner.protect_notes import read_as
from datadeed.owner.release.rows import Items
from datadeed.owner.rounds import check_ahead
from datadeed.owner.sounding import advise_of_lengths, rate_of


@dataclass(frozen=True)
class Committed:
    """A key that was made.

    Attributes:
        key: the secret and what it is bound to.
        secret: its file, for the owner alone.
        commitment: the file to publish before the data.
        token: the file of the commitment's timestamp, or None.
    """

    key: Key2
    secret: Path
    commitment: Path
    token: Path | None


def commit(
    source: Source,
    secret: str | Path,
    *,
    split: str | None = None,
    pool: Source | None = None,
    pool_split: str | None = None,
    reading: dict[str, Any] | None = None,
    parts: int | None = None,
    rate: float | None = None,
    few_marks: bool = False,
    carrier: str | None = None,
    settings: Mapping[str, int] | None = None,
    answers: str = USUAL_ANSWERS,
    alpha: float = Design2.alpha,
    least_effect: float = Design2.least_effect,
    budget: int = Design2.budget,
    beacon: Beacon | None = None,
    commitment: str | Path | None = None,
    timestamp: str | None = None,
    passphrase: str | None = None,
    forbidden: str | Path | None = None,
    progress: Progress = silent,
    note: Note = unheard,
) -> Committed:
    """Make a key for a dataset, and the commitment to publish before the data is released.

    Args:
        source: the dataset to release: images, texts or sound, a path in any format, or in memory.
        secret: the file to make; keep it, and a copy of it, outside the release.
        split: the split to mark, where there are several (train).
        pool: samples for verification, which need not be secret; by default the test split of
            ``source``, or ``source`` itself.
        pool_split: its split.
        reading: of data and pool, what only their format knows.
        parts: triggers, each with a label; as planned by default.
        rate: share of rows to mark; as planned by default.
        few_marks: make a key with fewer than 40 marks a part, too.
        carrier: what the triggers are, a name of :data:`datadeed.keys.generation2.CARRIERS`; by
            default that of :data:`datadeed.keys.generation2.USUAL_CARRIERS` for such data.
        settings: the carrier's own, where they are to be others than its usual ones.
        answers: "labels", or "scores": a suspect's probabilities are weighed beside its labels.
        alpha: level of a claim, 0.05 at most.
        least_effect: success of the mark above decoys that NOT SUPPORTED excludes.
        budget: counted questions at most.
        beacon: a round of a public random beacon that is not out yet: the triggers depend on it.
        commitment: the file to publish; ``commitment.json`` beside the secret by default.
        timestamp: address of an RFC 3161 authority that stamps the commitment.
        passphrase: seals the secret file.
        forbidden: a folder that the secret must not lie in, besides ``source``.
        progress: is told of every row that is read.
        note: takes what the owner should know, before the key is made: how the data were read,
            what a plan warns of, classes that get no marks, a small pool.

    Raises:
        KeyRecordError: the key or the commitment exists, a number makes no sense, no suspect
            could be claimed or cleared with such a key, its parts get fewer than 40 marks, the
            carrier does not fit the images, the beacon's round is out, fewer than two classes have
            rows, or the pool repeats its samples.
        UnsupportedModality: the carrier marks samples of another kind, or none marks such.
        SecretError: the key's place is unfit.
        DatasetError: the data cannot be read, or its images not be written again.
        EvidenceError: the authority gives no stamp.
    """
    secret = Path(secret)
    public = Path(commitment) if commitment else secret.with_name("commitment.json")
    _check_places(secret, public, source, forbidden)
    if beacon is not None:
        check_ahead(beacon, datetime.now(UTC))
    data, asked, split = _open(source, split, pool, pool_split, reading or {})
    check_images(data, note)
    design = Design2(
        classes=data.classes,
        channels=data.channels,
        targets=find_targets(data, named(source)),
        carrier=_carrier(carrier, _measured(data, asked) | dict(settings or {}), data.modality),
        answers=answers,
        alpha=alpha,
        least_effect=least_effect,
        budget=budget,
    )
    demand = demand_for(data, asked.rows, design, parts=parts, rate=rate, few_marks=few_marks)
    design = _settled(demand, note)
    check_design(design, asked.rows)
    read_as(data, source, split, note)
    for line in advise(design, named(source), asked.rows):
        note(line)
    if data.modality == "audio":
        advise_of_lengths(data, dict(design.carrier), note)
    fitting = fitted(asked, design, one_size=False)
    pool_extent, _, repeated = measure_pool(fitting, "pool", progress=progress)
    check_repeated(repeated, asked.rows)
    rows, _ = measure(fitted(data, design), "data", progress=progress)
    # Key.new is typed for the first generation's design, and does the same with either.
    key = Key2.new(design, rows, pool_extent, beacon)  # type: ignore[arg-type]
    # Stamped before anything is written: an authority that is down leaves no key without a stamp.
    stamp = _stamp(key, timestamp)
    write_secret(secret, key.record(), passphrase, forbidden=forbidden)
    write_json(public, key.public())
    if not stamp:
        return Committed(key, secret, public, None)
    token = public.with_suffix(".tsr")
    with atomic_path(token) as path:
        path.write_bytes(stamp)
    return Committed(key, secret, public, token)


def _settled(demand: Demand, note: Note) -> Design2:
    """The design with its parts and rate, after the owner was told what a plan warns of.

    Raises:
        KeyRecordError: a commitment makes no such key.
    """
    made = propose(demand)
    if any(caution.kind == "design" for caution in made.cautions):
        raise KeyRecordError(made.refused)
    lines = in_words(made, alternatives(demand, made))
    if made.refused:
        raise KeyRecordError(next(line for line in lines if line.startswith(made.refused)))
    for line in lines:
        note(line)
    return made.design


def _measured(data: Items, pool: Items) -> dict[str, int]:
    """The settings that follow from the data: of sound its rate."""
    return {"hertz": rate_of(data, pool)} if data.modality == "audio" else {}


def _carrier(name: str | None, settings: Mapping[str, int], modality: str) -> dict[str, Any]:
    """As a design holds it.

    Args:
        name: of the carrier, or None for the usual one.
        settings: what differs from its usual ones.
        modality: of the data.

    Raises:
        UnsupportedModality: it marks samples of another kind.
        KeyRecordError: it is unknown, or a setting is given that it does not have.
    """
    chosen = name or USUAL_CARRIERS[modality]
    kind = CARRIERS.get(chosen)
    if kind is None:
        raise KeyRecordError(f"carrier {chosen!r} is unknown: choose {', '.join(CARRIERS)}")
    if kind.modality != modality:
        fit = ", ".join(known for known, each in CARRIERS.items() if each.modality == modality)
        raise UnsupportedModality(
            f"carrier {chosen} marks {KINDS[kind.modality]}, and the data are {KINDS[modality]}: "
            f"choose {fit}"
        )
    for odd in settings.keys() - kind.ranges.keys():
        owners = " and ".join(known for known, each in CARRIERS.items() if odd in each.ranges)
        raise KeyRecordError(f"{odd} is of {owners or 'no carrier'}: leave it out with {chosen}")
    return {"name": chosen, **kind.usual, **settings}


def _check_places(secret: Path, public: Path, source: Source, forbidden: str | Path | None) -> None:
    if secret.exists():
        raise KeyRecordError(f"{secret} exists: a lost key cannot be made again; name another")
    if public.exists():
        raise KeyRecordError(
            f"{public} exists, the commitment of an earlier key, which stays as it is: keep this "
            "key in a folder of its own, or name another file for its commitment with --commitment"
        )
    for folder in (source, forbidden):
        check_place(secret, folder if isinstance(folder, str | Path) else None)


def _open(
    source: Source,
    split: str | None,
    pool: Source | None,
    pool_split: str | None,
    reading: dict[str, Any],
) -> tuple[Items, Items, str | None]:
    """The data and the pool, which must be of one kind, and the name of the data's split."""
    data, found = open_data(source, split, **reading)
    check_markable(data, source)
    places: dict[str, Any] = {"source": source, "split": split, "modality": data.modality}
    asked = open_pool(pool, pool_split, **places, **reading)
    if data.classes != asked.classes or data.channels != asked.channels:
        raise KeyRecordError(
            f"the pool has {len(asked.classes)} classes and {asked.channels} channels, the data "
            f"{len(data.classes)} and {data.channels}, or the class names differ: name another pool"
        )
    return data, asked, found


def _stamp(key: Key2, authority: str | None) -> bytes:
    if authority is None:
        return b""
    from datadeed.owner.evidence.timestamp import request_timestamp  # an optional extra

    return request_timestamp(key.commitment, authority)

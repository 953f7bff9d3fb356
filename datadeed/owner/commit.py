"""Committing to a dataset before it is released: the key, and what to publish of it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from datadeed.errors import KeyRecordError
from datadeed.files import atomic_path, write_json
from datadeed.keys.generation2 import Design2, Key2
from datadeed.keys.key import Beacon
from datadeed.keys.sealing import check_place, write_secret
from datadeed.owner.commit_checks import advise, check_design, check_repeated, find_targets
from datadeed.owner.data import (
    Note,
    Progress,
    Source,
    measure,
    named,
    open_data,
    open_pool,
    silent,
    unheard,
)
from datadeed.owner.pool import measure_pool
from datadeed.owner.release.rows import Items
from datadeed.owner.rounds import check_ahead


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
    parts: int = Design2.parts,
    rate: float = Design2.rate,
    carrier: str = "patch",
    opacity: int = 255,
    answers: str = Design2.answers,
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
        source: the dataset of images to release: a path in any format, or in memory.
        secret: the file to make; keep it, and a copy of it, outside the release.
        split: the split to mark, where there are several (train).
        pool: images for verification, which need not be secret; by default the test split of
            ``source``, or ``source`` itself.
        pool_split: its split.
        parts: triggers, each with a label.
        rate: share of rows to mark.
        carrier: "patch", whose rows get the parts' labels; or "mosaic", "grating", "cutout" or
            "mixed", on rows that have them already, for images of one size.
        opacity: of patches, 1 to 255.
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
        note: takes what the owner should know: classes that get no marks, a small pool.

    Raises:
        KeyRecordError: the key or the commitment exists, a number makes no sense, no suspect
            could be claimed or cleared with such a key, the beacon's round is out, fewer than two
            classes have rows, or the pool repeats its images.
        SecretError: the key's place is unfit.
        DatasetError: the data cannot be read.
        EvidenceError: the authority gives no stamp.
    """
    secret = Path(secret)
    public = Path(commitment) if commitment else secret.with_name("commitment.json")
    _check_places(secret, public, source, forbidden)
    if beacon is not None:
        check_ahead(beacon, datetime.now(UTC))
    data, images = _open(source, split, pool, pool_split)
    design = Design2(
        classes=data.classes,
        channels=data.channels,
        targets=find_targets(data, named(source)),
        parts=parts,
        rate=rate,
        carrier=_carrier(carrier, opacity),
        answers=answers,
        alpha=alpha,
        least_effect=least_effect,
        budget=budget,
    )
    design.marks(data.rows)
    check_design(design, images.rows)
    pool_extent, _, repeated = measure_pool(images, "pool", progress=progress)
    check_repeated(repeated, images.rows)
    rows, _ = measure(data, "data", progress=progress)
    # Key.new is typed for the first generation's design, and does the same with either.
    key = Key2.new(design, rows, pool_extent, beacon)  # type: ignore[arg-type]
    # Stamped before anything is written: an authority that is down leaves no key without a stamp.
    stamp = _stamp(key, timestamp)
    write_secret(secret, key.record(), passphrase, forbidden=forbidden)
    write_json(public, key.public())
    for line in advise(design, named(source), images.rows):
        note(line)
    if not stamp:
        return Committed(key, secret, public, None)
    token = public.with_suffix(".tsr")
    with atomic_path(token) as path:
        path.write_bytes(stamp)
    return Committed(key, secret, public, token)


def _carrier(name: str, opacity: int) -> dict[str, Any]:
    """As a design holds it.

    Raises:
        KeyRecordError: an opacity is given for what has none of its own.
    """
    if name != "patch" and opacity != 255:
        raise KeyRecordError(f"opacity is of patches: leave it out with carrier {name}")
    return {"name": name} | ({"opacity": opacity} if name == "patch" else {})


def _check_places(secret: Path, public: Path, source: Source, forbidden: str | Path | None) -> None:
    if secret.exists():
        raise KeyRecordError(f"{secret} exists: a lost key cannot be made again; name another")
    if public.exists():
        raise KeyRecordError(f"{public} exists: name another place with --commitment")
    for folder in (source, forbidden):
        check_place(secret, folder if isinstance(folder, str | Path) else None)


def _open(
    source: Source, split: str | None, pool: Source | None, pool_split: str | None
) -> tuple[Items, Items]:
    """The data and the pool, which must be of one kind."""
    data, _ = open_data(source, split)
    images = open_pool(pool, pool_split, source=source, split=split)
    if data.classes != images.classes or data.channels != images.channels:
        raise KeyRecordError(
            f"the pool has {len(images.classes)} classes and {images.channels} channels, the data "
            f"{len(data.classes)} and {data.channels}, or the class names differ: name another pool"
        )
    return data, images


def _stamp(key: Key2, authority: str | None) -> bytes:
    if authority is None:
        return b""
    from datadeed.owner.evidence.timestamp import request_timestamp  # an optional extra

    return request_timestamp(key.commitment, authority)

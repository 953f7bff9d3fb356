"""Protecting a dataset: a marked copy in its own format, with the marks of a committed key."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from datadeed.errors import KeyRecordError, WatermarkError
from datadeed.keys.drand import SIGNATURE_BYTES
from datadeed.keys.generation2 import Key2
from datadeed.keys.key import Key
from datadeed.keys.sealing import check_place, write_secret
from datadeed.owner.data import (
    Note,
    Progress,
    Source,
    check_extent,
    check_images,
    measure,
    open_data,
    open_pool,
    read_key,
    read_rows,
    silent,
    unheard,
)
from datadeed.owner.protect_notes import advise, read_as, warn, warn_few
from datadeed.owner.release.edits import NEUTRAL, Edit, Manner, Release
from datadeed.owner.release.release import check_places, check_readable, release
from datadeed.owner.release.rows import Item, Items
from datadeed.owner.rounds import round_time, value_fault
from datadeed.owner.samples import Samples, form_of, modality_of, reader, view_of, writer
from datadeed.watermarks.carriers.registry import carrier_of, pool_rows
from datadeed.watermarks.keyed import target_label


@dataclass(frozen=True)
class Protected:
    """A marked copy of a dataset.

    Attributes:
        out: the copy.
        key: whose marks it carries.
        rows: of the dataset; ``marked`` of them carry a part's trigger.
        release: what of the marks can be seen or was lost.
    """

    out: Path
    key: Key
    rows: int
    marked: int
    release: Release


def protect(
    source: str | Path,
    out: str | Path,
    key: Key | str | Path,
    *,
    split: str | None = None,
    reading: dict[str, Any] | None = None,
    pool: Source | None = None,
    pool_split: str | None = None,
    measured: bool = False,
    manner: Manner = NEUTRAL,
    passphrase: str | None = None,
    progress: Progress = silent,
    note: Note = unheard,
) -> Protected:
    """Write a marked copy of a dataset: same format, encoder and metadata.

    Names and order stay where no label changes; else those that would tell which did are drawn
    anew (:mod:`datadeed.owner.release`).

    Args:
        source: the dataset that the key was committed for, on disk in any format.
        out: where the copy goes; nothing may be there.
        key: of :func:`datadeed.owner.commit.commit`, or its secret file.
        split: the split to mark, where there are several (train).
        reading: what only the source's format knows.
        pool, pool_split: the pool that was committed, of which some carriers' marks are made; by
            default as :func:`datadeed.owner.commit.commit` finds it.
        measured: whether the data were measured for this key just now; else they are again.
        manner: what is done so that marked rows do not stand out.
        passphrase: opens the secret file.
        progress: is told of every row.
        note: takes what the owner should know of the copy.

    Raises:
        SecretError: the key's file cannot be read, or lies where it would be given away.
        KeyRecordError: the key waits for its beacon, or is bound to other data or another pool.
        DatasetError: the data cannot be read, its images cannot be written again, or the copy
            exists.
        UnsupportedModality: the key marks samples of another kind.
        WatermarkError: marks do not fit such samples, or a class has too few for its parts.
    """
    source, out = Path(source), Path(out)
    if not isinstance(key, Key):
        for folder in (source, out):  # files beside the data are copied as they are
            check_place(Path(key), folder)
    key = read_key(key, passphrase)
    _ = key.seed  # an error now rather than after a pass over the data
    modality, reading = modality_of(key), reading or {}
    data, split = open_data(source, split, modality=modality, **reading)
    if not measured:
        check_images(data, note)
        check_extent(measure(data, "check data", progress=progress)[0], key.data, str(source))
    like: dict[str, Any] = {"source": source, "split": split, "modality": modality, **reading}
    opened = partial(open_pool, pool, pool_split, **like)
    rows, edit = edits(key, data, opened, progress)
    check_readable(source, out)
    check_places(source, out)  # an error before word of what is about to be written
    if carrier_of(key).relabels:
        ways = {"image": "to --carrier mosaic, which changes no label"}
        warn(data, manner, note, instead=f"commit {ways.get(modality, 'without --labels changed')}")
    elif isinstance(key, Key2):
        warn_few(key.design, data.rows, len(rows), note)
    if not measured:
        read_as(data, source, split, note)
    with progress("write", data.rows) as advance:
        done = release(
            source,
            out,
            rows=rows,
            edit=edit,
            generator=np.random.default_rng(key.words("file names", count=4)),
            split=split,
            manner=manner,
            on_rows=advance,
            **reading,
        )
    advise(done, note, modality=modality)
    return Protected(out, key, data.rows, len(rows), done)


def set_beacon(
    key: str | Path,
    value: str,
    *,
    forbidden: tuple[str | Path, ...] = (),
    passphrase: str | None = None,
) -> Key:
    """Put the beacon's value into a key's file.

    Args:
        key: the secret file.
        value: of the round that the key names, 16 to 512 bytes in hexadecimal.
        forbidden: folders that are given away.
        passphrase: seals the file.

    Raises:
        SecretError: the file cannot be read, or lies where it would be given away.
        KeyRecordError: that is no value, or not the round's signature where the beacon gives one,
            or the key holds another one or names no beacon.
    """
    for folder in forbidden:
        check_place(Path(key), folder)
    held, text = read_key(key, passphrase), value.strip().lower()
    if not re.fullmatch("([0-9a-f]{2}){16,512}", text):
        raise KeyRecordError(
            "the beacon's value is not 16 to 512 bytes in hexadecimal: give it as it was published"
        )
    if held.beacon is not None and held.beacon.value not in ("", text):
        raise KeyRecordError("the key holds another beacon value already: leave it out")
    filled = held.with_beacon(text)
    _check_signature(filled)
    write_secret(Path(key), filled.record(), passphrase)
    return filled


def _check_signature(key: Key) -> None:
    """Refuse a value of a beacon that signs its rounds which is not such a signature.

    Raises:
        KeyRecordError: it is not; whoever checks the evidence would find out.
    """
    beacon = key.beacon
    if beacon is None or round_time(beacon) is None:
        return
    if len(bytes.fromhex(beacon.value)) != SIGNATURE_BYTES:
        raise KeyRecordError(
            f"the value of {beacon.source!r} has {len(beacon.value) // 2} bytes: give the round's "
            f"signature, {SIGNATURE_BYTES} bytes, which anybody can check; its hash nobody can"
        )
    if fault := value_fault(beacon):
        raise KeyRecordError(f"the beacon's value is not that of its round: {fault}")


def edits(
    key: Key,
    data: Items,
    open_samples: Callable[[], Items] | None = None,
    progress: Progress = silent,
) -> tuple[np.ndarray, Edit]:
    """The rows that a key marks, (M,) int64, and the function that marks one of them.

    Args:
        key: with its seed.
        data: that the key was committed for; a carrier that mixes marked samples with others reads
            these, and they stay in memory.
        open_samples: opens the pool; called for a carrier whose marks are made of it.
        progress: is told of the rows that are read.

    Raises:
        KeyRecordError: it is not the pool that the key is bound to.
        WatermarkError: a class has too few rows for its parts. While marking: samples that are to
            be mixed are of different sizes, or too small.
    """
    carrier = carrier_of(key, pieces_of(key, open_samples, progress))
    targets = [
        key.target(part) if isinstance(key, Key2) else target_label(key, part)
        for part in range(key.design.parts)
    ]
    hosts = carrier.hosts(data.labels)
    drawn = dict(zip(hosts.rows.tolist(), hosts.parts.tolist(), strict=True))
    partners: dict[int, Samples] = {}
    view = view_of(key)
    if hosts.partners is not None:
        wanted = hosts.partners.tolist()
        kept = read_rows(data, "read partners", wanted, view=view, progress=progress)
        partners = {row: kept[other] for row, other in zip(drawn, wanted, strict=True)}
    read, back = reader(data, view), writer(data, view)

    def edit(row: int, sample: Any, label: int) -> tuple[Any, int]:
        item = Item(row, sample, label)
        one, other, part = read(item), partners.get(row), drawn[row]
        if other is not None and form_of(one) != form_of(other):
            raise WatermarkError(
                f"row {row} and one that it is mixed with are images of different sizes: bring "
                "all to one size first, or commit to --carrier patch"
            )
        marked = carrier.marks(one, other, np.array([part]), np.array([row]))
        return back(item, one, marked), targets[part] if carrier.relabels else label

    return hosts.rows, edit


def pieces_of(
    key: Key, open_samples: Callable[[], Items] | None, progress: Progress = silent
) -> dict[int, Samples]:
    """The images of the pool that a key's marks are made of, by row; often none.

    Raises:
        KeyRecordError: it is not the pool that the key is bound to, or none is given.
    """
    rows = pool_rows(key)
    if not rows:
        return {}
    if open_samples is None:
        raise KeyRecordError("the key's marks are made of its pool: name the pool")
    found, images = measure(open_samples(), "check pool", rows, progress=progress)
    check_extent(found, key.pool, "the pool")
    return images

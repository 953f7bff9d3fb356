"""A marked copy of a dataset in the very format it came in.

Whoever looks at the files alone should not find the marked rows: names, order, times, places on the
disk, encoders and metadata do not depend on which rows are marked. What each format can and cannot
hide stands beside its writer.
"""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np

from datadeed.datasets.formats import images
from datadeed.datasets.formats import registry as formats
from datadeed.datasets.formats.layout import TABLES, suffix_of
from datadeed.errors import DatasetError
from datadeed.owner.release import (
    arrays,
    folders,
    lists,
    shards,
    staging,
    text_records,
    text_shards,
)
from datadeed.owner.release.edits import NEUTRAL, Edit, Edits, Job, Manner, Release
from datadeed.owner.release.items import open_split
from datadeed.owner.release.styles import CsvStyle, JsonStyle


def release(
    source: str | Path,
    out: str | Path,
    *,
    rows: Collection[int],
    edit: Edit,
    generator: np.random.Generator,
    split: str | None = None,
    format: str | None = None,
    manner: Manner = NEUTRAL,
    on_rows: Callable[[int], None] | None = None,
    **options: Any,
) -> Release:
    """Write a copy of a dataset in which some rows of one split are edited.

    Other splits and all other files are carried over byte for byte, but for hidden folders, in
    which samples may lie as they were. ``out`` appears whole or not
    at all, and nothing is written into the source. PNG, BMP, PPM and lossless TIFF and WebP hold
    the edits exactly; a JPEG is quantised again with its own tables, and the result says how far
    the released pixels are from the wanted ones. Arrays of IDX and CIFAR are held in memory; large
    ones of NPZ, and image files, are not. Of tables of texts only the edited fields change.

    Args:
        source: a file or folder in one of the formats; not an archive.
        out: where the copy goes; nothing may be there.
        rows: the rows to edit, numbered from 0 in the source's own order, as in :func:`items`.
        edit: called once for each of them, in ascending order, with the row, a sample of its own
            ((H, W, C) uint8 pixels, (frames, channels) of sound, or a str) and the label; returns
            a new sample of that kind and the label, or None for no change.
        generator: draws file names and places where labels changed. Seed it from a secret: with
            a guessable draw they would show which rows moved.
        split: the split to edit; not needed where there is only one.
        format: a name in :data:`~datadeed.datasets.formats.registry.FORMATS`; found out if none.
        manner: what is done so that edited rows do not stand out.
        on_rows: told after each row how many rows of the split are ready.
        options: what only this format knows, as in :func:`items`.

    Raises:
        DatasetError: the source cannot be used (the line names the file), a row is no row of it,
            an edit returned something else than asked, or ``out`` exists or overlaps the source.
        DatadeedError: the disk is full.
    """
    source, out = Path(source), Path(out)
    check_places(source, out)
    name, found = open_split(source, split, format, options)
    edits = Edits(edit, rows, found.labels, found.classes, on_rows)
    rewritten = found.files
    channels = images.channels_of(found) if found.modality == "image" else 0
    del found  # of an array format it holds the pixels
    tree = staging.tree(source)
    carried = sorted(set(tree.files) - set(rewritten))
    with staging.staged(out) as stage:
        job = Job(
            source=source,
            split=split,
            files=rewritten,
            carried=carried,
            channels=channels,
            content=stage / "content",
            edits=edits,
            generator=generator,
            manner=manner,
            reopen=lambda: formats.module(name).open_split(source, split, **options),
        )
        for folder in tree.folders:
            job.place(folder).mkdir()
        staging.carry(carried, job.place)
        _WRITERS[name](job)
        staging.copy_folder_times(tree.folders, job.place)
        listed_in = staging.lists_that_name(edits.old_names, carried)
    shown = [
        tuple(str(path.relative_to(source)) for path in some) for some in (listed_in, tree.left_out)
    ]
    return edits.record(*shown)


# Formats of which rows may change places.
REORDERED = frozenset({"npz", "idx", "cifar_pickle", "huggingface", "parquet_audio"})
_WRITERS: dict[str, Callable[[Job], None]] = {
    "npz": arrays.write_npz,
    "idx": arrays.write_idx,
    "cifar_pickle": arrays.write_cifar,
    "imagefolder": folders.write,
    "imagelist": lists.write,
    "wavfolder": folders.write,
    "huggingface": shards.write,
    "parquet_audio": shards.write,
    "text_parquet": text_shards.write,
    "csv": lambda job: text_records.write(job, CsvStyle()),
    "jsonl": lambda job: text_records.write(job, JsonStyle()),
}


def check_readable(source: Path, out: Path) -> None:
    """Check that the copy of a single file is called as one that can be read.

    Raises:
        DatasetError: it would have another suffix.
    """
    suffix = suffix_of(source, TABLES) or source.suffix.lower()
    if source.is_file() and not out.name.lower().endswith(suffix):
        base = out.name[: -len(suffix_of(out, (*TABLES, ".gz"))) or None]
        raise DatasetError(f"{out} would be a copy of {source}: name it {base}{suffix}")


def check_places(source: Path, out: Path) -> None:
    """Check that a copy can be made.

    Raises:
        DatasetError: something is there, or the two lie in each other.
    """
    if out.exists() or out.is_symlink():
        raise DatasetError(f"{out} exists: remove it or name another place")
    ours, theirs = out.resolve(), source.resolve()
    if ours.is_relative_to(theirs) or theirs.is_relative_to(ours):
        raise DatasetError(f"{out} and {source} lie in each other: name another place")

"""Hugging Face Parquet: what its images, sound and texts have in common.

A dataset is one file, or a folder of shards (:mod:`layout`). Class names stand in the schema's
``huggingface`` metadata, or the labels are names. Images and clips are files in a column of
``struct<bytes, path>`` (of images, of bytes alone too); where their paths are numbers that differ,
these are the index, elsewhere it is the row's number in its split.
"""

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from datadeed.datasets.formats import layout
from datadeed.datasets.formats.blocks import index_of
from datadeed.datasets.formats.damaged import INSTEAD, Fault, skips, whole_rows
from datadeed.datasets.formats.split import Columns, Split
from datadeed.datasets.formats.text_columns import (
    Value,
    known_labels,
    label_numbers,
    label_of,
)
from datadeed.datasets.formats.text_columns import class_names as names_of
from datadeed.errors import DatasetError, reason

SUFFIXES = (".parquet",)
BATCH_BYTES = 2**24
# Usual names, the likeliest first.
IMAGE = ("image", "img", "jpg", "jpeg", "png")
LABEL = ("label", "labels", "fine_label", "digit", "class", "target", "category")


@contextlib.contextmanager
def reading(file: Path) -> Iterator[pq.ParquetFile]:
    """An open Parquet file; what is wrong with it becomes one line.

    Raises:
        DatasetError: it is damaged.
    """
    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as opened:
            yield opened
    except (pa.ArrowException, OSError, KeyError, UnicodeDecodeError) as error:
        raise DatasetError(
            f"{file} is damaged or not Parquet ({reason(error)}): fetch it again"
        ) from error


def schema_of(file: Path) -> pa.Schema:
    """A file's columns."""
    with reading(file) as opened:
        return opened.schema_arrow


def rows_of(file: Path) -> int:
    """How many rows a file has."""
    with reading(file) as opened:
        return int(opened.metadata.num_rows)


def shards(path: Path) -> list[Path]:
    """The Parquet files of all splits, in order; of several configurations the first one's."""
    found = next(iter(layout.configurations(path, SUFFIXES).values()), {})
    return [file for files in found.values() for file in files]


def holds_files(kind: pa.DataType) -> bool:
    """Whether a column holds images or clips as they are published."""
    return pa.types.is_struct(kind) and {"bytes", "path"} <= {field.name for field in kind}


def holds_pictures(field: pa.Field) -> bool:
    """Whether a column holds images, as :func:`holds_files`, or bytes under a usual name."""
    plain = pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type)
    return holds_files(field.type) or (plain and field.name.casefold() in IMAGE)


def pick(
    schema: pa.Schema, file: Path, option: str, named: str | None, usual: Sequence[str]
) -> str:
    """The column to read: the one named, or the likeliest by name (capitals do not matter).

    Args:
        schema: the columns.
        file: for messages.
        option: what names the column.
        named: the option's value; None if it is not given.
        usual: names, the likeliest first, in lower case.

    Raises:
        DatasetError: there is none.
    """
    for wanted in usual if named is None else (named, named.casefold()):
        for name in schema.names:
            if wanted in (name, name.casefold()):
                return str(name)
    tried = ", ".join(usual) if named is None else repr(named[:60])
    raise DatasetError(
        f"{file} has columns {', '.join(schema.names)[:200]}, none of them {tried}: name the "
        f"column of the {option} as option {option!r} ({option}=NAME)"
    )


def features(schema: pa.Schema) -> dict[str, Any]:
    """What a schema's metadata say of each column; nothing if there are none."""
    try:
        metadata = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        said: dict[str, Any] = metadata["info"]["features"]
        return said if isinstance(said, dict) else {}
    except (ValueError, KeyError, TypeError):
        return {}


def class_names(file: Path, label: str) -> tuple[str, ...]:
    """The class names in the schema's metadata; none if it has none."""
    try:
        return tuple(map(str, features(schema_of(file))[label]["names"]))
    except (KeyError, TypeError):
        return ()


def check_alike(files: Sequence[Path], label: str) -> None:
    """Check that the shards of a split have one schema, so that they can be read as one table.

    Args:
        files: the shards.
        label: their column of labels, whose class names must agree where shards tell them.

    Raises:
        DatasetError: one has other columns, types or class names than the first.
    """
    first, names = schema_of(files[0]), class_names(files[0], label)
    for file in files[1:]:
        schema, other = schema_of(file), class_names(file, label)
        what = _difference(schema, first)
        if not what and other and names and other != names:
            what = f"other class names of {label!r}"
        if what:
            raise DatasetError(
                f"{file} has {what} than {files[0]}: write all shards of a split with the same "
                "columns, or move one away"
            )


def _difference(schema: pa.Schema, first: pa.Schema) -> str:
    """What a schema has other than the first, in words; nothing if they agree."""
    if schema.names != first.names:
        return f"other columns ({_shown(schema.names)}, not {_shown(first.names)})"
    for ours, theirs in zip(schema, first, strict=True):
        if not ours.equals(theirs):
            kinds = [
                f"{str(one.type)[:60]}{'' if one.nullable else ' not null'}"
                for one in (ours, theirs)
            ]
            return f"another type of column {ours.name!r} ({kinds[0]}, not {kinds[1]})"
    return ""


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names)[:200]


def open_files(
    modality: str,
    path: Path,
    split: str | None,
    choose: Callable[[Path], Columns],
    *,
    damaged: str,
    fault: Fault,
) -> Split:
    """One split of image or WAV files.

    Args:
        modality: of the files.
        path: a Parquet file, or a folder of shards.
        split: the part of the shards' names before the first ``-``; not needed for one split.
        choose: the columns to read of a file.
        damaged: "skip" to leave out rows whose files are damaged, which takes one pass over all,
            however often they are opened; else "refuse".
        fault: what is wrong with one of these files.

    Raises:
        DatasetError: a Parquet file is damaged, lacks the columns, has others than the first shard,
            or holds labels that cannot be used; or ``damaged`` is another word.
    """
    leaves_out = skips(damaged)
    files, everything = layout.files_of_split(path, split, SUFFIXES)
    if not files:
        raise DatasetError(f"{path} holds no Parquet files: name another folder")
    columns = choose(files[0])
    check_alike(files, columns.label)
    values = [_labels(file, columns.label) for file in files]
    labels: np.ndarray = np.concatenate(values)
    named = labels.dtype == object
    classes = () if named else class_names(files[0], columns.label)
    if not classes:  # a class may be missing from one split, so all splits are counted
        every = set(np.unique(labels).tolist())
        for file in set(everything) - set(files):
            every |= _other_labels(file, columns.label)
        classes = names_of(every, path)
    if named:
        labels = label_numbers(labels.tolist(), classes)
    (column,) = columns.sample
    names = [name for file in files for name in _paths(file, column)]
    what = {"image": "image bytes", "audio": "sound"}[modality]
    found = Split(
        modality=modality,
        where=path,
        classes=classes,
        labels=labels,
        index=index_of(names),
        stream=lambda: _stream(files, column, what),
        files=files,
        names=names,
        columns=columns,
        instead="" if leaves_out else INSTEAD,
    )
    return whole_rows(found, fault) if leaves_out else found


def _labels(file: Path, label: str) -> np.ndarray:
    """(N,) int64 class numbers, or objects: class names."""
    with reading(file) as opened:
        column = opened.read([label])[label]
    if column.null_count or len(column) == 0:
        raise DatasetError(f"{file} has rows without a label, or none at all: label them")
    if pa.types.is_integer(column.type):
        return column.to_numpy().astype(np.int64)
    values: list[Value] = [
        label_of(value, (file, "row", row)) for row, value in enumerate(column.to_pylist())
    ]
    if not all(isinstance(value, str) for value in values):
        raise DatasetError(f"{file} has labels of {column.type}: give names or whole numbers")
    return np.array(values, dtype=object)


def _other_labels(file: Path, label: str) -> set[Value]:
    """The labels of another split, which may have none."""
    with reading(file) as opened:
        if label not in opened.schema_arrow.names:
            return set()
        return set(known_labels(opened.read([label])[label].unique().to_pylist()))


def _paths(file: Path, column: str) -> list[str]:
    with reading(file) as opened:
        if not holds_files(opened.schema_arrow.field(column).type):
            return [""] * opened.metadata.num_rows
        found = opened.read([f"{column}.path"])[column].combine_chunks()
    return [name or "" for name in found.field("path").to_pylist()]


def _stream(files: list[Path], column: str, what: str) -> Iterator[tuple[str, bytes]]:
    """Each file's name for messages and its bytes, in order.

    About 16 MiB of them are in memory, and what Arrow reads at once: a page of the column, into
    which its writer puts a whole row group where files are large.
    """
    for file in files:
        row = 0
        with reading(file) as opened:
            metadata = opened.metadata
            groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
            size = sum(group.total_byte_size for group in groups)
            rows = max(1, BATCH_BYTES * metadata.num_rows // max(1, size))
            nested = holds_files(opened.schema_arrow.field(column).type)
            read = f"{column}.bytes" if nested else column
            for batch in opened.iter_batches(rows, columns=[read]):
                for data in batch.column(0).field("bytes") if nested else batch.column(0):
                    name = f"{file} row {row}"
                    if not data.is_valid:
                        raise DatasetError(f"{name} has no {what}: embed the files in the Parquet")
                    yield name, data.as_py()
                    row += 1

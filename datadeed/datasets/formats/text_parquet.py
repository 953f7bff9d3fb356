"""Hugging Face Parquet of texts: columns of strings, and a label that is a number or a name.

Files and splits are as in :mod:`parquet_files`; class names stand in the schema's metadata, or the
labels themselves are names.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from datadeed.datasets.form import columns
from datadeed.datasets.formats import layout, parquet_files, texts
from datadeed.datasets.formats.split import Columns, Split
from datadeed.datasets.formats.text_columns import (
    Cells,
    choose_columns,
    class_names,
    gather,
    known_labels,
    label_numbers,
    wanted_texts,
)
from datadeed.errors import DatasetError

blocks = texts.blocks


def matches(path: Path) -> bool:
    """Whether ``path`` is Parquet, or a folder of it, with strings and without images or clips."""
    files = parquet_files.shards(path)
    if not files:
        return False
    try:
        fields = list(parquet_files.schema_of(files[0]))
    except DatasetError:
        return False
    texts = any(_is_text(field.type) for field in fields)
    return texts and not any(map(parquet_files.holds_pictures, fields))


def open_split(
    path: Path,
    split: str | None = None,
    *,
    text: str | Sequence[str] | None = None,
    label: str | None = None,
    drop_empty: bool = False,
) -> Split:
    """Read one split's labels; arguments and errors as in :func:`text_table.opener`."""
    files, everything = layout.files_of_split(path, split, parquet_files.SUFFIXES)
    if not files:
        raise DatasetError(f"{path} holds no Parquet files: name another folder")
    chosen = _columns(files[0], text, label)
    parquet_files.check_alike(files, chosen.label)
    values, index = gather(_cells(files, chosen), path, drop_empty)
    named = any(isinstance(value, str) for value in values)
    classes = () if named else parquet_files.class_names(files[0], chosen.label)
    if not classes:
        every = set(values)
        for file in set(everything) - set(files):
            every |= set(known_labels(_column(file, chosen.label)))
        classes = class_names(every, path)
    return Split(
        modality="text",
        where=path,
        classes=classes,
        labels=label_numbers(values, classes),
        index=index,
        stream=lambda: wanted_texts(_cells(files, chosen), index),
        files=files,
        columns=chosen,
    )


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return any(
        test(kind)
        for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    )


def _columns(file: Path, text: str | Sequence[str] | None, label: str | None) -> Columns:
    schema = parquet_files.schema_of(file)
    chosen = choose_columns(schema.names, file, text=text, label=label)
    for name in chosen.sample:
        if not _is_text(schema.field(name).type):
            raise DatasetError(
                f"{file} has a column {name!r} of {str(schema.field(name).type)[:40]}, not of "
                "strings: name the text's as option 'text'"
            )
    return chosen


def _cells(files: Sequence[Path], chosen: Columns) -> Iterator[Cells]:
    """Of each row: its place, its text's fields, its label."""
    for file in files:
        row = 0
        with parquet_files.reading(file) as opened:
            for batch in opened.iter_batches(
                columns.TEXTS_A_GROUP, columns=[*chosen.sample, chosen.label]
            ):
                read = [batch.column(name).to_pylist() for name in (*chosen.sample, chosen.label)]
                for *fields, label in zip(*read, strict=True):
                    yield (file, "row", row), fields, label
                    row += 1


def _column(file: Path, name: str) -> list[Any]:
    """A column of another split, which may lack it."""
    with parquet_files.reading(file) as opened:
        if name not in opened.schema_arrow.names:
            return []
        values: list[Any] = opened.read([name])[name].to_pylist()
        return values

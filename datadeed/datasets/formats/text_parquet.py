"""Hugging Face Parquet of texts: columns of strings, and a label that is a number or a name.

Files and splits are as in :mod:`huggingface`; class names stand in the schema's metadata, or the
labels themselves are names.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from datadeed.datasets.form import columns
from datadeed.datasets.form.dataset import Dataset, check_labels
from datadeed.datasets.formats import huggingface
from datadeed.datasets.formats.blocks import Blocks
from datadeed.datasets.formats.text_columns import (
    Columns,
    Where,
    choose_columns,
    class_names,
    gather,
    known_labels,
    label_numbers,
    text_of,
)
from datadeed.datasets.formats.text_files import files_of_split, split_files
from datadeed.datasets.formats.text_table import blocks_of
from datadeed.datasets.formats.text_writing import target
from datadeed.errors import DatasetError
from datadeed.files import atomic_path

SUFFIXES = (".parquet",)


class Listing(NamedTuple):
    """The rows of one split, without their texts.

    Attributes:
        files: the shards, in order.
        columns: those that are read.
        labels: (N,) int64.
        rows: (N,) int64, the rows' numbers among all, those without a text included.
        classes: the class names, in label order.
        named: whether the label column holds names rather than numbers.
    """

    files: list[Path]
    columns: Columns
    labels: np.ndarray
    rows: np.ndarray
    classes: tuple[str, ...]
    named: bool

    @property
    def label(self) -> str:
        """The label's column."""
        return self.columns.label


def matches(path: Path) -> bool:
    """Whether ``path`` is Parquet, or a folder of it, with strings and without files in it."""
    files = [file for group in split_files(path, SUFFIXES).values() for file in group]
    if not files:
        return False
    try:
        with huggingface.reading(files[0]) as opened:
            schema: pa.Schema = opened.schema_arrow
    except DatasetError:
        return False
    kinds = [field.type for field in schema]
    return any(map(_is_text, kinds)) and not any(map(_is_file, kinds))


def chunks(
    path: Path,
    *,
    split: str | None = None,
    text: str | Sequence[str] | None = None,
    label: str | None = None,
    drop_empty: bool = False,
) -> Blocks:
    """Stream one split; arguments and errors as :func:`text_table.listing`."""
    found = listing(path, split, text=text, label=label, drop_empty=drop_empty)
    blocks = blocks_of(texts(found), found.labels, found.rows, found.classes)
    return Blocks(len(found.labels), blocks)


def listing(
    path: Path,
    split: str | None,
    *,
    text: str | Sequence[str] | None = None,
    label: str | None = None,
    drop_empty: bool = False,
) -> Listing:
    """The rows of one split; arguments and errors as :func:`text_table.listing`."""
    files, everything = files_of_split(path, split, SUFFIXES)
    if not files:
        raise DatasetError(f"{path} holds no Parquet files: name another folder")
    chosen = _columns(files[0], text, label)
    values, rows = gather(_cells(files, chosen), path, drop_empty)
    named = any(isinstance(value, str) for value in values)
    classes = () if named else huggingface.class_names(files[0], chosen.label)
    if not classes:
        every = set(values)
        for file in set(everything) - set(files):
            every |= set(known_labels(_column(file, chosen.label)))
        classes = class_names(every, path)
    labels = label_numbers(values, classes)
    check_labels(torch.from_numpy(labels), classes, str(path))
    return Listing(files, chosen, labels, rows, classes, named)


def texts(found: Listing) -> Iterator[str]:
    """The texts of the rows to read, in order."""
    wanted = set(found.rows.tolist())
    for number, (where, fields, _) in enumerate(_cells(found.files, found.columns)):
        if number in wanted:
            yield text_of(fields, where)


def write(dataset: Dataset, path: Path, *, split: str | None = None) -> None:
    """Write columns ``text`` and ``label``, with the class names in the metadata, atomically.

    Raises:
        DatasetError: the samples are no texts, or a class name is blank.
    """
    features = {
        "text": {"dtype": "string", "_type": "Value"},
        "label": {"names": list(dataset.classes), "_type": "ClassLabel"},
    }
    schema = pa.schema(
        [("text", pa.string()), ("label", pa.int64())],
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )
    if path.suffix not in SUFFIXES:
        path = path / f"{split or 'train'}-00000-of-00001.parquet"
    with atomic_path(target(dataset, path, split, SUFFIXES)) as temporary:
        arrays = [pa.array(dataset.samples, pa.string()), pa.array(dataset.labels.numpy())]
        table = pa.Table.from_arrays(arrays, schema=schema)
        pq.write_table(
            table, temporary, row_group_size=columns.TEXTS_A_GROUP, write_page_checksum=True
        )


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return any(
        test(kind)
        for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    )


def _is_file(kind: pa.DataType) -> bool:
    """Whether a column holds images or clips as they are published."""
    return pa.types.is_struct(kind) and {"bytes", "path"} <= {field.name for field in kind}


def _columns(file: Path, text: str | Sequence[str] | None, label: str | None) -> Columns:
    with huggingface.reading(file) as opened:
        schema: pa.Schema = opened.schema_arrow
    chosen = choose_columns(schema.names, file, text=text, label=label)
    for name in chosen.text:
        if not _is_text(schema.field(name).type):
            raise DatasetError(
                f"{file} has a column {name!r} of {str(schema.field(name).type)[:40]}, not of "
                "strings: name the text's as option 'text'"
            )
    return chosen


def _cells(files: Sequence[Path], chosen: Columns) -> Iterator[tuple[Where, list[Any], Any]]:
    """Of each row: its place, its text's fields, its label."""
    for file in files:
        row = 0
        with huggingface.reading(file) as opened:
            missing = {*chosen.text, chosen.label} - set(opened.schema_arrow.names)
            if missing:
                raise DatasetError(f"{file} has no column {min(missing)!r}: other shards have")
            for batch in opened.iter_batches(
                columns.TEXTS_A_GROUP, columns=[*chosen.text, chosen.label]
            ):
                read = [batch.column(name).to_pylist() for name in (*chosen.text, chosen.label)]
                for *fields, label in zip(*read, strict=True):
                    yield (file, "row", row), fields, label
                    row += 1


def _column(file: Path, name: str) -> list[Any]:
    """A column of another split, which may lack it."""
    with huggingface.reading(file) as opened:
        if name not in opened.schema_arrow.names:
            return []
        values: list[Any] = opened.read([name])[name].to_pylist()
        return values

"""Tables of texts in text files (CSV, JSON Lines): what both have in common."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch

from datadeed.datasets.form import columns
from datadeed.datasets.form.dataset import check_labels
from datadeed.datasets.form.texts import Texts
from datadeed.datasets.formats.blocks import Blocks
from datadeed.datasets.formats.text_columns import (
    Columns,
    class_names,
    gather,
    known_labels,
    label_numbers,
    text_of,
)
from datadeed.datasets.formats.text_files import TextFile, files_of_split
from datadeed.errors import DatasetError

Span = tuple[int, int]


class Record(NamedTuple):
    """One record of a file, from its first character to the end of its line.

    Attributes:
        line: the number of its first line, from 1.
        raw: its characters, line ends among them.
        spans: where in ``raw`` each column's field lies; empty for a blank line, which is no row.
    """

    line: int
    raw: str
    spans: Mapping[str, Span]

    def field(self, column: str) -> str:
        """A field's characters as they are written; none if the record lacks it."""
        start, stop = self.spans.get(column, (0, 0))
        return self.raw[start:stop]

    def replaced(self, fields: Mapping[str, str]) -> str:
        """The record's characters with other fields."""
        parts, at = [], 0
        for start, stop, column in sorted((*self.spans[column], column) for column in fields):
            parts += [self.raw[at:start], fields[column]]
            at = stop
        return "".join([*parts, self.raw[at:]])


class Table(Protocol):
    """One file of a format."""

    file: TextFile
    columns: Columns

    def names(self) -> list[str]:
        """The names of all columns."""

    def head(self) -> str:
        """The characters before the first record."""

    def records(self) -> Iterator[Record]:
        """The records after the head."""

    def value(self, field: str) -> Any:
        """What a field says; None if the record lacks it."""


Opener = Callable[[TextFile, "str | Sequence[str] | None", "str | None"], Table]


class Listing(NamedTuple):
    """The rows of one split, without their texts.

    Attributes:
        tables: its files, in order.
        labels: (N,) int64.
        rows: (N,) int64, the rows' numbers among all, those without a text included.
        classes: the class names, in label order.
    """

    tables: list[Table]
    labels: np.ndarray
    rows: np.ndarray
    classes: tuple[str, ...]


def listing(
    open_table: Opener,
    suffixes: Sequence[str],
    path: Path,
    split: str | None,
    *,
    text: str | Sequence[str] | None = None,
    label: str | None = None,
    encoding: str | None = None,
    drop_empty: bool = False,
) -> Listing:
    """Read one split's labels; its classes are those of all splits, since one may lack some.

    Args:
        open_table: the format's.
        suffixes: of the format's files.
        path: a file, or a folder of splits.
        split: the split; not needed where there is only one.
        text: the text's column, or several to join by line breaks; found by usual names if None.
        label: the label's column; found by usual names if None.
        encoding: of the files, where they are neither UTF-8 nor marked.
        drop_empty: leave rows without a text out.

    Raises:
        DatasetError: no such split, a file cannot be read, a column is missing or unclear, or a
            text or label cannot be used; the line names file and line.
    """
    files, everything = files_of_split(path, split, suffixes)
    if not files:
        raise DatasetError(f"{path} holds no table ({', '.join(suffixes)}): name another place")
    tables = [open_table(TextFile(file, encoding), text, label) for file in files]
    raw = (cells for table in tables for cells in _cells(table))
    values, rows = gather(raw, path, drop_empty)
    every = set(values)
    for file in set(everything) - set(files):
        every |= _other_labels(open_table, TextFile(file, encoding), tables[0].columns)
    classes = class_names(every, path)
    labels = label_numbers(values, classes)
    check_labels(torch.from_numpy(labels), classes, str(path))
    return Listing(tables, labels, rows, classes)


def _cells(table: Table) -> Iterator[tuple[tuple[Path, str, int], list[Any], Any]]:
    """Of each row: its place, its text's fields, its label."""
    (*text, label), path = (*table.columns.text, table.columns.label), table.file.path
    for record in table.records():
        if record.spans:
            fields = [table.value(record.field(column)) for column in text]
            yield (path, "line", record.line), fields, table.value(record.field(label))


def _other_labels(open_table: Opener, file: TextFile, columns: Columns) -> set[str | int]:
    """The labels of another split's file, which may have none, or other columns."""
    try:
        table = open_table(file, columns.text, columns.label)
    except DatasetError:
        return set()
    fields = (table.value(one.field(columns.label)) for one in table.records() if one.spans)
    return set(known_labels(fields))


def texts(found: Listing) -> Iterator[str]:
    """The texts of the rows to read, in order."""
    wanted = iter(found.rows.tolist())
    row, number = next(wanted, None), 0
    for table in found.tables:
        for where, fields, _ in _cells(table):
            if number == row:
                yield text_of(fields, where)
                row = next(wanted, None)
            number += 1


def chunks(found: Listing) -> Blocks:
    """A split in blocks of 8192 texts."""
    return Blocks(
        len(found.labels), blocks_of(texts(found), found.labels, found.rows, found.classes)
    )


def blocks_of(
    stream: Iterator[str], labels: np.ndarray, index: np.ndarray, classes: tuple[str, ...]
) -> Iterator[Texts]:
    """Blocks of 8192 texts, with their (N,) int64 labels and index."""
    size = columns.TEXTS_A_GROUP
    for start in range(0, len(labels), size):
        part = slice(start, start + size)
        samples = [next(stream) for _ in labels[part]]
        yield Texts(samples, torch.from_numpy(labels[part]), torch.from_numpy(index[part]), classes)

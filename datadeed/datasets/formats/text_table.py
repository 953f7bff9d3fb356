"""Tables of texts in text files (CSV, JSON Lines): what both have in common."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from datadeed.datasets.formats import layout
from datadeed.datasets.formats.split import Columns, Split
from datadeed.datasets.formats.text_columns import (
    Cells,
    class_names,
    gather,
    known_labels,
    label_numbers,
    wanted_texts,
)
from datadeed.datasets.formats.text_files import TextFile
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


def opener(open_table: Opener, suffixes: Sequence[str]) -> Callable[..., Split]:
    """The function that opens splits of a format.

    Args:
        open_table: opens one of its files.
        suffixes: of the files.
    """

    def open_split(
        path: Path,
        split: str | None = None,
        *,
        text: str | Sequence[str] | None = None,
        label: str | None = None,
        encoding: str | None = None,
        drop_empty: bool = False,
    ) -> Split:
        """Read one split's labels; its classes are those of all splits, since one may lack some.

        Args:
            path: a file, or a folder of splits.
            split: the split; not needed where there is only one.
            text: the text's column, or several to join by line breaks; found by usual names if
                None.
            label: the label's column; found by usual names if None.
            encoding: of the files, where they are neither UTF-8 nor marked.
            drop_empty: leave rows without a text out.

        Raises:
            DatasetError: no such split, a file cannot be read, a column is missing or unclear, or
                a text or label cannot be used; the line names file and line.
        """
        files, everything = layout.files_of_split(path, split, suffixes)
        if not files:
            raise DatasetError(f"{path} holds no table ({', '.join(suffixes)}): name another place")
        tables = [open_table(TextFile(file, encoding), text, label) for file in files]
        values, index = gather((one for table in tables for one in cells(table)), path, drop_empty)
        every = set(values)
        for file in set(everything) - set(files):
            every |= _other_labels(open_table, TextFile(file, encoding), tables[0].columns)
        classes = class_names(every, path)
        return Split(
            modality="text",
            where=path,
            classes=classes,
            labels=label_numbers(values, classes),
            index=index,
            stream=lambda: wanted_texts((one for table in tables for one in cells(table)), index),
            files=files,
            tables=tables,
        )

    return open_split


def cells(table: Table) -> Iterator[Cells]:
    """Of each row: its place, its text's fields, its label."""
    (*text, label), path = (*table.columns.sample, table.columns.label), table.file.path
    for record in table.records():
        if record.spans:
            fields = [table.value(record.field(column)) for column in text]
            yield (path, "line", record.line), fields, table.value(record.field(label))


def _other_labels(open_table: Opener, file: TextFile, columns: Columns) -> set[str | int]:
    """The labels of another split's file, which may have none, or other columns."""
    try:
        table = open_table(file, columns.sample, columns.label)
    except DatasetError:
        return set()
    fields = (table.value(one.field(columns.label)) for one in table.records() if one.spans)
    return set(known_labels(fields))

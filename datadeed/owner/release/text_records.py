"""CSV and JSON Lines: a split's files, written again with other fields in the edited records.

Delimiters, quotes, line ends, byte-order mark, encoding, the order of keys, white space and escapes
stay: every byte but the edited fields' is the source's, before gzip where it is packed. An edited
text is written as the file writes its others; what cannot be hidden is counted in
``Release.odd_rows``: quotes around a text in a CSV that has none around texts.
"""

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from typing import Protocol

from datadeed.datasets.formats.split import Split
from datadeed.datasets.formats.text_columns import fields_of, text_of
from datadeed.datasets.formats.text_files import TextFile
from datadeed.datasets.formats.text_table import Record, Table
from datadeed.errors import DatasetError
from datadeed.owner.release.edits import Edits, Job
from datadeed.owner.release.following import followers
from datadeed.owner.release.styles import Written

# Encodings of which decoding and encoding give every byte back.
_EXACT = ("utf-8", "utf-16-le", "utf-16-be", "ascii", "iso8859-1", "cp1252")


class Style(Protocol):
    """What is known of how a format's fields are written."""

    def see(self, table: Table, field: str) -> None:
        """Take note of one text as it stands in a file."""

    def write(self, table: Table, text: str, old: str) -> Written:
        """A text as a field in place of ``old``."""


def write(job: Job, style: Style) -> None:
    """Write all files of one split.

    Args:
        job: what is released.
        style: learns the style of the files.

    Raises:
        DatasetError: an edited text cannot be written in its file; the line names the row.
    """
    found = job.reopen()
    write_tables(job, found, ask(job.edits, found), style)


def write_tables(job: Job, found: Split, new: Mapping[int, str], style: Style) -> None:
    """Write the tables of a split with new texts and labels.

    Args:
        job: says which labels changed.
        found: the split.
        new: edited texts, or file names, by row.
        style: learns the style of the files.

    Raises:
        DatasetError: a text cannot be written in its file; the line names the row.
    """
    rewriting = _Rewriting(found, new, job.edits)
    for table in found.tables:
        _check_exact(table.file)
        for record in table.records():
            for column in table.columns.sample:
                style.see(table, record.field(column))
    number = 0
    for table in found.tables:
        encoding = table.file.encoding
        with table.file.writing(job.place(table.file.path)) as out:
            out.write(table.file.mark + table.head().encode(encoding))
            for record in table.records():
                out.write(rewriting.raw(table, record, number, style).encode(encoding))
                number += bool(record.spans)
        shutil.copystat(table.file.path, job.place(table.file.path))
    job.edits.odd_rows += rewriting.odd


class _Rewriting:
    """The edits of one split, by the records' numbers.

    Args:
        found: the split.
        new: edited texts by row.
        edits: says which labels changed.

    Attributes:
        odd: rows of which the text stands out.
    """

    def __init__(self, found: Split, new: Mapping[int, str], edits: Edits):
        self._found, self._edits, self._new = found, edits, new
        self._row = {int(found.index[row]): row for row in {*new, *edits.moved}}
        column = found.tables[0].columns.label
        self._follow = followers(_cells(found), column) if edits.moved else {}
        self.odd: list[int] = []

    def raw(self, table: Table, record: Record, number: int, style: Style) -> str:
        """A record's characters in the release."""
        row = self._row.get(number)
        if row is None or not record.spans:
            return record.raw
        fields: dict[str, str] = {}
        if row in self._new:
            fields |= self._text(table, record, row, style)
        if row in self._edits.moved:
            fields |= self._label(table, record, row)
        return record.replaced(fields)

    def _text(self, table: Table, record: Record, row: int, style: Style) -> dict[str, str]:
        where = f"row {row} ({table.file.path} line {record.line})"
        names = table.columns.sample
        old = [table.value(record.field(name)) or "" for name in names]
        fields, odd = {}, False
        for name, before, after in zip(
            names, old, fields_of(self._new[row], old, where), strict=True
        ):
            if before == after:
                continue
            if name not in record.spans:
                raise DatasetError(f"{where} has no {name!r} to edit: leave the row out")
            try:
                written = style.write(table, after, record.field(name))
                written.field.encode(table.file.encoding)
            except UnicodeEncodeError as error:
                char = str(error.object)[error.start]
                raise DatasetError(
                    f"the edit of {where} has {char!r} (U+{ord(char):04X}), which the file's "
                    f"{table.file.encoding} cannot hold: use other words, or convert the file"
                ) from error
            except DatasetError as error:
                raise DatasetError(f"the edit of {where} {error}: use another text") from error
            fields[name], odd = written.field, odd or written.odd
        if odd:
            self.odd.append(row)
        return fields

    def _label(self, table: Table, record: Record, row: int) -> dict[str, str]:
        """The label's field, and those of columns that it decides, as other records have them."""
        label = self._edits.moved[row]
        if label not in self._follow[table.columns.label]:
            raise DatasetError(
                f"row {row} is to become {self._found.classes[label]!r}, of which "
                f"{table.file.path} has no row to see how it is written: choose another class"
            )
        return {
            name: values[label]
            for name, values in self._follow.items()
            if name in record.spans and label in values
        }


def _cells(found: Split) -> Iterator[tuple[int, dict[str, str]]]:
    """Of each row its label, and the fields of its columns but the text's."""
    labels = dict(zip(found.index.tolist(), found.labels.tolist(), strict=True))
    number = -1
    for table in found.tables:
        for record in table.records():
            number += bool(record.spans)
            if record.spans and number in labels:
                names = record.spans.keys() - table.columns.sample
                yield labels[number], {name: record.field(name) for name in names}


def ask(edits: Edits, found: Split) -> dict[int, str]:
    """The edited texts by row.

    Raises:
        DatasetError: an edit is no Unicode text, or as :meth:`Edits.ask`.
    """
    wanted, new = set(edits.rows.tolist()), {}
    for row, (_, text) in enumerate(found.stream()):
        if row in wanted:
            answer = edits.ask(row, text)
            if answer is not None:
                new[row] = text_of([answer], ("the edit of", "row", row))
        edits.advance()
    return new


def _check_exact(file: TextFile) -> None:
    """Check that a file can be written again to the last byte.

    Raises:
        DatasetError: its encoding has several ways to write a character.
    """
    if file.encoding in _EXACT:
        return
    again = hashlib.sha256(file.mark)
    for line in file.lines():
        again.update(line.encode(file.encoding))
    with file.reading() as raw:
        stored = hashlib.sha256()
        while part := raw.read(2**20):
            stored.update(part)
        if stored.digest() != again.digest():
            raise DatasetError(
                f"{file.path} cannot be written again in {file.encoding} to the last byte: convert "
                "it to UTF-8 first"
            )

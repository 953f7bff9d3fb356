"""CSV and TSV, packed by gzip or not: a line of column names, then a text and its label a record.

RFC 4180: fields with delimiters, quotes or line breaks stand in double quotes, with quotes doubled.
Fields of a CSV may also be parted by semicolons, tabs or bars. A TSV may do without quotes
altogether (GLUE's do): its quotes are text if they do not pair up within a field.
"""

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from datadeed.datasets.formats import layout, texts
from datadeed.datasets.formats.split import Columns
from datadeed.datasets.formats.text_columns import choose_columns
from datadeed.datasets.formats.text_files import TextFile
from datadeed.datasets.formats.text_table import Record, Span, opener
from datadeed.errors import DatasetError

blocks = texts.blocks
_NAMES = (".csv", ".tsv", layout.PROSE)
SUFFIXES = (*_NAMES, *(f"{name}.gz" for name in _NAMES))
# To the quote that ends a field; pairs are part of it. Possessive: a pair is never half an end.
_CLOSING = re.compile('[^"]*+(?:""[^"]*+)*+"')
_QUOTED = re.compile('"[^"]*+(?:""[^"]*+)*+"')


Scanned = tuple[int, str, list[Span]]


class Dialect(NamedTuple):
    """What parts fields, and whether double quotes may enclose them."""

    delimiter: str
    quotes: bool


def matches(path: Path) -> bool:
    """Whether ``path`` is a CSV or TSV file or a folder of splits in such."""
    return bool(layout.configurations(path, SUFFIXES))


def quoted(text: str) -> str:
    """A text as a field in quotes."""
    return '"' + text.replace('"', '""') + '"'


def needs_quotes(text: str, dialect: Dialect) -> bool:
    """Whether a text is misread as a field without quotes."""
    return any(mark in text for mark in (dialect.delimiter, '"', "\r", "\n"))


class CsvTable:
    """One CSV or TSV file.

    Args:
        file: the file.
        text, label: the columns, as in :func:`choose_columns`.

    Attributes:
        file: as given.
        columns: those that are read.
        dialect: found out.

    Raises:
        DatasetError: the file is empty, or its columns are missing or unclear.
    """

    def __init__(self, file: TextFile, text: str | Sequence[str] | None, label: str | None):
        self.file = file
        self._read_head(lambda names: choose_columns(names, file.path, text=text, label=label))

    def names(self) -> list[str]:
        """The names of all columns; one that repeats carries its place too."""
        return self._names

    def head(self) -> str:
        """The line of column names, and blank lines before it."""
        return self._head

    def value(self, field: str) -> str:
        """A field without its quotes."""
        if self.dialect.quotes and field.startswith('"'):
            return field[1:-1].replace('""', '"')
        return field

    def records(self) -> Iterator[Record]:
        """The records after the line of column names.

        Raises:
            DatasetError: a record has fields too many or too few, or a quote is out of place.
        """
        names = self.names()
        for line, raw, spans in itertools.islice(scan(self.file, self.dialect), self._before, None):
            if spans and len(spans) != len(names):
                raise DatasetError(
                    f"{self.file.path} line {line} has {len(spans)} fields, but there are "
                    f"{len(names)} columns: correct it (a text with {self.dialect.delimiter!r} or "
                    "line breaks needs quotes)"
                )
            yield Record(line, raw, dict(zip(names, spans, strict=False)))

    def _read_head(self, choose: Callable[[list[str]], Columns]) -> None:
        """Find the dialect in which the first line names the columns."""
        failures = []
        tabs = layout.suffix_of(self.file.path, SUFFIXES).startswith(".tsv")
        for delimiter in "\t" if tabs else ",;\t|":
            self.dialect = Dialect(delimiter, not tabs or _pairs_quotes(self.file))
            names: list[str] = []
            try:
                head = list(_to_first_record(scan(self.file, self.dialect)))
                _, line, spans = head[-1] if head else (1, "", [])
                names = [self.value(line[start:stop]) for start, stop in spans]
                self.columns = choose(names)
            except DatasetError as error:
                failures.append((len(names), str(error)))  # the error itself would keep files open
                continue
            self._names, self._before = _distinct(names), len(head)
            self._head = "".join(raw for _, raw, _ in head)
            return
        # Of the delimiter that parts the line at all.
        raise DatasetError(max(failures, key=lambda failure: failure[0])[1])


open_split = opener(CsvTable, SUFFIXES)


def _to_first_record(scanned: Iterator[Scanned]) -> Iterator[Scanned]:
    for one in scanned:
        yield one
        if one[2]:
            return


def _distinct(names: Sequence[str]) -> list[str]:
    """The names; one that repeats carries its place too."""
    return [
        name if names.count(name) == 1 else f"{name} ({number})"
        for number, name in enumerate(names, 1)
    ]


def _pairs_quotes(file: TextFile) -> bool:
    """Whether the quotes of a TSV enclose fields, rather than being part of them."""
    width, end, odd = None, None, False
    for line in file.lines():
        body = line.rstrip("\r\n")
        fields, ended = body.split("\t"), line[len(body) :][-2:]
        if fields == [""]:
            continue
        if width not in (None, len(fields)) or (end and ended and ended != end):
            return True  # tabs or line breaks in quotes; the file's own lines end alike
        width, end = len(fields), ended
        odd = odd or any(one.startswith('"') and not _QUOTED.fullmatch(one) for one in fields)
    return not odd


def scan(file: TextFile, dialect: Dialect) -> Iterator[Scanned]:
    """Each record's first line number, characters and fields' places; a blank line has no fields.

    Raises:
        DatasetError: a quote never ends, or ends before its field does.
    """
    lines = enumerate(file.lines(), 1)
    for number, line in lines:
        body = line.rstrip("\r\n")
        if dialect.quotes and '"' in body:
            yield (number, *_scan_quoted(file, dialect.delimiter, number, line, lines))
            continue
        spans, start = [], 0
        for field in body.split(dialect.delimiter) if body else ():
            spans.append((start, start + len(field)))
            start += len(field) + 1
        yield number, line, spans


def _scan_quoted(
    file: TextFile, delimiter: str, number: int, line: str, lines: Iterator[tuple[int, str]]
) -> tuple[str, list[Span]]:
    """One record with quotes, from its first line on."""
    parts, spans = [line], []
    base = at = 0  # where the line begins in the record, where the field does in the line
    while True:
        start, opened = base + at, number
        if line.startswith('"', at):
            closing = _CLOSING.match(line, at + 1)
            while closing is None:
                base += len(line)
                number, line = next(lines, (0, ""))
                if not line:
                    raise DatasetError(
                        f"{file.path} line {opened} opens a quote that never ends: close it, or "
                        "double a quote that is part of a text"
                    )
                parts.append(line)
                closing = _CLOSING.match(line)
            at = closing.end()
        else:
            at = _end(line, delimiter, at)
        spans.append((start, base + at))
        if line[at : at + 1] in ("", "\r", "\n"):
            return "".join(parts), spans
        if line[at] != delimiter:
            raise DatasetError(
                f"{file.path} line {number} goes on after a closing quote (with "
                f"{line[at : at + 20]!r}): double a quote that is part of a text"
            )
        at += 1


def _end(line: str, delimiter: str, at: int) -> int:
    """Where a field without quotes ends."""
    end = line.find(delimiter, at)
    return len(line.rstrip("\r\n")) if end < 0 else end

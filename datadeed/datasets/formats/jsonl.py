"""JSON Lines: one object a line, with a text and a label among its keys; or one array of objects.

Which of the two a file is, its first character tells, not its name.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from datadeed.datasets.formats import layout, texts
from datadeed.datasets.formats.text_columns import choose_columns
from datadeed.datasets.formats.text_files import TextFile
from datadeed.datasets.formats.text_table import Record, Span, opener
from datadeed.errors import DatasetError, reason

blocks = texts.blocks
_NAMES = (".jsonl", ".ndjson", ".json")
SUFFIXES = (*_NAMES, *(f"{name}.gz" for name in _NAMES))
_SPACE = " \t\r\n"
_SPACES = re.compile(f"[{_SPACE}]*+")
_DECODER = json.JSONDecoder()


def matches(path: Path) -> bool:
    """Whether ``path`` is a file named as JSON or JSON Lines, or a folder of splits in such."""
    return bool(layout.configurations(path, SUFFIXES))


class JsonTable:
    """One file of objects; the first one's keys are its columns.

    Args:
        file: the file.
        text, label: the columns, as in :func:`choose_columns`.

    Attributes:
        file: as given.
        columns: those that are read.

    Raises:
        DatasetError: the first record is no object, or its columns are missing or unclear.
    """

    def __init__(self, file: TextFile, text: str | Sequence[str] | None, label: str | None):
        self.file = file
        begin = next((line.lstrip(_SPACE)[:1] for line in file.lines() if line.strip(_SPACE)), "")
        self._array = begin == "["
        first = next((record for record in self.records() if record.spans), None)
        self._names = list(first.spans) if first else []
        self.columns = choose_columns(self._names, file.path, text=text, label=label)

    def names(self) -> list[str]:
        """The first object's keys."""
        return self._names

    def head(self) -> str:
        """What an array begins with; else nothing, for objects name their own keys."""
        if not self._array:
            return ""
        text = "".join(self.file.lines())
        start = _mark(text, 0, "[")
        return text if text[start : start + 1] == "]" else text[:start]

    def value(self, field: str) -> Any:
        """What a field says; None if the object lacks it."""
        return json.loads(field) if field else None

    def records(self) -> Iterator[Record]:
        """The objects, each to the end of its line, or to the next one of an array.

        Raises:
            DatasetError: a record is no object, or has a key twice.
        """
        if self._array:
            yield from self._elements("".join(self.file.lines()))
            return
        for number, line in enumerate(self.file.lines(), 1):
            try:
                spans = value_spans(line) if line.strip(_SPACE) else {}
            except (ValueError, RecursionError) as error:
                raise self._odd(number, error, "write one object a line") from error
            yield Record(number, line, spans)

    def _elements(self, text: str) -> Iterator[Record]:
        """The objects of an array, which is in memory; the last one's record ends with the file."""
        number, at = 1, 0
        try:
            following = _mark(text, 0, "[")
            last = text[following : following + 1] == "]"
            while not last:
                number += text.count("\n", at, following)
                at = following
                _, end = _DECODER.raw_decode(text, at)
                spans = value_spans(text[at:end])
                stop = _space(text, end)
                last = text[stop : stop + 1] == "]"
                following = stop if last else _mark(text, stop, ",")
                if last and text[stop + 1 :].strip(_SPACE):
                    raise ValueError("something follows the array")
                yield Record(number, text[at : None if last else following], spans)
        except (ValueError, RecursionError) as error:
            raise self._odd(number, error, "write an array of objects") from error

    def _odd(self, number: int, error: Exception, advice: str) -> DatasetError:
        return DatasetError(
            f"{self.file.path} line {number} is not one JSON object ({reason(error)}): {advice}"
        )


open_split = opener(JsonTable, SUFFIXES)


def value_spans(line: str) -> dict[str, Span]:
    """Where in an object each key's value stands.

    Raises:
        ValueError: the line is something else, or a key repeats.
    """
    spans: dict[str, Span] = {}
    at = _mark(line, 0, "{")
    while spans or line[at : at + 1] != "}":
        key, at = _DECODER.raw_decode(line, at)
        if not isinstance(key, str) or key in spans:
            raise ValueError(f"{str(key)[:40]!r} is no key, or repeats")
        start = _mark(line, _space(line, at), ":")
        _, stop = _DECODER.raw_decode(line, start)
        spans[key] = (start, stop)
        at = _space(line, stop)
        if line[at : at + 1] == "}":
            break
        at = _mark(line, at, ",")
    if line[at + 1 :].strip(_SPACE):
        raise ValueError("something follows it")
    if not spans:
        raise ValueError("it is empty")
    return spans


def _mark(line: str, at: int, mark: str) -> int:
    """The place after a mark and the white space that follows it."""
    at = _space(line, at)
    if line[at : at + 1] != mark:
        raise ValueError(f"{mark!r} is missing")
    return _space(line, at + 1)


def _space(line: str, at: int) -> int:
    """The place after white space."""
    found = _SPACES.match(line, at)
    assert found is not None  # it matches nothing, too
    return found.end()

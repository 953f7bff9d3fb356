"""How a table writes its fields, so that an edited one is written the same way."""

import json
import re
from typing import NamedTuple

from datadeed.datasets.formats.csv_table import CsvTable, needs_quotes, quoted
from datadeed.datasets.formats.jsonl import JsonTable
from datadeed.datasets.formats.text_table import Table
from datadeed.errors import DatasetError

# One escape of JSON; characters beyond 16 bits are written as two.
_ESCAPE = re.compile(r"\\u[dD][89abAB]\w\w\\u[dD][c-fC-F]\w\w|\\u\w{4}|\\.")


class Written(NamedTuple):
    """An edited field, and whether it stands out among the file's others."""

    field: str
    odd: bool


class CsvStyle:
    """Whether texts stand in quotes always, or only where they must, or now and then."""

    def __init__(self) -> None:
        self._bare = self._quoted = self._needless = 0

    def see(self, table: Table, field: str) -> None:
        """Take note of one text as it stands in a file."""
        assert isinstance(table, CsvTable)
        if not (table.dialect.quotes and field.startswith('"')):
            self._bare += 1
            return
        self._quoted += 1
        self._needless += not needs_quotes(table.value(field), table.dialect)

    def write(self, table: Table, text: str, old: str) -> Written:
        """A text as a field in place of ``old``.

        Raises:
            DatasetError: the file has no quotes, and the text holds a delimiter or a line break.
        """
        assert isinstance(table, CsvTable)
        must = needs_quotes(text, table.dialect)
        if not table.dialect.quotes:
            if any(mark in text for mark in (table.dialect.delimiter, "\r", "\n")):
                raise DatasetError("holds a tab or line break, which a TSV without quotes cannot")
            return Written(text, False)
        if must and not old.startswith('"') and '"' in old:
            # The file leaves quotes within a text as they are.
            must = text.startswith('"') or needs_quotes(text.replace('"', ""), table.dialect)
        always = not self._bare and (self._needless > 0 or '"' in table.head())
        keeps = self._needless > 0 and old.startswith('"')
        if must or always or keeps:
            return Written(quoted(text), must and not self._quoted)
        return Written(text, False)


class JsonStyle:
    """Which characters are escaped, and how."""

    def __init__(self) -> None:
        self._escapes: dict[str, str] = {}
        self._raw = False

    def see(self, table: Table, field: str) -> None:
        """Take note of one text as it stands in a file."""
        self._raw = self._raw or not field.isascii()
        if "\\" in field:
            self._escapes |= _escapes(field)

    def write(self, table: Table, text: str, old: str) -> Written:
        """A text as a field in place of ``old``: first in its own style, then in the file's."""
        assert isinstance(table, JsonTable)
        own, bare = _escapes(old), set(_ESCAPE.sub("", old))
        spelled = (
            own[char]
            if char in own
            else char
            if char in bare - {'"', "\\"}
            else self._spelled(char, table.file.encoding)
            for char in text
        )
        return Written(f'"{"".join(spelled)}"', False)

    def _spelled(self, char: str, encoding: str) -> str:
        if char < "\x7f":  # writers of plain ASCII escape this one, too
            return self._escapes.get(char, json.dumps(char)[1:-1])
        if self._raw and char.encode(encoding, "ignore"):
            return char
        escaped = json.dumps(char)[1:-1]
        capitals = any(one[2:] != one[2:].lower() for one in self._escapes.values())
        return escaped.upper().replace("\\U", "\\u") if capitals else escaped


def _escapes(field: str) -> dict[str, str]:
    """The escapes in a field, by what they mean."""
    return {json.loads(f'"{one}"'): one for one in _ESCAPE.findall(field)}

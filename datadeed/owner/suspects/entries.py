"""Reading one mapping of a configuration strictly: unknown, missing and odd entries are errors."""

import math
from collections.abc import Sequence
from typing import Any

from datadeed.owner.suspects.base import SuspectError, one_line


class Entries:
    """The entries of one mapping, each taken once; :meth:`done` refuses what is left.

    Every method takes the entry's name and what to return when it is absent; without that the
    entry must be there.

    Args:
        value: what the file holds, of any type.
        where: file and place, for error messages.

    Raises:
        SuspectError: by every method; one line that names file and entry.
    """

    def __init__(self, value: Any, where: str):
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise SuspectError(f"{where} is not a mapping: write entries as 'name: value'")
        self._left, self.where = dict(value), where

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def error(self, name: str, fault: str) -> SuspectError:
        """An error about one entry."""
        return SuspectError(f"{self.where}: {name} {fault}")

    def any(self, name: str, *default: Any) -> Any:
        """Any value; a null counts as absent."""
        value = self._left.pop(name, None)
        if value is not None:
            return value
        if default:
            return default[0]
        raise self.error(name, "is missing: add it")

    def text(self, name: str, *default: Any) -> Any:
        """A non-empty printable string."""
        value = self.any(name, *default)
        if default and value is default[0]:
            return value
        if not isinstance(value, str) or not value or not value.isprintable():
            raise self.error(name, "must be printable text")
        return value

    def choice(self, name: str, choices: Sequence[str], *default: Any) -> Any:
        """One of some words."""
        value = self.any(name, *default)
        if default and value is default[0]:
            return value
        if value not in choices:
            shown = one_line(str(value), 40)
            raise self.error(name, f"is {shown!r}: choose one of {', '.join(choices)}")
        return value

    def integer(self, name: str, low: int, *default: Any) -> Any:
        """A whole number of at least ``low``."""
        value = self.any(name, *default)
        if default and value is default[0]:
            return value
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            raise self.error(name, f"must be a whole number of at least {low}")
        return value

    def number(self, name: str, *default: Any) -> Any:
        """A finite number above 0."""
        value = self.any(name, *default)
        if default and value is default[0]:
            return value
        if not is_number(value) or value <= 0:
            raise self.error(name, "must be a number above 0")
        return float(value)

    def numbers(self, name: str, count: int) -> tuple[float, ...] | None:
        """A list of ``count`` finite numbers, or None."""
        value = self.any(name, None)
        if value is None:
            return None
        if not isinstance(value, list) or len(value) != count or not all(map(is_number, value)):
            raise self.error(name, f"must be a list of {count} numbers, one a channel")
        return tuple(float(x) for x in value)

    def section(self, name: str) -> "Entries":
        """A mapping inside this one, empty if absent."""
        return Entries(self.any(name, {}), f"{self.where}: {name}")

    def done(self) -> None:
        """Refuse entries that nobody took. Their values are not shown: one may be a secret."""
        if self._left:
            name = one_line(sorted(self._left)[0], 40)
            raise self.error(name, "is not an entry of this kind of suspect: remove it")


def is_number(value: Any) -> bool:
    """Whether a parsed value is a finite number; true and false are not."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond every float
        return False

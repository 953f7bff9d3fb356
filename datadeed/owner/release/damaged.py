"""Damaged files of a split, named all at once: a run for each of them would take too long."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from datadeed.errors import DatasetError

NAMED = 50  # files in a message


@contextlib.contextmanager
def all_named(
    what: str,
    files: Callable[[], Iterable[tuple[str, Any]]],
    fault: Callable[[str, bytes | Path], DatasetError | None],
    instead: str = "",
) -> Iterator[None]:
    """Make the error at one damaged file name all that there are.

    Args:
        what: the files are, in the plural.
        files: gives each row's name for messages and its file; rows that are no files pass.
        fault: what is wrong with a file; None if nothing is.
        instead: what else the owner may do, at the end of the line.

    Raises:
        DatasetError: the one that came up if no other file is damaged; else one of all of them.
    """
    try:
        yield
    except DatasetError as first:
        rows, faults = 0, []
        for name, stored in files():
            rows += 1
            if isinstance(stored, bytes | Path) and (found := fault(name, stored)):
                faults.append(str(found))
        if not faults or (len(faults) == 1 and not instead):
            raise
        shown = faults[:NAMED] + [f"and {len(faults) - NAMED} more"] * (len(faults) > NAMED)
        named = "; ".join(shown)
        if len(faults) > 1:
            named = f"{len(faults)} of {rows} {what} cannot be used: {named}"
        raise DatasetError(named + instead) from first

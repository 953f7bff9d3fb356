"""Files of a split that cannot be used: all are named at once, or left out."""

import contextlib
import dataclasses
import functools
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from datadeed.datasets.formats.split import Split
from datadeed.errors import DatasetError

NAMED = 50  # files in a message
REFUSE, SKIP = "refuse", "skip"  # values of the option ``damaged``
INSTEAD = (
    "; or give --skip-damaged (option 'damaged=skip'): they are no rows then, and a marked copy "
    "holds them as they are"
)

Files = Callable[[], Iterable[tuple[str, Any]]]  # each row's name for messages, and its file
Fault = Callable[[str, bytes | Path], DatasetError | None]  # what is wrong with a file


@contextlib.contextmanager
def all_named(
    what: str, files: Files, fault: Fault, instead: Callable[[], str] = str
) -> Iterator[None]:
    """Make the error at one damaged file name all that there are.

    Args:
        what: the files are, in the plural.
        files: gives each row's name for messages and its file; rows that are no files pass.
        fault: what is wrong with a file; None if nothing is.
        instead: gives the end of the line: what else the owner may do, or has to.

    Raises:
        DatasetError: the one that came up if no other file is damaged; else one of all of them.
    """
    try:
        yield
    except DatasetError as first:
        rows, faults = _faults(files, fault)
        if not faults:
            raise
        raise DatasetError(_listed(what, rows, faults) + instead()) from first


def besides(what: str, files: Files, fault: Fault) -> str:
    """The damaged files, as the end of a line that is about other ones; empty if there are none."""
    rows, faults = _faults(files, fault)
    return f"; besides, {_listed(what, rows, faults)}" if faults else ""


def _faults(files: Files, fault: Fault) -> tuple[int, list[str]]:
    """How many rows there are, and what is wrong with files."""
    rows, faults = 0, []
    for name, stored in files():
        rows += 1
        if isinstance(stored, bytes | Path) and (found := fault(name, stored)):
            faults.append(str(found))
    return rows, faults


def _listed(what: str, rows: int, faults: list[str]) -> str:
    shown = faults[:NAMED] + [f"and {len(faults) - NAMED} more"] * (len(faults) > NAMED)
    count = f"{len(faults)} of {rows} {what} cannot be used: " if len(faults) > 1 else ""
    return count + "; ".join(shown)


def skips(damaged: str) -> bool:
    """Whether the option ``damaged`` leaves damaged files out.

    Raises:
        DatasetError: it is neither "refuse" nor "skip".
    """
    if damaged not in (REFUSE, SKIP):
        raise DatasetError(f"option 'damaged' is {damaged!r}: give 'skip' or leave it out")
    return damaged == SKIP


def usable(file: str, fault: Fault) -> bool:
    """Whether a file can be read whole; looked at again only if its size or time changed.

    A job opens a split several times: to read, to check, and to write.
    """
    try:
        found = os.stat(file)
    except OSError:
        return False
    return _is_whole(fault, file, found.st_size, found.st_mtime_ns)


@functools.lru_cache(maxsize=2**20)
def _is_whole(fault: Fault, file: str, size: int, time: int) -> bool:
    return fault(file, Path(file)) is None


# Of shards as they are now, which rows are whole; small beside the shards.
_WHOLE: dict[Any, np.ndarray] = {}


def whole_rows(found: Split, fault: Fault) -> Split:
    """The rows of a split of shards whose files are whole, looked for once as :func:`usable`."""
    stats = [(file, file.stat()) for file in found.files]
    now = tuple((file, stat.st_size, stat.st_mtime_ns) for file, stat in stats)
    known = (now, found.columns, fault)
    if known not in _WHOLE:
        _WHOLE[known] = np.array([fault(name, data) is None for name, data in found.stream()])
    places = np.flatnonzero(_WHOLE[known])
    if len(places) == len(found):
        return found
    return dataclasses.replace(
        found.take(places),
        names=[found.names[place] for place in places.tolist()],
        places=places,
        beside={"damaged": len(found) - len(places)},
    )

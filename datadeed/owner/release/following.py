"""Columns that a row's label decides: its number, its name, a coarser class."""

from collections.abc import Iterable, Mapping
from typing import Any


def followers(
    rows: Iterable[tuple[int, Mapping[str, Any]]], column: str
) -> dict[str, dict[int, Any]]:
    """How the columns that are functions of the label say each label.

    Args:
        rows: of each row its label, and what its columns say.
        column: the label's own. It is always in the result, with what its first row says.

    Returns:
        By column and label: what the column says.
    """
    said: dict[str, dict[int, Any]] = {column: {}}
    count = 0
    for label, cells in rows:
        if count == 0:
            said = {name: {} for name in cells}
        count += 1
        for name in list(said):
            same = name in cells and said[name].setdefault(label, cells[name]) == cells[name]
            if name != column and not same:
                del said[name]
    if count == len(said[column]):  # one row a label: any column would be a function of it
        return {column: said[column]}
    return said

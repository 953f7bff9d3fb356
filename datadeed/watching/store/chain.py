"""The chain of a store's rows: each holds the hash of the row before, and its own.

A hash is SHA-256 over canonical JSON of the table's name and all of the row's other columns. A
suspect's row comes after 64 zeros, its first day and its first run after that row, and the first
verdict on a subject after the subject's digest.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, select

from datadeed.errors import StoreError
from datadeed.files import canonical_digest
from datadeed.watching.store.engine import REMEDY, shown

BEGIN = "0" * 64
Row = Mapping[str, Any] | RowMapping


def linked(table: Table, values: Mapping[str, Any], previous: str) -> dict[str, Any]:
    """The row with its place in the chain."""
    row = {**values, "previous": previous}
    return {**row, "hash": _digest(table, row)}


def is_whole(table: Table, row: Row, previous: str) -> bool:
    """Whether a row is as it was written, and stands after the row with hash ``previous``."""
    values = {name: value for name, value in row.items() if name != "hash"}
    return row["previous"] == previous and row["hash"] == _digest(table, values)


def last_row(connection: Connection, table: Table, owner: str) -> RowMapping | None:
    """The last row of a chain, checked for itself; None if there is none.

    Args:
        connection: to the store.
        table: with a key of two columns: whose chain it is, and the row's number in it.
        owner: whose chain.

    Raises:
        StoreError: the row was changed.
    """
    whose, number = table.primary_key.columns
    newest = select(table).where(whose == owner).order_by(number.desc()).limit(1)
    row = connection.execute(newest).mappings().first()
    if row is not None and not is_whole(table, row, row["previous"]):
        raise StoreError(changed(connection, table, row))
    return row


def changed(connection: Connection, table: Table, row: Row) -> str:
    """The line about a row that is not as it was written."""
    place = " ".join(str(row[column.name])[:12] for column in table.primary_key.columns)
    store = shown(connection.engine.url)
    return f"{store} is damaged: {table.name} {place} is not as it was written; {REMEDY}"


def _digest(table: Table, values: Mapping[str, Any]) -> str:
    return canonical_digest([table.name, values])

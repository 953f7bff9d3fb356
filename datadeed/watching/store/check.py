"""Checking a store: its chains, and its rows against the folders that they were read from."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, select, text

from datadeed.errors import EvidenceError, StoreError
from datadeed.watching.store.chain import BEGIN, changed, is_whole
from datadeed.watching.store.engine import REMEDY, shown
from datadeed.watching.store.folder import folders_under, read_verdict, read_watch
from datadeed.watching.store.index import last_of_watch
from datadeed.watching.store.store import Store
from datadeed.watching.store.tables import DAYS, RUNS, SUSPECTS, TABLES, VERDICTS


@dataclass
class Checked:
    """What a check found; a store whose chains are broken raises instead.

    Attributes:
        rows: a table's name to its number of rows, all chains whole.
        differences: a line for each folder that the store lacks rows of or contradicts, and for
            each suspect or verdict that no folder bears out. Empty where none was asked for.
    """

    rows: dict[str, int] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)


def check(store: Store, root: str | Path | None = None) -> Checked:
    """Check every row of a store, and hold it against the folders in and below ``root``.

    Raises:
        EvidenceError: there is no such folder.
        StoreError: naming the first row that is not as it was written.
    """
    found = Checked()
    with store.reading() as connection:
        _check_pages(connection)
        for table in TABLES:
            found.rows[table.name] = _check_chains(connection, table)
        if root is not None:
            found.differences += _differences(connection, root)
    return found


def _check_pages(connection: Connection) -> None:
    """SQLite's own check. PostgreSQL's pages have checksums where its cluster was made so."""
    if connection.dialect.name == "sqlite":
        said = connection.execute(text("PRAGMA quick_check(1)")).scalar()
        if said != "ok":
            raise StoreError(f"{shown(connection.engine.url)} is damaged: {REMEDY}")


def _check_chains(connection: Connection, table: Table) -> int:
    """How many rows a table has, each of which continues its chain.

    Raises:
        StoreError: naming the first one that does not.
    """
    begins = dict(connection.execute(select(SUSPECTS.c.id, SUSPECTS.c.hash)).tuples().all())
    key = table.primary_key.columns
    rows = connection.execute(select(table).order_by(*key)).mappings()
    count = 0
    for owner, chain in groupby(rows, key=lambda row: row[next(iter(key)).name]):
        previous = begins.get(owner, "")
        if table is SUSPECTS:
            previous = BEGIN
        elif table is VERDICTS:
            previous = owner
        for row in chain:
            if not is_whole(table, row, previous):
                raise StoreError(changed(connection, table, row))
            previous, count = row["hash"], count + 1
    return count


def _differences(connection: Connection, root: str | Path) -> Iterator[str]:
    watches, verdicts = folders_under(root)
    suspects = set(connection.execute(select(SUSPECTS.c.id)).scalars())
    evidence = set(connection.execute(select(VERDICTS.c.evidence)).scalars())
    for folder in watches:
        try:
            rows = read_watch(folder)
            suspects.discard(rows.suspect["id"])
            known = last_of_watch(connection, rows, folder)
        except EvidenceError as error:
            yield str(error)
            continue
        for table in (DAYS, RUNS):
            if lacks := len(rows.of(table)) - known[table]:
                yield f"the store lacks {lacks} {table.name} of {folder}: rebuild takes them"
    for folder in verdicts:
        try:
            row: dict[str, Any] = read_verdict(folder)
        except EvidenceError as error:
            yield str(error)
            continue
        if row["evidence"] not in evidence:
            yield f"the store lacks the verdict of {folder}: rebuild takes it"
        evidence.discard(row["evidence"])
    yield from (f"no folder under {root} is of suspect {one}" for one in sorted(suspects))
    yield from (f"no folder under {root} holds evidence {one}" for one in sorted(evidence))

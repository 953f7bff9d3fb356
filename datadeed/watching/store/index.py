"""Filling a store from folders: it takes what it lacks, and refuses what contradicts it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, select

from datadeed.errors import EvidenceError
from datadeed.owner.watch_runs import STATE
from datadeed.watching.store.chain import last_row, linked
from datadeed.watching.store.folder import (
    EVIDENCE,
    WatchRows,
    folders_under,
    read_verdict,
    read_watch,
)
from datadeed.watching.store.store import Store
from datadeed.watching.store.tables import DAYS, RUNS, SUSPECTS, VERDICTS

Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


@dataclass
class Added:
    """What a store took.

    Attributes:
        suspects, days, runs, verdicts: so many rows.
        refused: a line for each folder of which nothing was taken.
    """

    suspects: int = 0
    days: int = 0
    runs: int = 0
    verdicts: int = 0
    refused: list[str] = field(default_factory=list)


@contextmanager
def _silent(text: str, total: int) -> Iterator[Callable[[int], None]]:
    yield lambda done: None


def index(store: Store, folder: str | Path) -> Added:
    """Append what a store lacks of a folder of `datadeed watch` or `datadeed verify`.

    All of it is appended, or nothing; once more, nothing is. What the folder states and what is
    checked: :mod:`datadeed.watching.store.folder`.

    Raises:
        EvidenceError: the folder is neither, was changed, or lost what the store has of it.
        StoreError: the store cannot be reached, is busy, full or damaged.
    """
    added = Added()
    _take(store, Path(folder), added)
    return added


def rebuild(url: str, root: str | Path, *, progress: Progress = _silent) -> Added:
    """Fill a store from all folders in and below one; an empty store becomes what it was.

    The rows are those of a store that grew day by day, hash for hash. Verifications are taken in
    the order in which they were made, whatever the order in which they were indexed then.

    Args:
        url: of the store, as for :meth:`Store.open`.
        root: holds the folders.
        progress: is told of the watches that are done.

    Raises:
        EvidenceError: there is no such folder.
        StoreError: the store cannot be reached, is busy, full or damaged.
    """
    watches, verdicts = folders_under(root)
    added, verified = Added(), []
    with Store.open(url) as store:
        with progress("watches", len(watches)) as advance:
            for done, folder in enumerate(watches, 1):
                _or_refused(added, _take, store, folder, added)
                advance(done)
        for folder in verdicts:
            if row := _or_refused(added, read_verdict, folder):
                verified.append(row)
        for row in sorted(verified, key=lambda row: (row["time"], row["evidence"])):
            added.verdicts += _append_verdict(store, row)
    return added


def _or_refused(added: Added, do: Callable[..., Any], *arguments: Any) -> Any:
    """One folder that cannot be read stops no other."""
    try:
        return do(*arguments)
    except EvidenceError as error:
        added.refused.append(str(error))
        return None


def _take(store: Store, folder: Path, added: Added) -> None:
    if (folder / STATE).exists():
        rows = read_watch(folder)
        with store.writing(rows.suspect["id"]) as connection:
            known = last_of_watch(connection, rows, folder)
            counts = {table: _append(connection, table, rows, known[table]) for table in known}
        added.suspects += counts[SUSPECTS]
        added.days += counts[DAYS]
        added.runs += counts[RUNS]
    elif (folder / EVIDENCE).exists():
        added.verdicts += _append_verdict(store, read_verdict(folder))
    else:
        raise EvidenceError(
            f"{folder} holds neither {STATE} nor {EVIDENCE}: name the folder of a watch, or of a "
            "verification"
        )


def last_of_watch(connection: Connection, rows: WatchRows, folder: Path) -> dict[Table, int]:
    """How many of a watch's rows a store has, table by table, the suspect's first.

    Raises:
        EvidenceError: the store has others, or more.
        StoreError: a row of the store was changed.
    """
    suspect = rows.suspect["id"]
    known = {SUSPECTS: 0, DAYS: 0, RUNS: 0}
    chosen = select(SUSPECTS.c.hash).where(SUSPECTS.c.id == suspect)
    if (stored := connection.execute(chosen).scalar()) is None:
        return known
    heads = {SUSPECTS: (1, stored)}
    for table, first in ((DAYS, 1), (RUNS, 0)):
        if (row := last_row(connection, table, suspect)) is not None:
            number = list(table.primary_key.columns)[1].name
            heads[table] = (row[number] - first + 1, row["hash"])
    for table, (count, head) in heads.items():
        mine = rows.of(table)
        if len(mine) < count or mine[count - 1]["hash"] != head:
            raise EvidenceError(
                f"{folder} has not the {table.name} that the store has of it: restore it from a "
                "copy; two folders of one watch need two names of the suspect"
            )
        known[table] = count
    return known


def _append(connection: Connection, table: Table, rows: WatchRows, known: int) -> int:
    new = rows.of(table)[known:]
    if new:
        connection.execute(table.insert(), new)
    return len(new)


def _append_verdict(store: Store, values: dict[str, Any]) -> int:
    """Append one verification's row unless it is there; returns how many were appended."""
    subject = values["subject"]
    same = select(VERDICTS.c.seq).where(
        VERDICTS.c.subject == subject, VERDICTS.c.evidence == values["evidence"]
    )
    with store.writing(subject) as connection:
        if connection.execute(same).first() is not None:
            return 0
        last = last_row(connection, VERDICTS, subject)
        seq, previous = (0, subject) if last is None else (last["seq"] + 1, last["hash"])
        row = linked(VERDICTS, {**values, "seq": seq}, previous)
        connection.execute(VERDICTS.insert(), row)
    return 1

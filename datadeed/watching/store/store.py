"""A store that a team shares, as its readers see it: suspects at a glance, days, runs, verdicts."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import fields
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Engine, RowMapping, Select, func, select

from datadeed.watching.store.engine import open_engine, reading, shown, writing
from datadeed.watching.store.rows import DayRow, Overview, RunRow, SuspectRow, VerdictRow
from datadeed.watching.store.tables import DAYS, RUNS, SUSPECTS, TABLES, VERDICTS
from datadeed.watching.store.upgrade import make_ready

_Row = TypeVar("_Row", SuspectRow, DayRow, RunRow, VerdictRow)


class Store:
    """Rows about many suspects; they are only ever added (:mod:`datadeed.watching.store.index`).

    Made by :meth:`open`; closed by :meth:`close` or at the end of ``with``. It may be used by
    several threads. Every method raises :class:`~datadeed.errors.StoreError` when the store cannot
    be reached, is busy for too long, or is damaged.

    Attributes:
        name: its URL, without user and password.
    """

    def __init__(self, engine: Engine):
        self._engine = engine
        self.name = shown(engine.url)

    @classmethod
    def open(cls, url: str, *, create: bool = True) -> Self:
        """Open a store, and give it the form that this program reads.

        Args:
            url: ``sqlite:///PATH`` or ``postgresql://...``.
            create: whether to make it where there is none.

        Raises:
            StoreError: the URL is none, the store is newer than this program, or cannot be reached.
        """
        engine = open_engine(url, create=create)
        try:
            make_ready(engine, create=create)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine)

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def reading(self) -> contextlib.AbstractContextManager[Connection]:
        """A transaction that reads."""
        return reading(self._engine)

    def writing(self, about: str) -> contextlib.AbstractContextManager[Connection]:
        """A transaction that writes about a suspect or subject, alone (its digest)."""
        return writing(self._engine, about)

    def suspects(self) -> list[Overview]:
        """Every suspect at a glance, by name; one query, however many days there are."""
        with self.reading() as connection:
            return [_overview(row) for row in connection.execute(_glance()).mappings()]

    def days(self, suspect: str) -> list[DayRow]:
        """A suspect's days, oldest first."""
        return self._rows(DayRow, select(DAYS).where(DAYS.c.suspect == suspect).order_by("day"))

    def runs(self, suspect: str, limit: int | None = 100) -> list[RunRow]:
        """A suspect's last runs, newest first.

        Args:
            suspect: :attr:`SuspectRow.id`.
            limit: so many at most; None for all.
        """
        chosen = select(RUNS).where(RUNS.c.suspect == suspect).order_by(RUNS.c.seq.desc())
        return self._rows(RunRow, chosen.limit(limit))

    def verdicts(self, suspect: str | None = None) -> list[VerdictRow]:
        """Verifications of a suspect, oldest first; None: of all, also of those never watched."""
        chosen = select(VERDICTS).order_by(VERDICTS.c.subject, VERDICTS.c.seq)
        if suspect is not None:
            subject = select(SUSPECTS.c.subject).where(SUSPECTS.c.id == suspect)
            chosen = chosen.where(VERDICTS.c.subject == subject.scalar_subquery())
        return self._rows(VerdictRow, chosen)

    def dump(self) -> Iterator[str]:
        """Every row of every table as a line of canonical JSON, in an order of their own."""
        with self.reading() as connection:
            for table in TABLES:
                ordered = select(table).order_by(*table.primary_key.columns)
                for row in connection.execute(ordered).mappings():
                    yield json.dumps([table.name, dict(row)], sort_keys=True, allow_nan=False)

    def _rows(self, kind: type[_Row], chosen: Select[Any]) -> list[_Row]:
        with self.reading() as connection:
            return [_as(kind, row) for row in connection.execute(chosen).mappings()]


def _as(kind: type[_Row], row: RowMapping) -> _Row:
    return kind(**{field.name: row[field.name] for field in fields(kind)})


def _glance() -> Select[Any]:
    """A suspect, its last run, and the runs that this one names, each found by its number."""
    last, answered, error, out, changed = (
        RUNS.alias(name) for name in ("last", "answered", "error", "out_since", "changed")
    )
    newest = select(func.max(RUNS.c.seq)).where(RUNS.c.suspect == SUSPECTS.c.id)
    verdict = (
        select(VERDICTS.c.word)
        .where(VERDICTS.c.subject == SUSPECTS.c.subject)
        .order_by(VERDICTS.c.seq.desc())
        .limit(1)
    )
    found = SUSPECTS.join(
        last, (last.c.suspect == SUSPECTS.c.id) & (last.c.seq == newest.scalar_subquery())
    )
    named = {"answered_in": answered, "error_in": error, "out_since": out, "changed_in": changed}
    for column, run in named.items():
        at = (run.c.suspect == SUSPECTS.c.id) & (run.c.seq == last.c[column])
        found = found.outerjoin(run, at)
    return (
        select(
            *(column.label(f"suspect_{column.name}") for column in SUSPECTS.c),
            *(last.c[name] for name in ("word", "reason", "time", "log_e", "bar", "days")),
            last.c.rows.label("questions"),
            *(last.c[f"all_{name}"].label(name) for name in ("failed", "requests")),
            *(last.c[f"all_{name}"].label(name) for name in ("seconds", "cost")),
            answered.c.time.label("last_contact"),
            func.coalesce(error.c.reason, "").label("last_error"),
            error.c.time.label("last_error_time"),
            out.c.time.label("out_of_reach_since"),
            changed.c.time.label("changed"),
            verdict.scalar_subquery().label("verdict"),
        )
        .select_from(found)
        .order_by(SUSPECTS.c.name, SUSPECTS.c.id)
    )


def _overview(row: RowMapping) -> Overview:
    suspect = SuspectRow(
        **{field.name: row[f"suspect_{field.name}"] for field in fields(SuspectRow)}
    )
    rest = [field.name for field in fields(Overview) if field.name != "suspect"]
    return Overview(suspect, **{name: row[name] for name in rest})

"""Connections to a store: its URL, its transactions, and its errors in one line each.

A transaction that writes holds SQLite's one write lock, or a lock of PostgreSQL on what it writes
about, from its start: what it reads there stays true until it is done.
"""

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from datadeed.errors import StoreError, reason

WAIT = 10.0  # seconds for another writer, and for a server to answer
EXAMPLES = "give sqlite:///watched/store.db or postgresql://host/database"
REMEDY = "move it away and run `datadeed store rebuild`: the folders have it all"
_WRITES = "datadeed_writes"
_FULL, _LOCKED = ("is full", "No space left"), ("is locked", "lock timeout")
_DAMAGED = ("not a database", "malformed", "invalid page in block", "could not read block")


def open_engine(address: str, *, create: bool) -> Engine:
    """The engine for a URL; nothing is connected yet.

    Args:
        address: ``sqlite:///PATH`` or ``postgresql://...``, as SQLAlchemy has it.
        create: whether an SQLite file may be made.

    Raises:
        StoreError: it is another kind of URL, the file is not there, or a driver is missing.
    """
    url = _read(address)
    arguments: dict[str, Any] = {
        "connect_timeout": round(WAIT),
        "tcp_user_timeout": round(1000 * WAIT),
    }
    if url.get_backend_name() == "sqlite":
        arguments = {"timeout": WAIT}
        if not create and not Path(str(url.database)).exists():
            raise StoreError(f"there is no store {shown(url)}: name one that `--store` made")
    try:
        engine = create_engine(url, connect_args=arguments, pool_pre_ping=True)
    except ImportError as error:
        raise StoreError("PostgreSQL needs psycopg: install datadeed[watch]") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin)
    return engine


def _read(address: str) -> URL:
    try:
        url = make_url(address)
        backend = url.get_backend_name()
    except (ArgumentError, SQLAlchemyError, ValueError) as error:  # also a port that is no number
        raise StoreError(f"a store's URL is not understood: {EXAMPLES}") from error
    if backend == "sqlite" and url.database not in (None, "", ":memory:"):
        return url.set(drivername="sqlite")
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    raise StoreError(f"a store cannot be a {backend} without a file or server: {EXAMPLES}")


def shown(url: URL) -> str:
    """A URL without user, password and options, which may hold a password too."""
    return URL.create(
        url.get_backend_name(), host=url.host, port=url.port, database=url.database
    ).render_as_string()


def _set_up_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # the driver would begin transactions on its own
    with contextlib.closing(connection.cursor()) as cursor:
        cursor.execute("PRAGMA foreign_keys = ON")
        # REPLACE would else remove a row without asking the triggers that refuse it.
        cursor.execute("PRAGMA recursive_triggers = ON")
        _write_ahead(cursor)


def _write_ahead(cursor: Any) -> None:
    """Two who turn a new store over to its log at once: SQLite lets neither wait for the other."""
    end = time.monotonic() + WAIT
    while cursor.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
    elif writes:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {round(1000 * WAIT)}")


@contextlib.contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that reads.

    Raises:
        StoreError: the store cannot be reached, or is damaged.
    """
    with told(engine), engine.connect() as connection, connection.begin():
        yield connection


@contextlib.contextmanager
def writing(engine: Engine, about: str) -> Iterator[Connection]:
    """A transaction that writes; all of it is there afterwards, or nothing.

    Args:
        engine: the store's.
        about: what is written about, 16 hexadecimal digits or more: nobody else writes about the
            same meanwhile.

    Raises:
        StoreError: the store cannot be reached, is busy, full or damaged.
    """
    with told(engine), engine.connect() as made:
        connection = made.execution_options(**{_WRITES: True})
        with connection.begin():
            if connection.dialect.name == "postgresql":
                lock = int(about[:16], 16) - 2**63
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": lock})
            yield connection


@contextlib.contextmanager
def told(engine: Engine) -> Iterator[None]:
    """Say in one line what is wrong with a store.

    Raises:
        StoreError: in place of what the database's driver raised.
    """
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise StoreError(_line(shown(engine.url), getattr(error, "orig", None) or error)) from error


def _line(store: str, error: BaseException) -> str:
    said = reason(error)
    if any(word in said for word in _LOCKED):
        return f"{store} is locked by another program: nothing is lost, run again later"
    if any(word in said for word in _FULL):
        return f"the disk of {store} is full: free some space; nothing is lost, run again"
    if any(word in said for word in _DAMAGED):
        return f"{store} is damaged: {REMEDY}"
    return f"{store} cannot be used ({said}): see that it is there and may be written"

"""Stores to test on: SQLite always, a private PostgreSQL where its programs are installed."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

MISSING = [name for name in ("initdb", "postgres") if shutil.which(name) is None]
# The server ends when its standard input does, also if the tests are killed.
KEEP = 'postgres "$@" & cat > /dev/null; kill -INT $!; wait $!'
numbers = count()


class Cluster:
    """A PostgreSQL of one's own, on a socket in a folder, as a user that is not root."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.user = {"user": "nobody", "extra_groups": []} if os.geteuid() == 0 else {}
        if self.user:
            shutil.chown(folder, "nobody")
        words = ["initdb", "-D", folder / "data", "-U", "owner", "-A", "trust", "--no-sync"]
        words += ["-E", "UTF8", "--no-locale"]
        subprocess.run(words, check=True, capture_output=True, cwd=folder, **self.user)
        self.start()

    def start(self) -> None:
        words = ["-D", self.folder / "data", "-k", self.folder, "-c", "listen_addresses="]
        words += ["-c", "fsync=off", "-c", "shared_buffers=16MB", "-c", "max_connections=20"]
        self.server = subprocess.Popen(
            ["sh", "-c", KEEP, "postgres", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            **self.user,
        )
        for _ in range(600):
            try:
                self.do("SELECT 1")
                return
            except OperationalError:
                time.sleep(0.1)
        raise AssertionError("PostgreSQL has not started within a minute")

    def stop(self) -> None:
        assert self.server.stdin is not None
        self.server.stdin.close()
        self.server.wait(60)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://owner@/{database}?host={self.folder}"

    def do(self, words: str) -> None:
        engine = create_engine(self.url().replace("postgresql", "postgresql+psycopg", 1))
        try:
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text(words))
        finally:
            engine.dispose()

    def database(self) -> str:
        """The URL of a new, empty one."""
        name = f"store{next(numbers)}"
        self.do(f"CREATE DATABASE {name}")
        return self.url(name)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    if MISSING:
        pytest.skip(f"PostgreSQL is not installed here: no {' and no '.join(MISSING)}")
    # Not below pytest's own folder, which no other user may enter; sockets need a short path too.
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp", ignore_cleanup_errors=True) as name:
        made = Cluster(Path(name))
        yield made
        made.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty store of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.db"
    cluster: Cluster = request.getfixturevalue("cluster")
    return cluster.database()

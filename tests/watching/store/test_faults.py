"""What goes wrong with a store: nothing is lost, and nothing counts twice."""

import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import event, text

from datadeed.errors import StoreError
from datadeed.watching.store import engine as engines
from datadeed.watching.store.check import check
from datadeed.watching.store.index import Added, index, rebuild
from datadeed.watching.store.store import Store
from tests.watching.conftest import Cluster
from tests.watching.store.folders import Watch, a_life

INDEX = """
import sys
from datadeed.watching.store.index import index
from datadeed.watching.store.store import Store
sys.stdout.write("ready\\n")
sys.stdout.flush()
sys.stdin.readline()
with Store.open(sys.argv[1]) as store:
    for folder in sys.argv[2:]:
        index(store, folder)
"""
# Days are in, runs are not, and the transaction is open, when it stops for good.
STOPS = """
from datadeed.watching.store import index as module
whole = module._append
def half(connection, table, rows, known):
    if table is module.RUNS:
        sys.stdout.write("half\\n")
        sys.stdout.flush()
        sys.stdin.readline()
    return whole(connection, table, rows, known)
module._append = half
"""


def started(program: str, url: str, *folders: Path) -> subprocess.Popen[str]:
    """A process that indexes folders once it is sent a line."""
    words = [sys.executable, "-c", program, url, *map(str, folders)]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def alone(root: Path, folder: Path) -> list[str]:
    """What a store holds that was filled in peace."""
    address = f"sqlite:///{folder}/alone.db"
    rebuild(address, root)
    with Store.open(address) as store:
        return list(store.dump())


def test_two_writers_at_once_on_a_store_that_is_not_there_yet(url: str, tmp_path: Path) -> None:
    root = tmp_path / "watched"
    folders = [a_life(root / name, name=name).folder for name in "abc"]
    one, other = (started(INDEX, url, *order) for order in (folders, folders[::-1]))
    with one, other:
        assert [said(one), said(other)] == ["ready\n"] * 2
        go_on(one)
        go_on(other)
        assert [one.wait(120), other.wait(120)] == [0, 0]
    with Store.open(url) as store:
        assert list(store.dump()) == alone(root, tmp_path)
        assert check(store, root).differences == []


def test_a_writer_killed_in_mid_write(url: str, tmp_path: Path) -> None:
    root = tmp_path / "watched"
    first, second = a_life(root / "a"), a_life(root / "b", name="other")
    with Store.open(url) as store:
        index(store, first.folder)
        before = list(store.dump())
        stops = INDEX.replace("sys.stdout", f"{STOPS}sys.stdout", 1)
        with started(stops, url, second.folder) as writer:
            assert said(writer) == "ready\n"
            go_on(writer)
            assert said(writer) == "half\n"
            writer.kill()
        assert list(store.dump()) == before
        assert index(store, second.folder) == Added(suspects=1, days=4, runs=5)
        assert list(store.dump()) == alone(root, tmp_path)


def test_threads_that_index_one_folder_take_turns(url: str, tmp_path: Path) -> None:
    watch = a_life(tmp_path / "thief")
    added: list[Added] = []
    with Store.open(url) as store:
        threads = [
            threading.Thread(target=lambda: added.append(index(store, watch.folder)))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        check(store, tmp_path)
    assert sorted(one.runs for one in added) == [0, 0, 0, 5]


def test_a_full_disk(tmp_path: Path) -> None:
    """SQLite's own error, by a limit of its own: no page can be added any more."""
    watch = a_life(tmp_path / "thief")
    with Store.open(f"sqlite:///{tmp_path}/store.db") as store:
        index(store, watch.folder)
        before = list(store.dump())
        for day in range(5, 25):
            watch.run(day, asks=0)
        event.listen(
            store._engine, "begin", lambda made: made.exec_driver_sql("PRAGMA max_page_count = 1")
        )
        with pytest.raises(StoreError, match=r"the disk of sqlite:.* is full: free some space"):
            index(store, watch.folder)
        assert list(store.dump()) == before
    with Store.open(f"sqlite:///{tmp_path}/store.db") as store:
        assert index(store, watch.folder) == Added(runs=20)
        assert list(store.dump()) == alone(tmp_path / "thief", tmp_path)


def test_a_full_disk_of_postgresql_is_told_as_such() -> None:
    error = OSError('could not extend file "base/1/2": No space left on device')
    assert engines._line("postgresql://h/d", error).startswith("the disk of postgresql://h/d is f")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "WAIT", 0.2)


@pytest.mark.usefixtures("impatient")
def test_a_locked_store(url: str, tmp_path: Path) -> None:
    watch = a_life(tmp_path / "thief")
    with Store.open(url) as store, Store.open(url) as other:
        with other.writing(watch.id) as connection:
            with pytest.raises(StoreError, match=r"is locked by another program: nothing is lost"):
                index(store, watch.folder)
            assert store.suspects() == []  # reading waits for nobody
            connection.rollback()
        assert index(store, watch.folder).runs == 5


class TestDamage:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        file = tmp_path / "store.db"
        with Store.open(f"sqlite:///{file}") as store:
            for name in "abcdef":
                index(store, a_life(tmp_path / "watched" / name, name=name).folder)
        return file

    @pytest.mark.parametrize("start", [0, 4096, 3 * 4096, 8 * 4096])
    def test_of_a_files_bytes(self, file: Path, tmp_path: Path, start: int) -> None:
        data = bytearray(file.read_bytes())
        data[start : start + 1024] = bytes(byte ^ 0x5A for byte in data[start : start + 1024])
        file.write_bytes(data)
        with (
            pytest.raises(StoreError, match=r"is damaged: .*`datadeed store rebuild`") as raised,
            Store.open(f"sqlite:///{file}") as store,
        ):
            check(store)
        assert "\n" not in str(raised.value)
        file.rename(tmp_path / "damaged.db")
        assert rebuild(f"sqlite:///{file}", tmp_path / "watched").runs == 30

    def test_of_a_row_by_hand(self, url: str, tmp_path: Path) -> None:
        watch = a_life(tmp_path / "thief")
        with Store.open(url) as store:
            index(store, watch.folder)
            with store.writing("0" * 16) as connection:
                if connection.dialect.name == "sqlite":
                    connection.execute(text("DROP TRIGGER runs_no_update"))
                else:
                    connection.execute(text("DROP TRIGGER runs_kept ON runs"))
                connection.execute(text("UPDATE runs SET word = 'EVIDENCE' WHERE seq = 4"))
            line = f"damaged: runs {watch.id[:12]} 4 is not as it was written; move it away and run"
            watch.run(9)
            for do in (lambda: check(store), lambda: index(store, watch.folder)):
                with pytest.raises(StoreError, match=line):
                    do()

    def test_of_a_row_with_a_new_hash(self, tmp_path: Path) -> None:
        """A forger who makes a whole chain anew is found out by the folders."""
        root = tmp_path / "watched"
        watch = a_life(root / "thief")
        forged = tmp_path / "forged"
        shutil.copytree(root, forged)
        file = tmp_path / "store.db"
        shutil.rmtree(root / "thief")
        again = Watch(root / "thief", price=0.5)
        for day in range(5):
            again.run(day, word="EVIDENCE")
        rebuild(f"sqlite:///{file}", root)
        with Store.open(f"sqlite:///{file}") as store:
            assert check(store).rows["runs"] == 5
            (line,) = check(store, forged).differences
        assert f"{forged / 'thief'} has not the" in line
        assert watch.id == again.id


def test_postgresql_goes_away_between_days(cluster: Cluster, tmp_path: Path) -> None:
    url, watch = cluster.database(), Watch(tmp_path / "thief")
    watch.run(0)
    with Store.open(url) as store:
        index(store, watch.folder)
        cluster.stop()
        try:
            watch.run(1)
            with pytest.raises(StoreError, match=r"postgresql:///store\d+ cannot be used \("):
                index(store, watch.folder)
            watch.run(2)
            with pytest.raises(StoreError, match="cannot be used"):
                Store.open(url)
        finally:
            cluster.start()
        assert index(store, watch.folder) == Added(days=2, runs=2)  # by a new connection
        assert list(store.dump()) == alone(watch.folder, tmp_path)


def test_a_store_of_something_else_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "other.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE runs (pace REAL)")
    connection.close()
    with pytest.raises(StoreError, match=r"cannot be used .*runs"):
        Store.open(f"sqlite:///{file}")
    with sqlite3.connect(file) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
    connection.close()
    assert tables == [("runs",)]

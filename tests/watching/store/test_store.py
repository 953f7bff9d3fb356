"""What a store says, in SQLite and in PostgreSQL."""

import json
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import event, text

from datadeed.errors import StoreError
from datadeed.watching.store.index import index
from datadeed.watching.store.rows import Overview
from datadeed.watching.store.store import Store
from datadeed.watching.store.tables import METADATA, TABLES
from datadeed.watching.store.upgrade import VERSIONS
from tests.owner.evidence.samples import make_folder
from tests.watching.store.folders import Watch, a_life


def indexed(url: str, *watches: Watch) -> Store:
    store = Store.open(url)
    for watch in watches:
        index(store, watch.folder)
    return store


def test_a_suspect_at_a_glance(url: str, tmp_path: Path) -> None:
    watch = a_life(tmp_path / "thief")  # days 0 to 2; away on 3; exchanged on 4
    other = Watch(tmp_path / "gone", name="gone")
    other.run(0)
    other.run(1, up=False)
    other.run(2, up=False)
    asked: list[str] = []
    with indexed(url, watch, other) as store:
        event.listen(
            store._engine, "before_cursor_execute", lambda *values: asked.append(values[2])
        )
        gone, thief = store.suspects()
        assert len([words for words in asked if words.startswith("SELECT")]) == 1
        day, *_ = store.days(watch.id)
        run, *_ = store.runs(watch.id, limit=1)
    at = "2026-01-0{}T03:00:00.000Z".format
    assert thief == Overview(
        suspect=thief.suspect,
        word="NO EVIDENCE",
        reason="on 2026-01-05",
        time=at(5),
        log_e=0.4,
        bar=2e6,
        days=4,
        questions=4 * 16 + 4,
        failed=4,
        requests=4 * 32 + 4,
        seconds=16.0,
        cost=66.0,
        last_contact=at(5),
        last_error="no clean question was answered: away",
        last_error_time=at(4),
        out_of_reach_since=None,
        changed=at(5),
        verdict=None,
    )
    assert (thief.suspect.id, thief.suspect.name) == (watch.id, "thief")
    assert thief.suspect.endpoint == "http://127.0.0.1/thief"
    assert (thief.suspect.blocks, thief.suspect.suspects, thief.suspect.keys) == (1, 2, 1)
    assert (gone.word, gone.last_contact, gone.cost) == ("COULD NOT TEST", at(1), 0.0)
    assert (gone.out_of_reach_since, gone.last_error_time) == (at(2), at(3))
    assert (day.day, day.date, day.questions, day.hits, day.failed) == (1, "2026-01-01", 12, 1, 0)
    assert (run.seq, run.word, run.questions, run.changed) == (4, "NO EVIDENCE", 16, True)
    assert (run.days, run.rows) == (4, 68)


def test_runs_come_newest_first_and_so_many_at_most(url: str, tmp_path: Path) -> None:
    watch = a_life(tmp_path / "thief")
    with indexed(url, watch) as store:
        assert [run.seq for run in store.runs(watch.id, limit=2)] == [4, 3]
        assert [run.seq for run in store.runs(watch.id, limit=None)] == [4, 3, 2, 1, 0]
        assert [run.failed for run in store.runs(watch.id)] == [0, 4, 0, 0, 0]
        assert [day.day for day in store.days(watch.id)] == [1, 2, 3, 4]
        assert store.runs("0" * 64) == store.days("0" * 64) == store.verdicts("0" * 64) == []


def test_nothing_of_the_key_and_no_answer_is_in_it(url: str, tmp_path: Path) -> None:
    watch = a_life(tmp_path / "thief")
    with indexed(url, watch) as store:
        rows = [json.loads(line) for line in store.dump()]
    names = {name for _, row in rows for name in row}
    assert names.isdisjoint({"labels", "scores", "part", "row", "question", "response_sha256"})
    assert watch.fixed["commitment"] in json.dumps(rows)


@pytest.mark.parametrize(
    "words",
    [
        "UPDATE days SET hits = 0",
        "DELETE FROM runs",
        "DELETE FROM suspects",
        "UPDATE verdicts SET word = 'CLAIM'",
        "REPLACE INTO days SELECT * FROM days",
        "TRUNCATE runs",
    ],
)
def test_rows_are_neither_changed_nor_removed(url: str, tmp_path: Path, words: str) -> None:
    evidence = tmp_path / "evidence"
    make_folder(evidence)
    with indexed(url, a_life(tmp_path / "thief", days=1)) as store:
        index(store, evidence)
        before = list(store.dump())
        with pytest.raises(StoreError) as raised, store.writing("0" * 16) as connection:
            connection.execute(text(words))
        syntax = words.startswith(("REPLACE", "TRUNCATE")) and "syntax error" in str(raised.value)
        assert syntax or "rows of a store are never changed or removed" in str(raised.value)
        assert list(store.dump()) == before


class TestForm:
    def test_the_migrations_make_the_tables_of_today(self, url: str) -> None:
        with Store.open(url) as store, store.reading() as connection:
            context = MigrationContext.configure(connection, opts={"version_table": VERSIONS})
            assert compare_metadata(context, METADATA) == []

    def test_a_newer_store_is_refused_in_a_line(self, url: str) -> None:
        with Store.open(url) as store, store.writing("0" * 16) as connection:
            connection.execute(text(f"UPDATE {VERSIONS} SET version_num = '9999'"))
        with pytest.raises(StoreError, match="has form 9999, newer than this datadeed's 0001"):
            Store.open(url)

    def test_an_older_one_is_upgraded(self, url: str, tmp_path: Path) -> None:
        with Store.open(url) as store, store.writing("0" * 16) as connection:
            for table in reversed(TABLES):
                connection.execute(text(f"DROP TABLE {table.name}"))
            if connection.dialect.name == "postgresql":
                connection.execute(text("DROP FUNCTION datadeed_refuse"))
            connection.execute(text(f"DELETE FROM {VERSIONS}"))
        with indexed(url, a_life(tmp_path / "thief")) as store:
            assert len(store.suspects()) == 1

    def test_reading_alone_makes_no_store(self, url: str, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match=r"there is no store|is empty"):
            Store.open(url, create=False)
        assert not (tmp_path / "store.db").exists()


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("watched.db", "URL is not understood: give sqlite:///"),
        ("postgresql://host:port/name", "URL is not understood: give sqlite:///"),
        ("sqlite://", "cannot be a sqlite without a file"),
        ("mysql://root@127.0.0.1/x", "cannot be a mysql"),
        ("sqlite:////nowhere/at/all.db", "cannot be used"),
    ],
)
def test_a_wrong_url_is_told_in_a_line(url: str, line: str) -> None:
    with pytest.raises(StoreError, match=line) as raised:
        Store.open(url)
    assert "\n" not in str(raised.value)


def test_a_password_is_never_said() -> None:
    secret = "a" + "-secret-word"
    address = f"postgresql://me:{secret}@127.0.0.1:1/name?password={secret}"
    with pytest.raises(StoreError, match=r"postgresql://127\.0\.0\.1:1/name cannot be") as raised:
        Store.open(address)
    assert secret not in str(raised.value)

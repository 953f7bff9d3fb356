"""``datadeed watch --store`` and ``datadeed store``: the store follows the folder."""

import json
import sys
from pathlib import Path

import pytest

import datadeed.owner.watch as job
from datadeed.owner.evidence import records
from tests.cli.test_watch import Clock, watch
from tests.cli.world import World, honest, run
from tests.watching.store.folders import a_life


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(job, "datetime", Clock)
    monkeypatch.setattr(records, "datetime", Clock)
    monkeypatch.setattr(Clock, "day", 1)
    made = World(tmp_path).make()
    assert made.commit().code == 0
    return made


def test_a_store_that_comes_and_goes(world: World) -> None:
    """Each day's code, output and questions are those of a watch without a store."""
    suspect = world.recorded(honest)
    place = world.root / "shared"
    store = ("--store", f"sqlite:///{place}/store.db")
    place.mkdir()
    assert (watch(world, suspect, *store).code, watch(world, suspect, out="plain").code) == (3, 3)
    place.rename(world.root / "away")
    Clock.day = 2
    result, plain = watch(world, suspect, *store), watch(world, suspect, out="plain")
    assert (result.code, result.out) == (plain.code, plain.out)
    assert result.err == f"warning: not in the store: {place_line(place)}\n"
    assert plain.err == ""
    world.recorded(lambda *_: "fail")
    Clock.day = 3
    result = watch(world, suspect, *store)
    assert result.code == 5
    warning, error = result.err.splitlines()
    assert warning.startswith("warning: not in the store: ")
    assert error.startswith("error: could not test: ")
    (world.root / "away").rename(place)
    world.recorded(honest)
    Clock.day = 4
    assert watch(world, suspect, *store).err == ""
    checked = run("store", "check", store[1], world.root / "watched")
    assert (checked.code, checked.err) == (0, "")
    assert checked.out == "every chain is whole: 1 suspects, 3 days, 4 runs, 0 verdicts\n"
    lines = (world.root / "watched/runs.jsonl").read_text().splitlines()
    runs = [json.loads(line) for line in lines]
    assert [record["word"] for record in runs] == [
        *("NO EVIDENCE", "NO EVIDENCE", "COULD NOT TEST", "NO EVIDENCE"),
    ]
    assert [record["questions"] for record in runs] == [17 + 6, 4 + 6, 4, 4 + 6]
    assert [record["failed"] for record in runs] == [0, 0, 4, 0]
    assert sum(record["questions"] for record in runs) == runs[-1]["rows"]


def place_line(place: Path) -> str:
    return (
        f"sqlite:///{place}/store.db cannot be used (unable to open database file): see that it is "
        "there and may be written"
    )


def test_a_log_that_runs_know_more_of_is_refused_before_a_question(world: World) -> None:
    suspect = world.recorded(honest)
    assert watch(world, suspect).code == 3
    folder = world.root / "watched"
    (folder / "watch.json").unlink()
    (folder / "queries.jsonl").unlink()
    result = watch(world, suspect)
    assert (result.code, result.err.count("\n")) == (1, 1)
    assert "has lost answers that runs.jsonl knows of: restore both from one copy" in result.err
    assert (folder / "queries.jsonl").read_bytes() == b""


class TestCommand:
    def test_rebuild_and_check(self, tmp_path: Path) -> None:
        root, url = tmp_path / "watched", f"sqlite:///{tmp_path}/store.db"
        life = a_life(root / "thief")
        done = run("store", "rebuild", url, root)
        assert (done.code, done.err) == (0, "")
        assert done.out == "added 1 suspects, 4 days, 5 runs, 0 verdicts\n"
        assert run("store", "check", url, root, "--json").json() == {
            "rows": {"suspects": 1, "days": 4, "runs": 5, "verdicts": 0},
            "differences": [],
        }
        life.run(9)
        done = run("store", "check", url, root)
        assert (done.code, done.out.count("rebuild takes them\n")) == (3, 2)
        (root / "thief/runs.jsonl").write_text("{}\n")
        done = run("store", "rebuild", url, root)
        assert (done.code, done.out) == (1, "added 0 suspects, 0 days, 0 runs, 0 verdicts\n")
        assert done.err.startswith(f"refused: {root}/thief/runs.jsonl, row 0: fields missing")

    @pytest.mark.parametrize(
        ("words", "line"),
        [
            (("rebuild", "sqlite:///s.db"), "rebuild needs ROOT: name the folder that"),
            (("rebuild", "sqlite:///s.db", "nowhere"), "nowhere is no folder: name the one that"),
            (("check", "sqlite:///s.db"), "there is no store sqlite:///s.db: name one that"),
            (("check", "s.db"), "a store's URL is not understood: give sqlite:///"),
        ],
    )
    def test_what_is_wrong_is_told_in_a_line(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], line: str
    ) -> None:
        monkeypatch.chdir(tmp_path)
        done = run("store", *words)
        assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
        assert done.err.startswith(f"error: {line}")

    def test_without_its_libraries_it_names_the_extra(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in [name for name in sys.modules if name.startswith("datadeed.watching.store")]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "sqlalchemy", None)
        done = run("store", "check", "sqlite:///s.db")
        assert (done.code, done.out) == (1, "")
        assert done.err == "error: a shared store needs sqlalchemy: install datadeed[watch]\n"

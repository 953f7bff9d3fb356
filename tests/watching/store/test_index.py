"""Filling a store: what it takes, what it refuses, and that a rebuilt one is the one that grew."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datadeed.errors import EvidenceError
from datadeed.owner.evidence.log import QueryLog
from datadeed.owner.evidence.schema import write_evidence
from datadeed.owner.watch_runs import RUNS, Run, RunLog
from datadeed.watching.store.check import check
from datadeed.watching.store.index import Added, index, rebuild
from datadeed.watching.store.store import Store
from tests.owner.evidence.samples import make_folder
from tests.watching.store.folders import CANARIES, PARTS, Watch, a_life, replaced


def dump(url: str) -> list[str]:
    with Store.open(url) as store:
        return list(store.dump())


def test_a_store_rebuilt_from_the_folders_is_the_one_that_grew(url: str, tmp_path: Path) -> None:
    root = tmp_path / "watched"
    grown, again = url, f"sqlite:///{tmp_path}/again.db"
    thief, honest = Watch(root / "thief", price=0.1), Watch(root / "b/honest", name="honest")
    with Store.open(grown) as store:
        for day in range(4):
            thief.run(day, up=day != 1, changed=day == 3)
            index(store, thief.folder)
            honest.run(day)
            index(store, honest.folder)
            if day == 2:
                index(store, make_folder(root / "verified"))
    assert rebuild(again, root) == Added(suspects=2, days=7, runs=8, verdicts=1)
    assert dump(again) == dump(grown)
    assert rebuild(again, root) == Added()


def test_indexing_again_adds_nothing(url: str, tmp_path: Path) -> None:
    watch = a_life(tmp_path / "thief")
    with Store.open(url) as store:
        assert index(store, watch.folder) == Added(suspects=1, days=4, runs=5)
        assert index(store, watch.folder) == Added()
        watch.run(7)
        assert index(store, watch.folder) == Added(days=1, runs=1)


def test_a_killed_run_is_counted_by_the_next_once(url: str, tmp_path: Path) -> None:
    watch = Watch(tmp_path / "thief")
    watch.run(0)
    watch.run(1, killed=True)  # its day is complete, its record was never written
    with Store.open(url) as store:
        index(store, watch.folder)
        watch.run(1, asks=0)
        index(store, watch.folder)
        (seen,) = store.suspects()
        last, _ = store.runs(watch.id)
        days = store.days(watch.id)
    assert (last.questions, seen.questions) == (2 * CANARIES + PARTS, 3 * CANARIES + 2 * PARTS)
    assert [(day.day, day.date) for day in days] == [(1, "2026-01-01"), (2, "2026-01-02")]


def test_a_watch_older_than_its_file_of_runs_is_taken_whole(url: str, tmp_path: Path) -> None:
    watch = Watch(tmp_path / "thief")
    for day in range(3):
        watch.run(day)
    (watch.folder / RUNS).unlink()
    with Store.open(url) as store:
        with pytest.raises(EvidenceError, match=r"runs\.jsonl cannot be read"):
            index(store, watch.folder)
        watch.run(3)
        assert index(store, watch.folder) == Added(suspects=1, days=4, runs=1)
        assert store.suspects()[0].questions == 4 * (CANARIES + PARTS)


def test_a_clock_that_jumps_back_moves_no_row(url: str, tmp_path: Path) -> None:
    watch = Watch(tmp_path / "thief")
    with Store.open(url) as store:
        for day in (0, 300, 1):
            watch.run(day)
            index(store, watch.folder)
        watch.run(2, up=False)
        index(store, watch.folder)
        assert [run.date[:7] for run in store.runs(watch.id)] == [
            *("2026-01", "2026-01", "2026-10", "2026-01"),
        ]
        (seen,) = store.suspects()
        check(store, tmp_path)
    assert (seen.days, seen.last_contact) == (3, "2026-01-02T03:00:00.000Z")
    assert seen.out_of_reach_since == "2026-01-03T03:00:00.000Z"


def test_a_verdict_is_found_with_its_suspect(url: str, tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "verified")
    evidence = json.loads((folder / "evidence.json").read_text())
    watch = Watch(tmp_path / "watched")
    watch.fixed |= {name: evidence["suspect"][name] for name in ("protocol", "endpoint")}
    watch.fixed |= {"suspect": evidence["suspect"]["name"]}
    watch.fixed |= {"commitment": evidence["key"]["commitment"]}
    watch.run(0)
    with Store.open(url) as store:
        assert index(store, folder) == Added(verdicts=1)
        assert index(store, folder) == Added()
        assert store.suspects() == []
        index(store, watch.folder)
        write_evidence(folder / "evidence.json", evidence | {"made_at": "2027-01-01T00:00:00.000Z"})
        assert index(store, folder) == Added(verdicts=1)
        first, second = store.verdicts(watch.id)
        assert store.verdicts() == [first, second]
        assert store.suspects()[0].verdict == evidence["verdict"]["word"]
    assert (first.word, first.questions) == (evidence["verdict"]["word"], len(evidence["curve"]))
    assert (first.log_e, first.time) == (evidence["key_layer"]["log_e"], evidence["made_at"])
    assert (second.seq, second.previous) == (1, first.hash)


def cut_queries(watch: Watch) -> None:
    path = watch.folder / "queries.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def rename(watch: Watch) -> None:
    path = watch.folder / "watch.json"
    path.write_text(path.read_text().replace('"thief"', '"saint"'))


def edit_a_run(watch: Watch) -> None:
    path = watch.folder / RUNS
    path.write_text(path.read_text().replace("NO EVIDENCE", "EVIDENCE", 1))


def forged(**change: Any) -> Callable[[Watch], None]:
    def forge(watch: Watch) -> None:
        runs: list[Run] = RunLog.peek(watch.folder, watch.id)
        lines = [run.line() for run in runs[:-1]] + [replaced(runs[-1], **change).line()]
        (watch.folder / RUNS).write_text("".join(f"{line}\n" for line in lines))

    return forge


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (cut_queries, "has lost answers that runs.jsonl knows of"),
        (rename, "the log belongs to another key"),
        (edit_a_run, "runs.jsonl, row 0 was changed"),
        (forged(questions=15), "row 4 states other questions or days than queries.jsonl"),
        (forged(failed=1), "row 4 states other questions or days"),
        (forged(seconds=1.0), "row 4 states other questions or days"),
        (forged(days=5), "row 4 states other questions or days"),
        (forged(head="ab" * 32), "has lost answers"),
        (forged(word="CLAIM"), "word cannot be 'CLAIM'"),
        (lambda watch: (watch.folder / "watch.json").unlink(), "neither watch.json nor evidence"),
    ],
)
def test_a_changed_folder_is_refused_whole(
    tmp_path: Path, damage: Callable[[Watch], None], line: str
) -> None:
    watch = a_life(tmp_path / "thief")
    damage(watch)
    with Store.open(f"sqlite:///{tmp_path}/store.db") as store:
        with pytest.raises(EvidenceError) as raised:
            index(store, watch.folder)
        assert line in str(raised.value)
        assert "\n" not in str(raised.value)
        assert list(store.dump()) == []


def test_a_folder_that_went_back_or_is_another_is_refused(url: str, tmp_path: Path) -> None:
    watch = a_life(tmp_path / "thief")
    shutil.copytree(watch.folder, tmp_path / "copy")
    other = Watch(tmp_path / "other", price=0.5)  # of the same suspect, asked by somebody else
    for day in range(7):
        other.run(day + 0.5)
    watch.run(8)
    with Store.open(url) as store:
        index(store, watch.folder)
        before = list(store.dump())
        for folder in ("copy", "other"):
            with pytest.raises(EvidenceError, match=r"has not the \w+ that the store has of it"):
                index(store, tmp_path / folder)
        assert list(store.dump()) == before


def test_one_refused_folder_stops_no_other(url: str, tmp_path: Path) -> None:
    root = tmp_path / "watched"
    edit_a_run(a_life(root / "a"))
    a_life(root / "b", name="other")
    make_folder(root / "c")
    (root / "c/queries.parquet").unlink()
    added = rebuild(url, root)
    assert (added.suspects, added.verdicts) == (1, 0)
    first, second = added.refused
    assert "runs.jsonl, row 0 was changed" in first
    assert "queries.parquet does not exist" in second


def test_a_check_says_how_store_and_folders_differ(url: str, tmp_path: Path) -> None:
    root = tmp_path / "watched"
    watch, gone = a_life(root / "a"), a_life(root / "b", name="gone")
    with Store.open(url) as store:
        index(store, watch.folder)
        index(store, gone.folder)
        assert check(store, root).differences == []
        assert check(store).rows == {"suspects": 2, "days": 8, "runs": 10, "verdicts": 0}
        watch.run(9)
        shutil.rmtree(gone.folder)
        make_folder(root / "c")
        assert check(store, root).differences == [
            f"the store lacks 1 days of {watch.folder}: rebuild takes them",
            f"the store lacks 1 runs of {watch.folder}: rebuild takes them",
            f"the store lacks the verdict of {root / 'c'}: rebuild takes it",
            f"no folder under {root} is of suspect {gone.id}",
        ]
        with pytest.raises(EvidenceError, match="is no folder"):
            check(store, tmp_path / "nowhere")


def test_the_log_of_queries_is_only_read(tmp_path: Path) -> None:
    watch = a_life(tmp_path / "thief")
    with (
        Store.open(f"sqlite:///{tmp_path}/store.db") as store,
        QueryLog(watch.folder, watch.id),  # as a run does that is going on
    ):
        assert index(store, watch.folder).runs == 5

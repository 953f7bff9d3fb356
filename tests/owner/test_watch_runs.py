"""The file of runs: chained, synced, and each question of the log in one record of it."""

import errno
import os
from pathlib import Path

import pytest

from datadeed.errors import EvidenceError
from datadeed.owner.watch_runs import RUNS, RunLog
from tests.watching.store.folders import BEGINS, CANARIES, PARTS, Watch, a_life


def test_a_record_says_what_a_run_came_to(tmp_path: Path) -> None:
    watch = a_life(tmp_path / "thief", days=2)  # away on the third day, exchanged on the fourth
    first, second, away, exchanged = RunLog.peek(watch.folder, watch.id)
    assert first.time == BEGINS.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert (first.seq, first.previous, second.previous) == (0, watch.id, first.hash)
    assert (first.word, first.reason, first.date) == ("NO EVIDENCE", "on 2026-01-01", "2026-01-01")
    assert (first.questions, first.failed, first.requests) == (16, 0, 32)
    assert (first.seconds, first.cost) == (4.0, 16.0)  # two attempts each at half a unit
    assert (second.days, second.log_e, second.bar) == (2, 0.2, 2e6)
    assert [day["day"] for day in second.completed] == [2]
    assert (away.word, away.questions, away.failed) == ("COULD NOT TEST", CANARIES, CANARIES)
    assert (away.days, away.completed, away.changed) == (2, (), False)
    assert (exchanged.changed, exchanged.rows) == (True, 3 * (CANARIES + PARTS) + CANARIES)


def test_a_record_that_was_torn_is_kept_aside_and_the_file_goes_on(tmp_path: Path) -> None:
    watch = Watch(tmp_path / "thief")
    watch.run(0)
    path = watch.folder / RUNS
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:50])
    assert len(RunLog.peek(watch.folder, watch.id)) == 1  # reading alone moves nothing
    assert path.read_bytes() == whole + whole[:50]
    watch.run(1)
    assert (watch.folder / f"{RUNS}.torn").read_bytes() == whole[:50] + b"\n"
    assert [run.seq for run in RunLog.peek(watch.folder, watch.id)] == [0, 1]


def test_questions_of_a_run_that_a_full_disk_ended_count_in_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(tmp_path / "thief")
    watch.run(0)
    write = os.write

    def full(file: int, data: bytes) -> int:
        if b'"completed"' in data:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data)

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(EvidenceError, match=r"free some disk space and run again; 1 runs are safe"):
        watch.run(1)
    monkeypatch.undo()
    watch.run(2, asks=0)
    first, second = RunLog.peek(watch.folder, watch.id)
    assert (first.questions, second.questions) == (16, 16 + CANARIES)
    assert [day["date"] for day in second.completed] == ["2026-01-02"]


def test_a_second_writer_is_turned_away(tmp_path: Path) -> None:
    watch = Watch(tmp_path / "thief")
    watch.run(0)
    with (
        RunLog(watch.folder, watch.id),
        pytest.raises(EvidenceError, match=r"runs\.jsonl is being written by another run"),
    ):
        watch.run(1)

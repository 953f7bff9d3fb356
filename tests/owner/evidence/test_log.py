import errno
import json
import math
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datadeed.errors import EvidenceError
from datadeed.owner.evidence.log import JSONL, PARQUET, QueryLog, read_parquet
from tests.owner.evidence.samples import ANCHOR, answer, question

OTHER = "ff" * 32


def fill(folder: Path, count: int = 4) -> list[bytes]:
    """Write ``count`` records and give the log's lines."""
    with QueryLog(folder, ANCHOR) as log:
        for number in range(count):
            log.append(
                purpose="key",
                part=number // 2,
                row=number,
                question=question(number),
                answer=answer(number, 7, scores=(0.1 + number, 0.2)),
            )
        log.write_parquet()
    return (folder / JSONL).read_bytes().splitlines(keepends=True)


def reopen(folder: Path) -> QueryLog:
    with QueryLog(folder, ANCHOR) as log:
        return log


def test_a_log_can_be_resumed_and_then_goes_on_in_the_same_chain(tmp_path):
    fill(tmp_path / "evidence", 3)
    with QueryLog(tmp_path / "evidence", ANCHOR) as log:
        assert [record.seq for record in log.records] == [0, 1, 2]
        last = log.head
        added = log.append(purpose="key", part=9, row=9, question=question(9), answer=answer(1))
        assert (added.seq, added.previous, added.hash) == (3, last, log.head)
    assert reopen(tmp_path / "evidence").records == log.records


def test_an_empty_log_has_its_anchor_for_a_head(tmp_path):
    with QueryLog(tmp_path, ANCHOR) as log:
        assert (log.head, log.records) == (ANCHOR, [])
        log.write_parquet()
    assert read_parquet(tmp_path / PARQUET, ANCHOR) == []


def test_nobody_else_can_read_the_log(tmp_path):
    earlier = os.umask(0)
    try:
        fill(tmp_path / "evidence")
    finally:
        os.umask(earlier)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "evidence").iterdir()}
    assert modes == {JSONL: 0o600, PARQUET: 0o600}
    assert stat.S_IMODE((tmp_path / "evidence").stat().st_mode) == 0o700


def test_every_line_is_synced_before_its_record_is_returned(tmp_path, monkeypatch):
    synced = []
    with QueryLog(tmp_path, ANCHOR) as log:
        monkeypatch.setattr(os, "fsync", lambda _: synced.append((tmp_path / JSONL).read_bytes()))
        record = log.append(purpose="key", part=0, row=0, question=question(0), answer=answer(1))
    assert synced == [record.line().encode() + b"\n"]


def change_label(lines: list[bytes]) -> list[bytes]:
    return [*lines[:1], lines[1].replace(b'"labels":[1,7]', b'"labels":[2,7]'), *lines[2:]]


def change_with_a_new_hash(lines: list[bytes]) -> list[bytes]:
    from datadeed.files import canonical_digest

    values = json.loads(change_label(lines)[1])
    del values["hash"]
    values["hash"] = canonical_digest(values)
    line = json.dumps(values, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    return [lines[0], line, *lines[2:]]


def reformat(lines: list[bytes]) -> list[bytes]:
    return [*lines[:1], json.dumps(json.loads(lines[1])).encode() + b"\n", *lines[2:]]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (change_label, "row 1 was changed"),
        (change_with_a_new_hash, "row 2 does not continue the chain"),
        (reformat, "row 1 is not as it was written"),
        (lambda lines: [lines[0], *lines[2:]], "row 1 is numbered 2"),
        (lambda lines: lines[1:], "row 0 is numbered 1"),
        (lambda lines: [lines[1], lines[0], *lines[2:]], "row 0 is numbered 1"),
        (lambda lines: [lines[0], lines[0], *lines[1:]], "row 1 is numbered 0"),
        (lambda lines: [lines[0], b"\n", *lines[1:]], "row 1 is not as it was written"),
        (lambda lines: [lines[0], b"[" * 10**5 + b"\n"], "row 1 is not as it was written"),
        (lambda lines: [lines[0], b'{"seq":1}\n'], "row 1: fields missing"),
        (lambda lines: [lines[0], lines[1].replace(b'"part":0', b'"part":-1')], "part cannot be"),
    ],
)
def test_a_damaged_log_is_refused_by_the_row(tmp_path, damage, message):
    lines = fill(tmp_path)
    (tmp_path / JSONL).write_bytes(b"".join(damage(lines)))
    before = (tmp_path / JSONL).read_bytes()
    with pytest.raises(EvidenceError, match=message) as raised:
        reopen(tmp_path)
    assert "\n" not in str(raised.value)
    assert (tmp_path / JSONL).read_bytes() == before


def test_no_bit_of_the_log_can_be_changed_unnoticed(tmp_path):
    data = b"".join(fill(tmp_path, 2))
    for place in range(0, len(data) - 1, 11):
        changed = bytearray(data)
        changed[place] ^= 1
        (tmp_path / JSONL).write_bytes(changed)
        with pytest.raises(EvidenceError):
            reopen(tmp_path)


def test_a_log_of_another_key_is_refused(tmp_path):
    fill(tmp_path)
    with pytest.raises(EvidenceError, match="belongs to another key"), QueryLog(tmp_path, OTHER):
        pass


def test_an_anchor_must_be_a_digest(tmp_path):
    with pytest.raises(EvidenceError, match="64 lower-case"):
        QueryLog(tmp_path, "abc")


@pytest.mark.parametrize("kept", [1, 40, -1])
def test_a_line_cut_short_by_a_crash_is_put_aside_and_the_log_goes_on(tmp_path, kept):
    lines = fill(tmp_path)
    (tmp_path / JSONL).write_bytes(b"".join(lines[:3]) + lines[3][:kept])
    with QueryLog(tmp_path, ANCHOR) as log:
        assert log.torn == lines[3][:kept]
        assert len(log.records) == 3
        log.append(purpose="key", part=5, row=5, question=question(5), answer=answer(1))
    aside = tmp_path / f"{JSONL}.torn"
    assert aside.read_bytes() == lines[3][:kept] + b"\n"
    assert stat.S_IMODE(aside.stat().st_mode) == 0o600
    again = reopen(tmp_path)
    assert (again.torn, len(again.records)) == (b"", 4)


def test_a_second_writer_is_turned_away_until_the_first_is_done(tmp_path):
    program = (
        "import sys; from datadeed.owner.evidence.log import QueryLog\n"
        "with QueryLog(sys.argv[1], sys.argv[2]): pass"
    )
    elsewhere = [sys.executable, "-c", program, str(tmp_path), ANCHOR]
    with QueryLog(tmp_path, ANCHOR):
        with pytest.raises(EvidenceError, match="being written by another run"):
            reopen(tmp_path)
        refused = subprocess.run(elsewhere, capture_output=True, text=True, check=False)
    assert "being written by another run" in refused.stderr
    subprocess.run(elsewhere, check=True)


def test_a_full_disk_leaves_the_records_before_and_closes_the_log(tmp_path, monkeypatch):
    fill(tmp_path, 2)
    whole = (tmp_path / JSONL).read_bytes()
    write = os.write

    def half(file: int, data: bytes) -> int:
        if len(data) < 100:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data[: len(data) // 2])

    with QueryLog(tmp_path, ANCHOR) as log:
        monkeypatch.setattr(os, "write", half)
        with pytest.raises(EvidenceError, match=r"free some disk space.*2 answers are safe"):
            log.append(purpose="key", part=1, row=1, question=question(5), answer=answer(1))
        monkeypatch.undo()
        assert (tmp_path / JSONL).read_bytes() == whole
        with pytest.raises(EvidenceError, match="not open"):
            log.append(purpose="key", part=1, row=1, question=question(5), answer=answer(1))
    assert len(reopen(tmp_path).records) == 2


def test_an_interrupted_write_closes_the_log_and_loses_nothing_acknowledged(tmp_path, monkeypatch):
    fill(tmp_path, 2)

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with QueryLog(tmp_path, ANCHOR) as log:
        monkeypatch.setattr(os, "fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            log.append(purpose="key", part=1, row=1, question=question(5), answer=answer(1))
        monkeypatch.undo()
        with pytest.raises(EvidenceError, match="not open"):
            log.append(purpose="key", part=1, row=1, question=question(5), answer=answer(1))
    assert [record.seq for record in reopen(tmp_path).records] == [0, 1, 2]


def rewrite(folder: Path, change: Callable[[list[dict]], list[dict]]) -> None:
    table = pq.read_table(folder / PARQUET)
    rows = change(table.to_pylist())
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), folder / PARQUET)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: [rows[0] | {"labels": [5]}, *rows[1:]], "row 0 was changed"),
        (
            lambda rows: [rows[0] | {"scores": [math.nextafter(0.1, 1), 0.2]}, *rows[1:]],
            "row 0 was changed",
        ),
        (lambda rows: [rows[0] | {"scores": [float("nan")]}, *rows[1:]], "row 0: scores cannot be"),
        (lambda rows: rows[1:], "row 0 is numbered 1"),
        (lambda rows: rows[::-1], "row 0 is numbered 3"),
        (lambda rows: [*rows[:2], rows[1], *rows[2:]], "row 2 is numbered 1"),
    ],
)
def test_an_altered_parquet_is_refused_by_the_row(tmp_path, change, message):
    fill(tmp_path)
    rewrite(tmp_path, change)
    with pytest.raises(EvidenceError, match=message):
        read_parquet(tmp_path / PARQUET, ANCHOR)


def test_a_parquet_of_another_key_another_form_or_none_at_all_is_refused(tmp_path):
    fill(tmp_path)
    with pytest.raises(EvidenceError, match="belongs to another key"):
        read_parquet(tmp_path / PARQUET, OTHER)
    with pytest.raises(EvidenceError, match="does not exist"):
        read_parquet(tmp_path / "none.parquet", ANCHOR)
    pq.write_table(pa.table({"seq": [1]}), tmp_path / PARQUET)
    with pytest.raises(EvidenceError, match="columns are others"):
        read_parquet(tmp_path / PARQUET, ANCHOR)
    (tmp_path / PARQUET).write_bytes(b"PAR1 not at all PAR1")
    with pytest.raises(EvidenceError, match="damaged"):
        read_parquet(tmp_path / PARQUET, ANCHOR)

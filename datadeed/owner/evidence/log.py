"""The query log: every question and answer, on disk before the next one is asked.

``queries.jsonl`` takes one record a line and is synced after each, so that a crash loses no answer
that was acted upon. ``queries.parquet`` is the same records for whoever checks the claim; it holds
every hashed byte, so the chain can be checked from it alone.
"""

import contextlib
import errno
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from datadeed.errors import EvidenceError
from datadeed.files import atomic_path
from datadeed.owner.evidence.records import REMEDY, Record, check_anchor, check_chain, new_record

if TYPE_CHECKING:
    import pyarrow as pa

    from datadeed.owner.suspects.base import Answer

JSONL, PARQUET = "queries.jsonl", "queries.parquet"


class QueryLog:
    """An append-only log in ``folder``, made or resumed by ``with QueryLog(folder, anchor)``.

    Args:
        folder: the evidence folder; made with mode 0700 if it is not there.
        anchor: what the first record's ``previous`` must be, 64 hexadecimal digits; it ties the
            log to the key and the suspect that it is about.

    Attributes:
        records: all records, oldest first.
        torn: bytes of a last line that a crash cut short, moved to ``queries.jsonl.torn`` when the
            log was opened (its answer was never acted upon); b"" if there were none.

    Raises:
        EvidenceError: on opening, another process writes the log, or a row was changed, removed,
            inserted or moved.
    """

    def __init__(self, folder: str | Path, anchor: str):
        self.folder, self.anchor = Path(folder), check_anchor(anchor)
        self.path = self.folder / JSONL
        self.records: list[Record] = []
        self.torn = b""
        self._file: int | None = None

    def __enter__(self) -> Self:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._file = os.open(self.path, flags, 0o600)
            self._lock_and_load(self._file)
        except OSError as error:
            self.close()
            raise EvidenceError(f"{self.path} cannot be opened: {error.strerror}") from error
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file and its lock; the records stay readable."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @property
    def head(self) -> str:
        """Hash of the last record, or the anchor while there is none."""
        return self.records[-1].hash if self.records else self.anchor

    def append(
        self,
        *,
        purpose: str,
        part: int | None,
        row: int | None,
        question: str,
        answer: "Answer",
    ) -> Record:
        """Write one answer and return its record once it is on the disk.

        Raises:
            EvidenceError: a value cannot stand in a log, the log is closed, or the disk is full
                (the log then ends with the record before and is closed).
        """
        if self._file is None:
            raise EvidenceError(f"{self.path} is not open: open the log again to go on")
        record = new_record(
            seq=len(self.records),
            previous=self.head,
            purpose=purpose,
            part=part,
            row=row,
            question=question,
            answer=answer,
        )
        self._write(self._file, record.line().encode() + b"\n")
        self.records.append(record)
        return record

    def write_parquet(self) -> Path:
        """Write all records to ``queries.parquet`` (mode 0600) and return its path."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows = [record.values() for record in self.records]
        table = pa.Table.from_pylist(rows, schema=_schema())
        path = self.folder / PARQUET
        with atomic_path(path) as temporary:
            temporary.chmod(0o600)
            pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)
        return path

    def _write(self, file: int, line: bytes) -> None:
        size = os.fstat(file).st_size
        try:
            _write_all(file, line)
            os.fsync(file)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(file, size)
            self.close()
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            remedy = "free some disk space and run again" if full else "run again"
            raise EvidenceError(
                f"{self.path} cannot be written ({error.strerror}): {remedy}; "
                f"{len(self.records)} answers are safe"
            ) from error
        except BaseException:  # interrupted: what is on the disk is known only on reopening
            self.close()
            raise

    def _lock_and_load(self, file: int) -> None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise EvidenceError(
                f"{self.path} is being written by another run: wait for it or stop it"
            ) from error
        os.fchmod(file, 0o600)
        _sync_folder(self.folder)
        with open(file, "rb", closefd=False) as stream:
            whole, newline, rest = stream.read().rpartition(b"\n")
        self.records = check_chain(_rows(whole + newline, self.path), self.anchor, self.path)
        # A record counts from the moment its newline is on the disk: what follows the last newline
        # was cut short by a crash and nobody has acted on it.
        self.torn = rest
        if rest:
            _keep_aside(self.path.with_name(f"{JSONL}.torn"), rest)
            os.ftruncate(file, len(whole + newline))
            os.fsync(file)


def read_parquet(path: str | Path, anchor: str) -> list[Record]:
    """The records of a ``queries.parquet``, its whole chain checked from ``anchor``.

    Whether records were left out at the end shows only against the head in ``evidence.json``.

    Raises:
        EvidenceError: the file is missing, damaged or not a query log, or naming the row that was
            changed, removed, inserted or moved.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(path)
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            if not file.schema_arrow.equals(_schema()):
                raise EvidenceError(f"{path} is not a query log: its columns are others")
            rows = file.read().to_pylist()
    except FileNotFoundError as error:
        raise EvidenceError(f"{path} does not exist: ask for the whole evidence folder") from error
    except (pa.ArrowException, OSError, ValueError) as error:
        raise EvidenceError(f"{path} is damaged: ask for the original") from error
    return check_chain(rows, check_anchor(anchor), path)


def _schema() -> "pa.Schema":
    import pyarrow as pa

    def column(name: str, kind: pa.DataType, *, nullable: bool = False) -> pa.Field:
        return pa.field(name, kind, nullable=nullable)

    return pa.schema(
        [
            column("seq", pa.int64()),
            column("time", pa.string()),
            column("purpose", pa.string()),
            column("part", pa.int64(), nullable=True),
            column("row", pa.int64(), nullable=True),
            column("question", pa.string()),
            column("labels", pa.list_(column("element", pa.int64()))),
            column("scores", pa.list_(column("element", pa.float64())), nullable=True),
            column("error", pa.string()),
            column("attempts", pa.int64()),
            column("seconds", pa.float64()),
            column("response_sha256", pa.string()),
            column("previous", pa.string()),
            column("hash", pa.string()),
        ]
    )


def _rows(data: bytes, path: Path) -> Iterator[Mapping[str, Any]]:
    """The JSON object of each line; a line written in any other way than ours was changed."""
    for row, line in enumerate(data.split(b"\n")[:-1]):
        try:
            values = json.loads(line)
            written = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
        except (ValueError, RecursionError):
            values, written = None, ""
        if written.encode() != line or not isinstance(values, dict):
            raise EvidenceError(f"{path}, row {row} is not as it was written; {REMEDY}")
        yield values


def _keep_aside(path: Path, rest: bytes) -> None:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    file = os.open(path, flags, 0o600)
    try:
        _write_all(file, rest + b"\n")
        os.fsync(file)
    finally:
        os.close(file)


def _write_all(file: int, data: bytes) -> None:
    """``os.write`` may take a part only."""
    while data:
        data = data[os.write(file, data) :]


def _sync_folder(folder: Path) -> None:
    """A new file's name survives a crash only once its folder is synced."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)

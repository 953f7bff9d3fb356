"""An append-only file of chained records, one a line, each on the disk before it is acted upon.

A line counts from the moment its newline is on the disk. What a crash cut short is kept aside.
"""

import contextlib
import errno
import fcntl
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Generic, Self, TypeVar

from datadeed.errors import EvidenceError
from datadeed.owner.evidence.fields import check_anchor
from datadeed.owner.evidence.records import REMEDY, Link, check_chain

_Link = TypeVar("_Link", bound=Link)


class ChainedLog(ABC, Generic[_Link]):
    """An append-only log in ``folder``, made or resumed by ``with``.

    A subclass says what its records are: the file's :attr:`name`, what they are ``called`` where
    some are safe, and how one is ``read`` from JSON values.

    Args:
        folder: of the file; made with mode 0700 if it is not there.
        anchor: what the first record's ``previous`` must be, 64 hexadecimal digits.

    Attributes:
        records: all records, oldest first.
        torn: bytes of a last line that a crash cut short, moved to a file ``.torn`` beside the log
            when it was opened (nobody acted upon it); b"" if there were none.

    Raises:
        EvidenceError: on opening, another process writes the log, or a row was changed, removed,
            inserted or moved.
    """

    name: ClassVar[str]
    called: ClassVar[str]

    def __init__(self, folder: str | Path, anchor: str):
        self.folder, self.anchor = Path(folder), check_anchor(anchor)
        self.path = self.folder / self.name
        self.records: list[_Link] = []
        self.torn = b""
        self._file: int | None = None

    @staticmethod
    @abstractmethod
    def read(values: Mapping[str, Any]) -> _Link:
        """A record from JSON values, each checked for its type.

        Raises:
            EvidenceError: a field is missing, unknown or not of its type.
        """

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

    def _add(self, record: _Link) -> _Link:
        """Write a record that continues the chain; returned once it is on the disk.

        Raises:
            EvidenceError: the log is closed, or the disk is full (the log then ends with the record
                before and is closed).
        """
        if self._file is None:
            raise EvidenceError(f"{self.path} is not open: open the log again to go on")
        self._write(self._file, record.line().encode() + b"\n")
        self.records.append(record)
        return record

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
                f"{len(self.records)} {self.called} are safe"
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
        self.records = _checked(whole + newline, self.anchor, self.path, self.read)
        self.torn = rest
        if rest:
            _keep_aside(self.path.with_name(f"{self.name}.torn"), rest)
            os.ftruncate(file, len(whole + newline))
            os.fsync(file)

    @classmethod
    def peek(cls, folder: str | Path, anchor: str) -> list[_Link]:
        """The records on the disk, without a lock: another process may be adding to them.

        Raises:
            EvidenceError: the file is not there, or a row was changed, removed, inserted or moved.
        """
        path = Path(folder) / cls.name
        try:
            whole, newline, _ = path.read_bytes().rpartition(b"\n")
        except OSError as error:
            raise EvidenceError(
                f"{path} cannot be read ({error.strerror}): name the folder of a watch"
            ) from error
        return _checked(whole + newline, check_anchor(anchor), path, cls.read)


def _checked(
    data: bytes, anchor: str, path: Path, read: Callable[[Mapping[str, Any]], _Link]
) -> list[_Link]:
    return check_chain(_rows(data, path), anchor, path, read)


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

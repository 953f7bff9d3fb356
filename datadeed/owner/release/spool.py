"""Edited files one after another in one file on disk, until their place is known."""

import os
import weakref
from pathlib import Path


class Spool:
    """Bytes by row. Reading is safe in threads, writing is not.

    Args:
        path: the file to make; whoever made its folder removes it.
    """

    def __init__(self, path: Path):
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        weakref.finalize(self, os.close, self._handle)
        self._at: dict[int, tuple[int, int]] = {}
        self._end = 0

    def __contains__(self, row: int) -> bool:
        return row in self._at

    def __getitem__(self, row: int) -> bytes:
        start, size = self._at[row]
        data = b""
        while len(data) < size:
            data += os.pread(self._handle, size - len(data), start + len(data))
        return data

    def __setitem__(self, row: int, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[os.pwrite(self._handle, left, self._end + len(data) - len(left)) :]
        self._at[row] = (self._end, len(data))
        self._end += len(data)

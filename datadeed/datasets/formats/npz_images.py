"""Images in a member of a NumPy archive, unpacked to a file of which rows are read when asked for.

Nothing of them stays in memory, compressed or not: each access maps the file anew.
"""

import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from datadeed.datasets.formats.split import Scratch

_BLOCK = 2**24  # bytes that are read at once when all rows are asked for


@dataclass(frozen=True, eq=False)
class Member:
    """One uint8 array of an archive.

    Attributes:
        archive: the NPZ file.
        name: the member's, with its suffix.
        shape: of the array.
    """

    archive: Path
    name: str
    shape: tuple[int, ...]

    @cached_property
    def _scratch(self) -> Scratch:
        scratch = Scratch()
        with (
            zipfile.ZipFile(self.archive) as opened,
            opened.open(self.name) as stored,
            (scratch.path / "array.npy").open("wb") as file,
        ):
            shutil.copyfileobj(stored, file, 2**20)
        return scratch

    @property
    def file(self) -> Path:
        """The member as a file of its own, which goes when this object does.

        Raises:
            zipfile.BadZipFile, zlib.error, EOFError: it is damaged.
        """
        return self._scratch.path / "array.npy"


class DiskImages:
    """The images of a member; indexed as an array is, and every answer is a copy.

    Args:
        member: where they are.
        arrange: gives (N, H, W, C) as a view of the member's array.
        reading: entered for each access; what is wrong with the file may become another error.

    Attributes:
        shape: (N, H, W, C).
    """

    def __init__(
        self,
        member: Member,
        arrange: Callable[[np.ndarray], np.ndarray],
        reading: Callable[[], Any],
    ):
        self.member, self._arrange, self._reading = member, arrange, reading
        self.shape = arrange(np.broadcast_to(np.uint8(0), member.shape)).shape

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: int | slice | np.ndarray) -> np.ndarray:
        return np.array(self._view("r")[rows])

    def __setitem__(self, rows: int | slice | np.ndarray, images: np.ndarray) -> None:
        self._view("r+")[rows] = images

    def __iter__(self) -> Iterator[np.ndarray]:
        step = max(1, _BLOCK * len(self) // int(np.prod(self.shape)))
        for start in range(0, len(self), step):
            yield from self[start : start + step]

    def _view(self, mode: Any) -> np.ndarray:
        with self._reading():
            return self._arrange(np.load(self.member.file, mmap_mode=mode))

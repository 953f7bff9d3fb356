"""Sound: WAV files in which only the edited samples change.

Headers, other parts of the files (titles, time stamps, broadcast data) and what follows the sound
stay byte for byte, and files without an edit whole. Nothing is compressed, so nothing is lost.
"""

import functools
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from datadeed.datasets.formats import wav
from datadeed.datasets.formats.wav import WavForm
from datadeed.owner.release.edits import Job
from datadeed.owner.release.rows import Items

Files = Callable[[], Iterator[tuple[str, bytes | Path]]]


class ClipItems(Items):
    """One split of clips, each with all its sound, at its own rate, as the file stores it.

    A sample is (frames, channels) of its form's dtype (:class:`WavForm`).

    Args:
        format, classes, labels: as for :class:`Items`.
        files: gives each row's name for messages and its WAV file.
    """

    def __init__(self, format: str, classes: tuple[str, ...], labels: np.ndarray, files: Files):
        super().__init__(format, classes, labels, 0, self._sounds, modality="audio")
        self._files = files

    @functools.cached_property
    def forms(self) -> tuple[WavForm, ...]:
        """How each row's file stores its sound; reads all headers."""
        return tuple(wav.read_form(name, source) for name, source in self._files())

    def stored(self) -> Iterator[bytes | Path]:
        """Each row's WAV file: its bytes, or its path."""
        return (source for _, source in self._files())

    def _sounds(self) -> Iterator[np.ndarray]:
        for name, source in self._files():
            yield wav.read_frames(name, source, wav.read_form(name, source))


class Rerecording:
    """Edits WAV files, and keeps the results on disk until their place is known.

    Args:
        job: what is released.

    Attributes:
        to_read: the rows that :meth:`draw` wants to see.
    """

    def __init__(self, job: Job):
        self._edits, self._folder = job.edits, job.waiting()
        self.to_read = set(job.edits.rows.tolist())
        self._waiting: dict[int, Path] = {}

    def draw(self, row: int, name: str, source: bytes | Path) -> None:
        """Edit one file; its sound is in memory twice, as it was and as the edit wants it."""
        form = wav.read_form(name, source)
        new = self._edits.ask(row, wav.read_frames(name, source, form))
        self._edits.advance()
        if new is None:
            return
        path = self._waiting[row] = self._folder / str(row)
        if isinstance(source, bytes):
            path.write_bytes(source)
        else:
            shutil.copyfile(source, path)
        wav.write_frames(name, path, new, form)

    def waiting(self, row: int) -> Path | None:
        """The file with a row's new sound; None if it stays."""
        return self._waiting.get(row)

    def finished(self, files: Iterable[tuple[int, str, bytes]]) -> Iterator[tuple[int, bytes]]:
        """For (row, name, data): each row and its file as the release holds it, in order."""
        for row, _, data in files:
            waiting = self.waiting(row)
            if row not in self.to_read:
                self._edits.advance()
            yield row, data if waiting is None else waiting.read_bytes()

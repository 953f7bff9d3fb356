"""Sound: files in which only the edited samples change.

Of WAV headers, other parts of the files (titles, time stamps, broadcast data) and what follows the
sound stay byte for byte, and files without an edit whole. Of FLAC all files are encoded again if
one is edited, so that edited ones do not stand out by their encoder; other parts stay. No sound is
lost.
"""

import contextlib
import functools
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from datadeed.datasets.formats import flac, sound, wav
from datadeed.datasets.formats.damaged import all_named
from datadeed.datasets.formats.wav import WavForm
from datadeed.owner.release.edits import Job
from datadeed.owner.release.rows import Items

Files = Callable[[], Iterator[tuple[str, bytes | Path]]]


class ClipItems(Items):
    """One split of clips, each with all its sound, at its own rate, as the file stores it.

    A sample is (frames, channels) of its form's dtype (:class:`WavForm`).

    Args:
        format, classes, labels: as for :class:`Items`.
        files: gives each row's name for messages and its sound file.
        instead: what else may be done about damaged files, at the end of a line.
    """

    def __init__(
        self,
        format: str,
        classes: tuple[str, ...],
        labels: np.ndarray,
        files: Files,
        instead: str = "",
    ):
        super().__init__(format, classes, labels, 0, self._sounds, modality="audio")
        self._files, self._instead = files, instead

    @functools.cached_property
    def forms(self) -> tuple[WavForm, ...]:
        """How each row's file stores its sound; reads all headers."""
        with self._all_named():
            return tuple(sound.read_form(name, source) for name, source in self._files())

    def stored(self) -> Iterator[bytes | Path]:
        """Each row's file: its bytes, or its path."""
        return (source for _, source in self._files())

    def _sounds(self) -> Iterator[np.ndarray]:
        for name, source in self._files():
            with self._all_named():
                frames = sound.read_whole(name, source)
            yield frames

    def _all_named(self) -> contextlib.AbstractContextManager[None]:
        return all_named("sounds", self._files, sound.fault, lambda: self._instead)


class Rerecording:
    """Edits sound files, and keeps the results on disk until their place is known.

    Args:
        job: what is released.

    Attributes:
        to_read: the rows that :meth:`draw` wants to see.
    """

    def __init__(self, job: Job):
        self._edits, self._folder = job.edits, job.waiting()
        self.to_read = set(job.edits.rows.tolist())
        self._waiting: dict[int, Path] = {}
        self._packs = False

    def draw(self, row: int, name: str, source: bytes | Path) -> None:
        """Edit one file; its sound is in memory twice, as it was and as the edit wants it."""
        form = sound.read_form(name, source)
        new = self._edits.ask(row, sound.read_frames(name, source, form))
        self._edits.advance()
        if new is None:
            return
        path = self._waiting[row] = self._folder / str(row)
        if sound.is_flac(source):
            wav.check_range(name, new, form)
            self._packs = True
            path.write_bytes(flac.encode(name, _content(source), new, form))
            return
        if isinstance(source, bytes):
            path.write_bytes(source)
        else:
            shutil.copyfile(source, path)
        wav.write_frames(name, path, new, form)

    def write(self, row: int, name: str, source: Path, target: Path) -> None:
        """Write a row's file as the release holds it."""
        packed = row not in self._waiting and self._packs and sound.is_flac(source)
        if packed:
            target.write_bytes(self._final(row, name, source.read_bytes()))
        else:
            shutil.copyfile(self._waiting.get(row, source), target)
        if row not in self.to_read:
            self._edits.advance()

    def finished(self, files: Iterable[tuple[int, str, bytes]]) -> Iterator[tuple[int, bytes]]:
        """For (row, name, data): each row and its file as the release holds it, in order."""
        for row, name, data in files:
            if row not in self.to_read:
                self._edits.advance()
            yield row, self._final(row, name, data)

    def _final(self, row: int, name: str, data: bytes) -> bytes:
        if row in self._waiting:
            return self._waiting[row].read_bytes()
        if not (self._packs and sound.is_flac(data)):
            return data
        form = sound.read_form(name, data)
        again = flac.encode(name, data, sound.read_frames(name, data, form), form)
        self._edits.recoded += again != data
        return again


def _content(source: bytes | Path) -> bytes:
    return source if isinstance(source, bytes) else source.read_bytes()

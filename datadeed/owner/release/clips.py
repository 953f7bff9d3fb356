"""Sound: WAV files and Parquet of them, in which only the edited samples change.

Headers, other parts of the files (titles, time stamps, broadcast data) and what follows the sound
stay byte for byte, and files without an edit whole. Nothing is compressed, so nothing is lost.
"""

import functools
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from datadeed.datasets.formats import parquet_audio, wav, wavfolder
from datadeed.datasets.formats.wav import WavForm
from datadeed.errors import DatasetError
from datadeed.owner.release import shards
from datadeed.owner.release.edits import Job
from datadeed.owner.release.names import new_names
from datadeed.owner.release.rows import Items

_PART_BYTES = 2**28
Classes = str | Sequence[str] | int | None
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

    def _sounds(self) -> Iterator[np.ndarray]:
        for name, source in self._files():
            yield wav.read_frames(name, source, wav.read_form(name, source))


def open_folder(source: Path, split: str | None, *, classes: Classes = None) -> ClipItems:
    """One split of a folder; see :func:`wavfolder.listing`."""
    found = wavfolder.listing(source, split=split, classes=classes)
    return ClipItems(
        "wavfolder",
        found.classes,
        found.labels,
        lambda: ((file, Path(file)) for file in found.files),
    )


def open_parquet(source: Path, split: str | None) -> ClipItems:
    """One split of Parquet; see :func:`parquet_audio.listing`."""
    found = parquet_audio.listing(source, split=split)
    return ClipItems(
        "parquet_audio", found.classes, found.labels, lambda: parquet_audio.sources(found)
    )


class Rerecording:
    """Edits WAV files, and keeps the results on disk until their place is known.

    Args:
        job: what is released.
    """

    def __init__(self, job: Job):
        self._edits, self._folder = job.edits, job.content.parent / "waiting"
        self._folder.mkdir()
        self.asked = frozenset(job.edits.rows.tolist())
        self._waiting: dict[int, Path] = {}

    def edit(self, row: int, name: str, source: bytes | Path) -> None:
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
            if row not in self.asked:
                self._edits.advance()
            yield row, data if waiting is None else waiting.read_bytes()


def write_folder(job: Job) -> None:
    """Write the files of one split; an edited label moves a file to another folder.

    Times, permissions and names are those of :func:`datadeed.owner.release.folders.write`.

    Raises:
        DatasetError: a label changed, and labels stand in the files' names.
    """
    found, edits = wavfolder.listing(job.source, split=job.split, **job.options), job.edits
    files, rerecording = [Path(file) for file in found.files], Rerecording(job)
    for row in edits.rows.tolist():
        rerecording.edit(row, found.files[row], files[row])
    if edits.moved and len(set(found.folders)) < len(found.folders):
        raise DatasetError(
            f"{job.source} has labels in its files' names, and an edit changed one: sort the files "
            "into a folder for each class"
        )
    inner = [
        file.relative_to(found.folders[label]).as_posix()
        for file, label in zip(files, found.labels.tolist(), strict=True)
    ]
    renamed = new_names(inner, found.labels, edits.moved, job.generator)
    edits.renamed, edits.old_names = len(renamed), {inner[row] for row in edits.moved}
    for row, file in enumerate(files):
        name, donor = renamed.get(row, (inner[row], row))
        folder = found.folders[edits.moved.get(row, int(found.labels[row]))]
        path, waiting = job.place(folder) / name, rerecording.waiting(row)
        path.parent.mkdir(parents=True, exist_ok=True)
        if waiting is not None:
            os.replace(waiting, path)
        else:
            shutil.copyfile(file, path)
        shutil.copystat(files[donor], path)
        if row not in rerecording.asked:
            edits.advance()


def write_parquet(job: Job) -> None:
    """Write all shards of one split; what is kept is that of :func:`shards.write`."""
    found, edits = parquet_audio.listing(job.source, split=job.split), job.edits
    rerecording = Rerecording(job)
    for row, (name, data) in enumerate(parquet_audio.sources(found)):
        if row in rerecording.asked:
            rerecording.edit(row, name, data)
    renamed = new_names(found.names, found.labels, edits.moved, job.generator)
    edits.renamed, edits.old_names = len(renamed), {found.names[row] for row in edits.moved}
    names = {row: new.name for row, new in renamed.items()}
    columns = shards._columns(found, edits.moved) if edits.moved else {}
    first = 0
    for file in found.files:
        schema, options = shards.form_of(file)
        with pq.ParquetWriter(job.place(file), schema, **options) as writer:
            for table in shards.row_groups(file):
                rows = range(first, first + len(table))
                files = _files(table[found.image], rows, rerecording, names)
                new = shards.with_column(table, found.image, files)
                for name, values in columns.items():
                    old = table[name]
                    replaced = shards._replaced(old.to_pylist(), rows, values)
                    new = shards.with_column(new, name, pa.array(replaced, old.type))
                writer.write_table(new, row_group_size=max(1, len(table)))
                first += len(table)
        shutil.copystat(file, job.place(file))


def _files(
    column: pa.ChunkedArray, rows: range, rerecording: Any, names: dict[int, str]
) -> pa.ChunkedArray:
    """The column of files with the new ones, built in parts: Arrow's binary arrays hold 2 GiB."""
    step = max(1, _PART_BYTES * len(rows) // max(1, column.nbytes))
    parts = [
        shards._images(column.slice(start, step), rows[start : start + step], rerecording, names)
        for start in range(0, len(rows), step)
    ]
    return pa.chunked_array([chunk for part in parts for chunk in part.chunks], column.type)


def _changed_in_folder(source: Path, split: str | None, *, classes: Classes = None) -> list[Path]:
    return [Path(file) for file in wavfolder.listing(source, split=split, classes=classes).files]


def _changed_in_parquet(source: Path, split: str | None) -> list[Path]:
    return parquet_audio.listing(source, split=split).files


CLIP_OPENERS: dict[str, Callable[..., Items]] = {
    "wavfolder": open_folder,
    "parquet_audio": open_parquet,
}
CLIP_WRITERS: dict[str, Any] = {
    "wavfolder": SimpleNamespace(changed_files=_changed_in_folder, write=write_folder),
    "parquet_audio": SimpleNamespace(changed_files=_changed_in_parquet, write=write_parquet),
}

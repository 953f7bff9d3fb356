"""Folders of image or WAV files: the edited split's, at their places in the release."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from datadeed.errors import DatasetError
from datadeed.owner.release.edits import Job
from datadeed.owner.release.redrawing import edited_files


def write(job: Job) -> None:
    """Write the files of one split; an edited label moves a file to another folder.

    A file that must be renamed there (:meth:`Job.rename`) takes the times and permissions of a file
    of its new class; all others keep theirs.

    Raises:
        DatasetError: a label changed, and labels stand in the files' names.
    """
    found, edits = job.reopen(), job.edits
    files, drawn = found.files, edited_files(job, found)
    if edits.moved and len(set(found.folders)) < len(found.folders):
        raise DatasetError(
            f"{job.source} has labels in its files' names, and an edit changed one: sort the files "
            "into a folder for each class"
        )
    inner = [
        file.relative_to(found.folders[label]).as_posix()
        for file, label in zip(files, found.labels.tolist(), strict=True)
    ]
    renamed = job.rename(inner)

    def target(row: int) -> tuple[Path, Path]:
        """Where a row's file goes, and the file to take times and permissions from."""
        name, donor = renamed.get(row, (inner[row], row))
        label = edits.moved.get(row, int(found.labels[row]))
        path = job.place(found.folders[label]) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path, files[donor]

    if drawn.recoded_formats:
        stream: Iterator[tuple[int, str, bytes]] = (
            (row, str(file), file.read_bytes()) for row, file in enumerate(files)
        )
        for row, data in drawn.finished(stream):
            path, like = target(row)
            path.write_bytes(data)
            shutil.copystat(like, path)
        return
    asked = set(edits.rows.tolist())
    for row, file in enumerate(files):
        path, like = target(row)
        waiting = drawn.waiting(row)
        if waiting is not None:
            os.replace(waiting, path)
        else:
            shutil.copyfile(file, path)
        shutil.copystat(like, path)
        if row not in asked:
            edits.advance()

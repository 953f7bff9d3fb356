"""ImageFolder: the edited split's files, at their places in the release."""

import os
import shutil
from pathlib import Path

from datadeed.datasets.formats import imagefolder
from datadeed.owner.release.edits import Job
from datadeed.owner.release.names import new_names
from datadeed.owner.release.redrawing import Redrawing


def changed_files(source: Path, split: str | None) -> list[Path]:
    """The files that :func:`write` makes."""
    return [Path(file) for file in imagefolder.listing(source, split=split).files]


def write(job: Job, redrawing: Redrawing) -> None:
    """Write the image files of one split; an edited label moves a file to another folder.

    A file that must be renamed there (:func:`new_names`) takes the times and permissions of a file
    of its new class; all others keep theirs.
    """
    found = imagefolder.listing(job.source, split=job.split)
    edits = job.edits
    files = [Path(file) for file in found.files]
    for row in sorted(redrawing.to_read):
        redrawing.draw(row, str(files[row]), files[row].read_bytes())
    inner = [
        file.relative_to(found.folders[label]).as_posix()
        for file, label in zip(files, found.labels.tolist(), strict=True)
    ]
    renamed = new_names(inner, found.labels, edits.moved, job.generator)
    edits.renamed = len(renamed)
    edits.old_names = {inner[row] for row in edits.moved}

    def target(row: int) -> tuple[Path, Path]:
        """Where a row's file goes, and the file to take times and permissions from."""
        name, donor = renamed.get(row, (inner[row], row))
        label = edits.moved.get(row, int(found.labels[row]))
        return job.place(found.folders[label]) / name, files[donor]

    if redrawing.recoded_formats:
        stream = ((row, str(file), file.read_bytes()) for row, file in enumerate(files))
        for row, data in redrawing.finished(stream):
            path, like = target(row)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            shutil.copystat(like, path)
        return
    asked = set(edits.rows.tolist())
    for row, file in enumerate(files):
        path, like = target(row)
        path.parent.mkdir(parents=True, exist_ok=True)
        waiting = redrawing.waiting(row)
        if waiting is not None:
            os.replace(waiting, path)
        else:
            shutil.copyfile(file, path)
        shutil.copystat(like, path)
        if row not in asked:
            edits.advance()

"""Folders of image or sound files: the edited split's, at their places in the release."""

from collections.abc import Sequence
from pathlib import Path

from datadeed.errors import DatasetError
from datadeed.owner.release import neutral
from datadeed.owner.release.clips import Rerecording
from datadeed.owner.release.edits import Job
from datadeed.owner.release.redrawing import Redrawing, edited_files


def write(job: Job) -> None:
    """Write the files of one split; an edited label moves a file to another folder.

    All are written anew, in the order of their names and with one time (:mod:`neutral`). Where a
    label changed, files of the classes concerned get other names (:meth:`Job.rename`).

    Raises:
        DatasetError: a label changed, and labels stand in the files' names; or two files would
            have one name.
    """
    found, edits = job.reopen(), job.edits
    files, drawn = found.files, edited_files(job, found)
    if edits.moved and len(set(found.folders)) < len(found.folders):
        raise DatasetError(
            f"{job.source} has labels in its files' names, and an edit changed one: sort the files "
            "into a folder for each class"
        )
    labels = found.labels.tolist()
    inner = [
        file.relative_to(found.folders[label]).as_posix()
        for file, label in zip(files, labels, strict=True)
    ]
    renamed = job.rename(inner)
    paths = [
        job.place(found.folders[edits.moved.get(row, label)]) / renamed.get(row, inner[row])
        for row, label in enumerate(labels)
    ]
    write_files(job, drawn, files, paths)


def write_files(
    job: Job, drawn: Redrawing | Rerecording, files: Sequence[Path], paths: Sequence[Path]
) -> None:
    """Write the files of a split, all anew, in the order of their names and with one time.

    Args:
        job: what is released.
        drawn: the edited files.
        files, paths: each row's file in the source and in the release.
    """
    neutral.create(paths)
    rows = sorted(range(len(paths)), key=paths.__getitem__)
    if isinstance(drawn, Rerecording):
        for row in rows:
            drawn.write(row, str(files[row]), files[row], paths[row])
    else:
        stream = ((row, str(files[row]), files[row].read_bytes()) for row in rows)
        for row, data in drawn.finished(stream):
            paths[row].write_bytes(data)
    neutral.stamp(paths, files)

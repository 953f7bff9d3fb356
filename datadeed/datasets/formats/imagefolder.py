"""ImageFolder: one folder a class, image files inside; the layout ImageNet is trained from."""

import functools
import os
from collections.abc import Sequence
from pathlib import Path

from datadeed.datasets.formats import archives, class_folders, images
from datadeed.datasets.formats.images import SUFFIXES
from datadeed.datasets.formats.split import Split
from datadeed.errors import DatasetError

blocks = images.blocks


def matches(path: Path) -> bool:
    """Whether ``path`` is a folder of folders with images, or an archive with images."""
    if archives.is_archive(path):
        return class_folders.in_archive(path, SUFFIXES)
    inner = class_folders.folders(path)
    return any(next(class_folders.files_below(path / name, SUFFIXES), None) for name in inner)


def open_split(
    path: Path,
    split: str | None = None,
    *,
    classes: Sequence[str] | int | None = None,
    damaged: str = "refuse",
) -> Split:
    """The image files of one split.

    Args:
        path: a folder of class folders, a folder of splits, or a zip or tar of either.
        split: the sub-folder to read; not needed without splits.
        classes: the folders to read, in label order, or how many of the first; all by default.
        damaged: "skip" to leave out files that are no whole images, which takes one pass over all,
            however often they are opened.

    Raises:
        DatasetError: there are no class folders, one asked for is missing, or folders may be
            splits or classes.
    """
    if damaged not in ("refuse", "skip"):
        raise DatasetError(f"option 'damaged' is {damaged!r}: give 'skip' or leave it out")
    root, scratch = class_folders.opened(path, split, SUFFIXES, classes)
    if damaged == "refuse":
        return class_folders.by_folder("image", root, SUFFIXES, classes, scratch)
    return class_folders.by_folder("image", root, SUFFIXES, classes, scratch, usable=_usable)


def _usable(file: str) -> bool:
    try:
        found = os.stat(file)
    except OSError:
        return False
    return _is_whole(file, found.st_size, found.st_mtime_ns)


@functools.lru_cache(maxsize=2**20)
def _is_whole(file: str, size: int, time: int) -> bool:
    """Whether an image can be decoded; asked again only if its size or time changed.

    A job opens a split several times: to read, to check, and to write.
    """
    return images.fault(file, Path(file)) is None

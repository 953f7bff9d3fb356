"""ImageFolder: one folder a class, image files inside; the layout ImageNet is trained from."""

from collections.abc import Sequence
from pathlib import Path

from datadeed.datasets.formats import archives, class_folders, images
from datadeed.datasets.formats.damaged import REFUSE, skips, usable
from datadeed.datasets.formats.images import SUFFIXES
from datadeed.datasets.formats.split import Split

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
    damaged: str = REFUSE,
) -> Split:
    """The image files of one split.

    Args:
        path: a folder of class folders, a folder of splits, or a zip or tar of either.
        split: the sub-folder to read; not needed without splits.
        classes: the folders to read, in label order, or how many of the first; all by default.
        damaged: "skip" to leave out files that are no whole images, which takes one pass over all,
            however often they are opened.

    Raises:
        DatasetError: there are no class folders, one asked for is missing, folders may be splits
            or classes, or ``damaged`` is another word.
    """
    leaves_out = skips(damaged)
    root, scratch = class_folders.opened(path, split, SUFFIXES, classes)
    check = _usable if leaves_out else None
    return class_folders.by_folder("image", root, SUFFIXES, classes, scratch, usable=check)


def _usable(file: str) -> bool:
    return usable(file, images.fault)

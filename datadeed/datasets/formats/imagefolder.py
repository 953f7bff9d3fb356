"""ImageFolder: one folder a class, image files inside; the layout ImageNet is trained from."""

from collections.abc import Sequence
from pathlib import Path

from datadeed.datasets.formats import archives, class_folders, images
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
    path: Path, split: str | None = None, *, classes: Sequence[str] | int | None = None
) -> Split:
    """The image files of one split.

    Args:
        path: a folder of class folders, a folder of splits, or a zip or tar of either.
        split: the sub-folder to read; not needed without splits.
        classes: the folders to read, in label order, or how many of the first; all by default.

    Raises:
        DatasetError: there are no class folders, or one asked for is missing.
    """
    root, scratch = class_folders.opened(path, split)
    return class_folders.by_folder("image", root, SUFFIXES, classes, scratch)

"""Folders of files, one folder a class, in folders ``train`` and ``test`` if there are splits.

Classes are the folders' names, sorted, and rows go class by class, unless a file
``class_order.txt`` beside them lists the folders in label order. File names that are numbers are
the rows' index. Percent-encoded characters in folder names are decoded.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from datadeed.datasets.formats import archives
from datadeed.datasets.formats.blocks import SPLITS, choose_classes, choose_split, index_of
from datadeed.datasets.formats.split import Scratch, Split
from datadeed.errors import DatasetError

ORDER = "class_order.txt"


def in_archive(path: Path, suffixes: tuple[str, ...]) -> bool:
    """Whether an archive has a file with one of the suffixes."""
    return any(name.lower().endswith(suffixes) for name in archives.member_names(path))


def folders(path: Path) -> list[str]:
    """Sorted names of sub-folders, without hidden ones and those that macOS adds to archives."""
    if not path.is_dir():
        return []
    with os.scandir(path) as entries:
        names = [entry.name for entry in entries if entry.is_dir()]
    return sorted(name for name in names if not name.startswith(".") and name != "__MACOSX")


def files_below(folder: Path, suffixes: tuple[str, ...]) -> Iterator[str]:
    """Paths, as text, of the files with one of the suffixes, at any depth."""
    for where, _, files in os.walk(folder):
        for file in files:
            if file.lower().endswith(suffixes) and not file.startswith("."):
                yield os.path.join(where, file)


def opened(path: Path, split: str | None) -> tuple[Path, Scratch | None]:
    """The folder of a split's classes, and what it was unpacked to if ``path`` is an archive.

    Raises:
        DatasetError: the archive is damaged, or there is no such split.
    """
    folder, scratch = archives.unpacked(path)
    if scratch is not None:
        folder = _descend(folder)
    present = [name for name in folders(folder) if name in SPLITS]
    if split is None and (not present or len(present) < len(folders(folder))):
        return folder, scratch  # some folders are classes, so all are
    return folder / choose_split(split, present, path), scratch


def _descend(folder: Path) -> Path:
    """Past the single folders that archives wrap their content in."""
    while len(names := folders(folder)) == 1 and folders(folder / names[0]):
        if names[0] in SPLITS:
            break
        folder /= names[0]
    return folder


def by_folder(
    modality: str,
    root: Path,
    suffixes: tuple[str, ...],
    classes: Sequence[str] | int | None,
    scratch: Scratch | None,
) -> Split:
    """The files in class folders.

    Args:
        modality: of the files.
        root: the folder of the class folders.
        suffixes: of the files.
        classes: the folders to read, in label order, or how many of the first; None for all.
        scratch: what is removed when the split is read.

    Raises:
        DatasetError: there are no class folders, or one asked for is missing.
    """
    names = _choose(root, classes)
    files = [sorted(files_below(root / name, suffixes)) for name in names]
    labels = np.repeat(np.arange(len(names)), [len(some) for some in files])
    shown = tuple(unquote(name) for name in names)
    return in_order(
        modality,
        [file for some in files for file in some],
        labels,
        root=root,
        classes=shown,
        folders=[root / name for name in names],
        scratch=scratch,
    )


def _choose(root: Path, classes: Sequence[str] | int | None) -> list[str]:
    """The class folders to read, in label order."""
    names = folders(root)
    order = root / ORDER
    if order.is_file():
        listed = order.read_text(encoding="utf-8").split("\n")[:-1]
        if sorted(listed) != names:
            raise DatasetError(f"{order} does not list the folders beside it: correct or remove it")
        names = listed
    if classes is None:
        return names
    return choose_classes(names, classes, root)


def in_order(
    modality: str,
    files: Sequence[str],
    labels: np.ndarray,
    *,
    root: Path,
    classes: tuple[str, ...],
    folders: Sequence[Path],
    scratch: Scratch | None,
) -> Split:
    """A split of files, in the order of the index that the file names are, if they are numbers."""
    index = index_of(files)
    order = np.argsort(index)
    ordered = [files[row] for row in order]
    return Split(
        modality=modality,
        where=root,
        classes=classes,
        labels=labels[order].astype(np.int64),
        index=index[order],
        stream=lambda: ((file, Path(file)) for file in ordered),
        files=[Path(file) for file in ordered],
        folders=folders,
        scratch=scratch,
    )

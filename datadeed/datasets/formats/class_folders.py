"""Folders of files, one folder a class, in folders of splits if there are such.

Classes are the folders' names, sorted, and rows go class by class, unless a file
``class_order.txt`` beside them lists the folders in label order. File names that are numbers are
the rows' index. Percent-encoded characters in folder names are decoded.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from urllib.parse import unquote

import numpy as np

from datadeed.datasets.formats import archives
from datadeed.datasets.formats.blocks import choose_classes, index_of
from datadeed.datasets.formats.damaged import INSTEAD
from datadeed.datasets.formats.split import Scratch, Split
from datadeed.datasets.formats.split_folders import split_folder, split_named
from datadeed.errors import DatasetError

ORDER = "class_order.txt"


def in_archive(path: Path, suffixes: tuple[str, ...]) -> bool:
    """Whether an archive has a file with one of the suffixes."""
    return any(name.lower().endswith(suffixes) for name in archives.member_names(path))


def folders(path: Path) -> list[str]:
    """Sorted names of sub-folders, without hidden ones and those that systems add.

    Raises:
        DatasetError: a name is not Unicode.
    """
    if not path.is_dir():
        return []
    with os.scandir(path) as entries:
        names = [entry.name for entry in entries if entry.is_dir() and not is_hidden(entry.name)]
    for name in names:
        if not name.isascii() and any("\ud800" <= letter <= "\udfff" for letter in name):
            raise DatasetError(f"{path} has a folder {name!r} whose name is not UTF-8: rename it")
    return sorted(names)


def is_hidden(name: str) -> bool:
    """Whether a folder is none of the dataset: copies and thumbnails that programs keep there."""
    return name.startswith(".") or name in ("@eaDir", "__MACOSX")  # Synology's, macOS's


def files_below(folder: Path | str, suffixes: tuple[str, ...]) -> Iterator[str]:
    """Paths, as text, of the files with one of the suffixes, at any depth; none is hidden.

    Raises:
        DatasetError: what is called so is no file, but a pipe or a device.
    """
    yield from (path for path, known in _walk(folder, suffixes) if known)


def _walk(folder: Path | str, suffixes: tuple[str, ...]) -> Iterator[tuple[str, bool]]:
    """Every file that is not hidden, and whether it has one of the suffixes."""
    inner = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                if not is_hidden(entry.name) and not entry.is_symlink():
                    inner.append(entry.path)
            elif not entry.name.startswith("."):
                known = entry.name.lower().endswith(suffixes)
                if known and not entry.is_file():
                    raise DatasetError(f"{entry.path} is no file: remove it, or what it links to")
                yield entry.path, known
    for path in inner:
        yield from _walk(path, suffixes)


def opened(
    path: Path,
    split: str | None,
    suffixes: tuple[str, ...],
    classes: str | Sequence[str] | int | None = None,
) -> tuple[Path, Scratch | None]:
    """The folder of a split's classes, and what it was unpacked to if ``path`` is an archive.

    Args:
        path: a folder or an archive.
        split: its name, if there are several.
        suffixes: of samples.
        classes: folders of ``path`` that are listed here are classes, whatever they are called.

    Raises:
        DatasetError: the archive is damaged, there is no such split, or folders may be splits or
            classes.
    """
    folder, scratch = archives.unpacked(path)
    if scratch is not None:
        folder = _descend(folder)
    names = folders(folder)

    def nested(name: str) -> bool | None:
        first = next(files_below(folder / name, suffixes), None)
        return None if first is None else Path(first).parent != folder / name

    if split is None and isinstance(classes, list | tuple) and set(classes) <= set(names):
        return folder, scratch
    return split_folder(folder, names, split, nested) or folder, scratch


def _descend(folder: Path) -> Path:
    """Past the single folders that archives wrap their content in."""
    while len(names := folders(folder)) == 1 and folders(folder / names[0]):
        if split_named(names[0]):
            break
        folder /= names[0]
    return folder


def by_folder(
    modality: str,
    root: Path,
    suffixes: tuple[str, ...],
    classes: Sequence[str] | int | None,
    scratch: Scratch | None,
    *,
    usable: Callable[[str], bool] | None = None,
) -> Split:
    """The files in class folders.

    Args:
        modality: of the files.
        root: the folder of the class folders.
        suffixes: of the files.
        classes: the folders to read, in label order, or how many of the first; None for all.
        scratch: what is removed when the split is read.
        usable: whether a file is a row; others are counted as damaged. None if all are.

    Raises:
        DatasetError: there are no class folders, or one asked for is missing.
    """
    names = _choose(root, classes)
    beside = Counter[str]()
    files = [_samples(root / name, suffixes, usable, beside) for name in names]
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
        beside=beside,
        instead="" if usable else INSTEAD,
    )


def _samples(
    folder: Path,
    suffixes: tuple[str, ...],
    usable: Callable[[str], bool] | None,
    beside: Counter[str],
) -> list[str]:
    """The samples of a class, sorted; other files are counted by their suffix in ``beside``."""
    found = []
    for path, known in _walk(folder, suffixes):
        if known and (usable is None or usable(path)):
            found.append(path)
        else:
            suffix = Path(path).suffix.lower()
            beside["damaged" if known else suffix or "without suffix"] += 1
    return sorted(found)


def _choose(root: Path, classes: Sequence[str] | int | None) -> list[str]:
    """The class folders to read, in label order."""
    names = folders(root)
    order = root / ORDER
    if order.is_file():
        try:
            listed = order.read_text(encoding="utf-8").split("\n")[:-1]
        except UnicodeDecodeError as error:
            raise DatasetError(f"{order} is not UTF-8 text: save it as UTF-8") from error
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
    beside: Mapping[str, int] = MappingProxyType({}),
    instead: str = "",
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
        beside=beside,
        instead=instead,
    )

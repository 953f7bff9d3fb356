"""ImageFolder: one folder a class, image files inside; the layout ImageNet is trained from.

Classes are the folders' names, sorted, and rows go class by class, unless the folder was written
here: then ``class_order.txt`` keeps the label order, and file names are the rows' index. Other
readers of this layout ignore that file and sort. Characters that a file name cannot hold are
percent-encoded in folder names.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote

import numpy as np
import torch

from datadeed.datasets.form.dataset import Dataset, check_labels
from datadeed.datasets.formats import archives, images
from datadeed.datasets.formats.blocks import (
    SPLITS,
    Blocks,
    choose_classes,
    choose_split,
    numbers_in,
)
from datadeed.errors import DatasetError

ORDER = "class_order.txt"


class Listing(NamedTuple):
    """The image files of one split, in row order.

    Attributes:
        files: their paths, as text.
        labels: (N,) int64.
        numbers: (N,) int64, the rows' index.
        classes: the class names, in label order.
        folders: the folder of each class.
        temporary: a folder to remove when the files have been read; None if nothing was unpacked.
    """

    files: list[str]
    labels: np.ndarray
    numbers: np.ndarray
    classes: tuple[str, ...]
    folders: list[Path]
    temporary: Path | None


def matches(path: Path) -> bool:
    """Whether ``path`` is a folder of folders with images, or an archive with images."""
    if archives.is_archive(path):
        return any(name.lower().endswith(images.SUFFIXES) for name in archives.member_names(path))
    return any(next(_image_files(path / name), None) for name in _folders(path))


def chunks(
    path: Path,
    *,
    split: str | None = None,
    size: int | None = None,
    classes: Sequence[str] | int | None = None,
) -> Blocks:
    """Stream a folder's images; if any is colour, all are read as RGB.

    Args:
        path: a folder of class folders, a folder of splits, or a zip or tar of either.
        split: the sub-folder to read; not needed without splits.
        size: scale and crop to (size, size); without it all images must have one size.
        classes: the folders to read, in label order, or how many of the first; all by default.

    Raises:
        DatasetError: no class folders, a class asked for is missing, or an image cannot be used.
    """
    found = listing(path, split=split, classes=classes)
    colour = any(images.is_colour(file, Path(file)) for file in found.files)
    items = (
        images.Item(file, Path(file), int(label), int(number))
        for file, label, number in zip(found.files, found.labels, found.numbers, strict=True)
    )
    blocks = images.image_blocks(items, found.classes, channels=3 if colour else 1, size=size)
    return Blocks(len(found.files), blocks, found.temporary)


def listing(
    path: Path, *, split: str | None = None, classes: Sequence[str] | int | None = None
) -> Listing:
    """The image files of one split in row order; arguments and errors as :func:`chunks`."""
    folder, temporary = archives.unpacked(path)
    if temporary is not None:
        folder = _descend(folder)
    root = _split_folder(folder, split, path)
    names = _choose(root, classes)
    files, labels = [], []
    for label, name in enumerate(names):
        found = sorted(_image_files(root / name))
        files += found
        labels += [label] * len(found)
    shown = tuple(unquote(name) for name in names)
    check_labels(torch.tensor(labels, dtype=torch.int64), shown, str(root))
    index = numbers_in(files)
    order = np.arange(len(files)) if index is None else np.argsort(index)
    return Listing(
        [files[row] for row in order],
        np.array(labels, dtype=np.int64)[order],
        order if index is None else index[order],
        shown,
        [root / name for name in names],
        temporary,
    )


def write(dataset: Dataset, path: Path, *, split: str | None = None) -> None:
    """Write PNG files named by index into a new folder, atomically; lossless.

    Raises:
        DatasetError: the folder exists, an index repeats, or images are neither grey nor RGB.
    """
    if len(dataset.index.unique()) != len(dataset) or int(dataset.index.min()) < 0:
        raise DatasetError("an index repeats or is negative: files are named by it; number anew")
    names = [_folder_name(name) for name in dataset.classes]
    if len(set(names)) != len(names):
        raise DatasetError("two classes have the same name: rename one")
    pixels = dataset.samples.permute(0, 2, 3, 1).numpy()
    with archives.atomic_folder(path / split if split else path) as folder:
        for name in names:
            (folder / name).mkdir()
        (folder / ORDER).write_text("\n".join(names) + "\n", encoding="utf-8")
        rows = zip(pixels, dataset.labels.tolist(), dataset.index.tolist(), strict=True)
        for image, label, index in rows:
            file = folder / names[label] / f"{index:08d}.png"
            file.write_bytes(images.encode_png(np.ascontiguousarray(image)))


def _folder_name(name: str) -> str:
    """A class name as a folder's name; :func:`urllib.parse.unquote` reverses it."""
    encoded = quote(name, safe=" ,+&()[]'!@")
    if not encoded:
        raise DatasetError("a class has an empty name: a folder needs one; name the class")
    return "%2E" + encoded[1:] if encoded.startswith(".") else encoded


def _folders(path: Path) -> list[str]:
    """Sorted names of sub-folders, without hidden ones and those that macOS adds to archives."""
    if not path.is_dir():
        return []
    with os.scandir(path) as entries:
        names = [entry.name for entry in entries if entry.is_dir()]
    return sorted(name for name in names if not name.startswith(".") and name != "__MACOSX")


def _image_files(folder: Path) -> Iterator[str]:
    """Paths, as text, of the image files at any depth."""
    for where, _, files in os.walk(folder):
        for file in files:
            if file.lower().endswith(images.SUFFIXES) and not file.startswith("."):
                yield os.path.join(where, file)


def _descend(folder: Path) -> Path:
    """Past the single folders that archives wrap their content in."""
    while len(names := _folders(folder)) == 1 and _folders(folder / names[0]):
        if names[0] in SPLITS:
            break
        folder /= names[0]
    return folder


def _split_folder(folder: Path, split: str | None, where: Path) -> Path:
    present = [name for name in _folders(folder) if name in SPLITS]
    if split is None and (not present or len(present) < len(_folders(folder))):
        return folder  # some folders are classes, so all are
    return folder / choose_split(split, present, where)


def _choose(root: Path, classes: Sequence[str] | int | None) -> list[str]:
    """The class folders to read, in label order."""
    names = _folders(root)
    order = root / ORDER
    if order.is_file():
        listed = order.read_text(encoding="utf-8").split("\n")[:-1]
        if sorted(listed) != names:
            raise DatasetError(f"{order} does not list the folders beside it: correct or remove it")
        names = listed
    if classes is None:
        return names
    return choose_classes(names, classes, root)

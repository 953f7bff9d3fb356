"""Folders of WAV files, with the classes in folder names or in file names.

As :mod:`imagefolder`: one folder a class, in folders ``train`` and ``test`` if there are splits,
``class_order.txt`` where the folder was written here. Or as AudioMNIST and the Free Spoken Digit
Dataset: ``{class}_{speaker}_{take}.wav``, in one folder or in one a speaker.
"""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import torch

from datadeed.datasets.form.clips import Clips
from datadeed.datasets.form.dataset import Dataset, check_labels
from datadeed.datasets.formats import archives, imagefolder
from datadeed.datasets.formats.blocks import numbers_in
from datadeed.datasets.formats.clips import RATE, SECONDS, ClipBlocks, View
from datadeed.datasets.formats.imagefolder import Listing
from datadeed.datasets.formats.images import Item
from datadeed.datasets.formats.wav import encode_wav
from datadeed.errors import DatasetError

SUFFIXES = (".wav", ".wave")
NAMED = re.compile(r"([^_]+)_(.+)_([0-9]+)")


def matches(path: Path) -> bool:
    """Whether there is a WAV file below ``path``, or in an archive."""
    if archives.is_archive(path):
        return any(name.lower().endswith(SUFFIXES) for name in archives.member_names(path))
    return path.is_dir() and next(_files(path), None) is not None


def chunks(
    path: Path,
    *,
    split: str | None = None,
    rate: int = RATE,
    seconds: float = SECONDS,
    offset: float = 0.0,
    classes: str | Sequence[str] | int | None = None,
) -> ClipBlocks:
    """Stream a folder's clips, all of one length: longer ones are cut, shorter end in zeros.

    Args:
        path: a folder, or a zip or tar of one.
        split: the sub-folder to read; not needed without splits.
        rate: of the clips, in Hz; channels are averaged.
        seconds: how long a clip is.
        offset: where it starts in its file, in seconds.
        classes: as for :func:`listing`.

    Raises:
        ParameterError: an option makes no sense.
        DatasetError: there are no classes, one asked for is missing, or a file cannot be used.
    """
    view, found = View(rate, seconds, offset), listing(path, split=split, classes=classes)
    items = (
        Item(file, Path(file), int(label), int(number))
        for file, label, number in zip(found.files, found.labels, found.numbers, strict=True)
    )
    return ClipBlocks(len(found.files), items, found.classes, view, found.temporary)


def listing(
    path: Path, *, split: str | None = None, classes: str | Sequence[str] | int | None = None
) -> Listing:
    """The WAV files of one split in row order.

    Args:
        path: a folder, or a zip or tar of one.
        split: the sub-folder to read; not needed without splits.
        classes: the class folders to read, in label order, or how many of the first; or "folder"
            for all of them, or "name" for the first part of the file names. Not needed where only
            one of the two can be meant.

    Raises:
        DatasetError: there are no classes, one asked for is missing, or either could be meant.
    """
    folder, temporary = archives.unpacked(path)
    if temporary is not None:
        folder = imagefolder._descend(folder)
    root = imagefolder._split_folder(folder, split, path)
    if classes is None:
        classes = _meant(root)
    if classes == "name":
        return _by_name(root, temporary)
    if isinstance(classes, str) and classes != "folder":
        raise DatasetError(f"option 'classes' is {classes!r}: give 'name', 'folder' or a list")
    return _by_folder(root, None if isinstance(classes, str) else classes, temporary)


def _meant(root: Path) -> str:
    """Whether classes stand in the names of folders or of files."""
    files = [Path(file) for file in _files(root)]
    if files and all(file.parent == root for file in files):
        return "name"
    found = [(NAMED.fullmatch(file.stem), file.parent.name) for file in files]
    if files and all(match and match[2] == folder for match, folder in found):
        raise DatasetError(
            f"{root} has folders that may be classes or speakers (as in {files[0].name}): set "
            "option 'classes' to 'folder' or to 'name'"
        )
    return "folder"


def _by_folder(root: Path, classes: Sequence[str] | int | None, temporary: Path | None) -> Listing:
    names = imagefolder._choose(root, classes)
    files = [sorted(_files(root / name)) for name in names]
    labels = np.repeat(np.arange(len(names)), [len(some) for some in files])
    shown = tuple(unquote(name) for name in names)
    folders = [root / name for name in names]
    return _ordered([file for some in files for file in some], labels, shown, folders, temporary)


def _by_name(root: Path, temporary: Path | None) -> Listing:
    """Rows in the order of their paths; numbers in paths count as numbers."""
    files = sorted(_files(root), key=_natural)
    shown = [fields(file)[0] for file in files]
    names = sorted(set(shown), key=_natural)
    labels = np.array([names.index(name) for name in shown], dtype=np.int64)
    return _ordered(files, labels, tuple(names), [root] * len(names), temporary)


def _ordered(
    files: list[str],
    labels: np.ndarray,
    classes: tuple[str, ...],
    folders: list[Path],
    temporary: Path | None,
) -> Listing:
    """In the order of the index that the file names are, if they are numbers."""
    check_labels(torch.from_numpy(labels), classes, str(folders[0] if folders else temporary))
    index = numbers_in(files)
    order = np.arange(len(files)) if index is None else np.argsort(index)
    numbers = order if index is None else index[order]
    ordered = [files[row] for row in order]
    return Listing(ordered, labels[order], numbers, classes, folders, temporary)


def fields(file: str) -> tuple[str, str, int]:
    """Class, speaker and take of a file's name.

    Raises:
        DatasetError: it is not so named.
    """
    found = NAMED.fullmatch(Path(file).stem)
    if found is None:
        raise DatasetError(
            f"{file} is not named {{class}}_{{speaker}}_{{take}}.wav: rename it, or sort files "
            "into a folder for each class"
        )
    return found[1], found[2], int(found[3][:18])


def _natural(text: str) -> list[tuple[int, str]]:
    """A sorting key by which "take 10" comes after "take 9"."""
    parts = re.split("([0-9]+)", text)
    return [(int(part[:18]), part) if part.isdecimal() else (-1, part) for part in parts]


def _files(folder: Path) -> Iterator[str]:
    """Paths, as text, of the WAV files at any depth."""
    for where, _, files in os.walk(folder):
        for file in files:
            if file.lower().endswith(SUFFIXES) and not file.startswith("."):
                yield os.path.join(where, file)


def write(dataset: Dataset, path: Path, *, split: str | None = None) -> None:
    """Write mono files of 16 bits named by index into a new folder, atomically; lossless.

    Raises:
        DatasetError: these are no clips, the folder exists, or an index repeats.
    """
    clips = only_clips(dataset)
    if len(clips.index.unique()) != len(clips) or int(clips.index.min()) < 0:
        raise DatasetError("an index repeats or is negative: files are named by it; number anew")
    names = [imagefolder._folder_name(name) for name in clips.classes]
    if len(set(names)) != len(names):
        raise DatasetError("two classes have the same name: rename one")
    with archives.atomic_folder(path / split if split else path) as folder:
        for name in names:
            (folder / name).mkdir()
        (folder / imagefolder.ORDER).write_text("\n".join(names) + "\n", encoding="utf-8")
        rows = zip(clips.samples.numpy(), clips.labels.tolist(), clips.index.tolist(), strict=True)
        for samples, label, index in rows:
            file = folder / names[label] / f"{index:08d}.wav"
            file.write_bytes(encode_wav(samples, clips.rate))


def only_clips(dataset: Dataset) -> Clips:
    """The dataset itself.

    Raises:
        DatasetError: it holds something else than clips.
    """
    if not isinstance(dataset, Clips):
        raise DatasetError(f"samples of modality {dataset.modality!r} cannot be written as WAV")
    return dataset

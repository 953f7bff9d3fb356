"""Folders of WAV or FLAC files, with the classes in folder names or in file names.

As :mod:`imagefolder`; or as AudioMNIST and the Free Spoken Digit Dataset:
``{class}_{speaker}_{take}.wav``, in one folder or in one a speaker.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from datadeed.datasets.formats import archives, class_folders, clips, sound
from datadeed.datasets.formats.damaged import INSTEAD, REFUSE, besides, skips, usable
from datadeed.datasets.formats.split import Scratch, Split
from datadeed.errors import DatasetError

blocks = clips.blocks
NAMED = re.compile(r"([^_]+)_(.+)_([0-9]+)")


def matches(path: Path) -> bool:
    """Whether there is a sound file below ``path``, or in an archive."""
    known = sound.SUFFIXES + sound.UNREAD  # of which the second are refused when it is opened
    if archives.is_archive(path):
        return class_folders.in_archive(path, known)
    return path.is_dir() and next(class_folders.files_below(path, known), None) is not None


def open_split(
    path: Path,
    split: str | None = None,
    *,
    classes: str | Sequence[str] | int | None = None,
    damaged: str = REFUSE,
) -> Split:
    """The sound files of one split.

    Args:
        path: a folder, or a zip or tar of one.
        split: the sub-folder to read; not needed without splits.
        classes: the class folders to read, in label order, or how many of the first; or "folder"
            for all of them, or "name" for the first part of the file names. Not needed where only
            one of the two can be meant.
        damaged: "skip" to leave out files that are no whole sounds, which takes one pass over all,
            however often they are opened.

    Raises:
        DatasetError: there are no classes, one asked for is missing, either could be meant,
            ``damaged`` is another word, or there is sound of a kind that is not read.
    """
    check = _usable if skips(damaged) else None
    root, scratch = class_folders.opened(path, split, sound.SUFFIXES, classes)
    chosen = None if classes is None or isinstance(classes, str | int) else classes
    folders = [root] if chosen is None else [root / name for name in chosen]
    _check_unread(root, [folder for folder in folders if folder.is_dir()])
    return _found(root, scratch, classes, check)


def _usable(file: str) -> bool:
    return usable(file, sound.fault)


def _check_unread(root: Path, folders: Sequence[Path]) -> None:
    """Refuse sound that would be left out; damaged files are named with it."""

    def below(suffixes: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
        for folder in folders:
            for file in class_folders.files_below(folder, suffixes):
                yield file, Path(file)

    if unread := [file for file, _ in below(sound.UNREAD)]:
        raise DatasetError(
            f"{root} has {len(unread)} sound files that are not read, the first is {min(unread)}: "
            "convert them to FLAC or WAV, or take them out, or name the format of other files"
            + besides("sounds", lambda: below(sound.SUFFIXES), sound.fault)
        )


def _found(
    root: Path,
    scratch: Scratch | None,
    classes: str | Sequence[str] | int | None,
    check: Callable[[str], bool] | None,
) -> Split:
    if classes is None:
        classes = _meant(root)
    if classes == "name":
        return _by_name(root, scratch, check)
    if isinstance(classes, str) and classes != "folder":
        raise DatasetError(f"option 'classes' is {classes!r}: give 'name', 'folder' or a list")
    chosen = None if isinstance(classes, str) else classes
    return class_folders.by_folder("audio", root, sound.SUFFIXES, chosen, scratch, usable=check)


def _meant(root: Path) -> str:
    """Whether classes stand in the names of folders or of files."""
    files = [Path(file) for file in class_folders.files_below(root, sound.SUFFIXES)]
    if files and all(file.parent == root for file in files):
        return "name"
    found = [(NAMED.fullmatch(file.stem), file.parent.name) for file in files]
    if files and all(match and match[2] == folder for match, folder in found):
        raise DatasetError(
            f"{root} has folders that may be classes or speakers (as in {files[0].name}): set "
            "option 'classes' to 'folder' or to 'name'"
        )
    return "folder"


def _by_name(root: Path, scratch: Scratch | None, check: Callable[[str], bool] | None) -> Split:
    """Rows in the order of their paths; numbers in paths count as numbers."""
    every = sorted(class_folders.files_below(root, sound.SUFFIXES), key=_natural)
    files = [file for file in every if check is None or check(file)]
    shown = [fields(file)[0] for file in files]
    names = sorted(set(shown), key=_natural)
    labels = np.array([names.index(name) for name in shown], dtype=np.int64)
    return class_folders.in_order(
        "audio",
        files,
        labels,
        root=root,
        classes=tuple(names),
        folders=[root] * len(names),
        scratch=scratch,
        beside=Counter({"damaged": len(every) - len(files)} if len(files) < len(every) else {}),
        instead="" if check else INSTEAD,
    )


def fields(file: str | Path) -> tuple[str, str, int]:
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

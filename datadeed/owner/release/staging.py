"""A place beside the release where it is made, and the files that are carried over as they are."""

import contextlib
import fcntl
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from datadeed.datasets.formats.class_folders import is_hidden
from datadeed.errors import DatasetError
from datadeed.files import full_disk_told

_THUMBNAILS = ("thumbs.db", "ehthumbs.db")
_LISTS = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".xml", ".yaml", ".yml")


@contextlib.contextmanager
def staged(out: Path) -> Iterator[Path]:
    """Yield a folder beside ``out``; what the block makes in it as ``content`` becomes ``out``.

    The folder has a fixed name, so that the next run removes what a killed one left.

    Raises:
        DatasetError: another run is making the same release.
        DatadeedError: the disk is full; nothing is left then.
    """
    stage = out.parent / f".{out.name}.partial"
    with full_disk_told(out, "nothing was left behind"):
        out.parent.mkdir(parents=True, exist_ok=True)
        stage.mkdir(mode=0o700, exist_ok=True)
        handle = os.open(stage, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            _lock(handle, out)
            _empty(stage)
            try:
                yield stage
                (stage / "content").replace(out)
            finally:
                shutil.rmtree(stage, ignore_errors=True)
        finally:
            os.close(handle)


def _lock(handle: int, out: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # a killed run's lock is gone with it
    except BlockingIOError:
        raise DatasetError(f"another run is making {out}: wait for it or stop it") from None


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


@dataclass(frozen=True)
class Tree:
    """What a source consists of.

    Attributes:
        folders: all, the source itself first.
        files: all files in them.
        left_out: hidden folders and thumbnails, which do not belong into a copy: programs keep
            samples there as they were before they were marked.
    """

    folders: list[Path]
    files: list[Path]
    left_out: list[Path]


def tree(source: Path) -> Tree:
    """All folders and all files of a source.

    Raises:
        DatasetError: there is a link to a folder or out of the source, or a device or pipe.
    """
    if source.is_file():
        return Tree([], [source], [])
    found = Tree([source], [], [])
    inside = source.resolve()
    for where, names, others in os.walk(source):
        hidden = [name for name in names if is_hidden(name)]
        names[:] = [name for name in names if name not in hidden]
        files = [name for name in others if name.lower() not in _THUMBNAILS]
        for path in (Path(where) / name for name in names + files):
            _check_kind(path, inside)
        found.folders.extend(Path(where) / name for name in names)
        found.files.extend(Path(where) / name for name in files)
        hidden += sorted(set(others) - set(files))
        found.left_out.extend(Path(where) / name for name in hidden)
    return found


def _check_kind(path: Path, inside: Path) -> None:
    if path.is_symlink() and (path.is_dir() or not path.resolve().is_relative_to(inside)):
        raise DatasetError(
            f"{path} is a link to a folder or out of the dataset: copy the dataset with its links "
            "followed (cp -rL) and release the copy"
        )
    if not stat.S_ISREG(path.stat().st_mode) and not path.is_dir():
        raise DatasetError(f"{path} is neither a file nor a folder: remove it")


def carry(files: Iterable[Path], place: Callable[[Path], Path]) -> None:
    """Copy files byte for byte, with times and permissions."""
    for file in files:
        shutil.copyfile(file, place(file))
        shutil.copystat(file, place(file))


def copy_folder_times(folders: list[Path], place: Callable[[Path], Path]) -> None:
    """Give the folders of the release the times and permissions of the source's.

    Their owner may write in them, else nobody could remove the release.
    """
    for folder in reversed(folders):
        shutil.copystat(folder, place(folder))
        place(folder).chmod(stat.S_IMODE(folder.stat().st_mode) | stat.S_IRWXU)


def lists_that_name(names: set[str], files: Iterable[Path]) -> list[Path]:
    """The text files (tables, annotations) in which one of these file names stands."""
    wanted = {os.fsencode(Path(name).name) for name in names}
    found = []
    for file in files:
        if wanted and file.suffix.lower() in _LISTS:
            with file.open("rb") as lines:
                words = (word for line in lines for word in re.split(rb"[\s,;:\"'/\\<>]+", line))
                if any(word in wanted for word in words):
                    found.append(file)
    return found

"""Folders that appear whole or not at all, and archives unpacked only if every member is tame."""

import contextlib
import errno
import gzip
import os
import re
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from datadeed.datasets.formats.blocks import reason
from datadeed.errors import DatadeedError, DatasetError

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
_CORRUPT = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    NotImplementedError,  # zipfile's word for an unknown compression
    RuntimeError,  # and for an encrypted member
)


def _hard_link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copy2(source, target)


@contextlib.contextmanager
def atomic_folder(path: Path, *, keep: bool = False) -> Iterator[Path]:
    """Yield a temporary folder beside ``path`` and move it there when the block succeeds.

    Args:
        path: the folder to make.
        keep: start from what ``path`` holds. Replace its files, never write into them: they are
            hard links.

    Raises:
        DatasetError: ``path`` is a file, or holds something and ``keep`` is off.
        DatadeedError: the disk is full; ``path`` stays as it was.
    """
    if path.is_file() or (not keep and path.is_dir() and any(path.iterdir())):
        raise DatasetError(f"{path} exists and is not an empty folder: remove it or name another")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    temporary.chmod(0o755)
    try:
        if keep and path.is_dir():
            shutil.copytree(path, temporary, dirs_exist_ok=True, copy_function=_hard_link)
        yield temporary
        if keep and path.is_dir():
            earlier = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
            path.replace(earlier)
            temporary.replace(path)
            shutil.rmtree(earlier)
        else:
            temporary.replace(path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DatadeedError(
                f"no space left while writing {path}: free some disk space and run again; "
                "what was there before is untouched"
            ) from error
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def is_archive(path: Path) -> bool:
    """Whether a path is a file named like a zip or tar archive."""
    return path.is_file() and path.name.lower().endswith(SUFFIXES)


def _is_tame(name: str) -> bool:
    """Whether a member's name stays inside the folder on every system."""
    path = PurePosixPath(name.replace("\\", "/"))
    return not (path.is_absolute() or ".." in path.parts or re.match("[A-Za-z]:", name))


def _refuse(archive: Path, member: str, why: str) -> DatasetError:
    return DatasetError(
        f"{archive} has a member {member[:80]!r} that {why}: do not unpack it; get the archive "
        "from its publisher"
    )


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except _CORRUPT as error:
        raise DatasetError(f"{path} is damaged ({reason(error)}): fetch it again") from error


def _members(path: Path) -> list[tuple[str, bool, int]]:
    """Each member's name, whether it is a plain file or folder, and its size."""
    with _readable(path):
        if path.name.lower().endswith(".zip"):
            with zipfile.ZipFile(path) as archive:
                kinds = (stat.S_IFMT(info.external_attr >> 16) for info in archive.infolist())
                plain = [kind in (0, stat.S_IFREG, stat.S_IFDIR) for kind in kinds]
                infos = zip(archive.infolist(), plain, strict=True)
                return [(info.filename, ok, info.file_size) for info, ok in infos]
        with tarfile.open(path) as tar:
            return [(m.name, m.isfile() or m.isdir(), m.size) for m in tar.getmembers()]


def member_names(path: Path) -> list[str]:
    """The names in an archive.

    Raises:
        DatasetError: it is damaged.
    """
    return [name for name, _, _ in _members(path)]


def extract(path: Path, folder: Path) -> None:
    """Unpack an archive into a new folder, atomically.

    Raises:
        DatasetError: it is damaged, has a member that climbs out of the folder or is a link or
            device, or unpacks to more than the disk has room for. Nothing is written then.
    """
    members = _members(path)
    for name, plain, _ in members:
        if not _is_tame(name):
            raise _refuse(path, name, "climbs out of its folder")
        if not plain:
            raise _refuse(path, name, "is a link or a device")
    with atomic_folder(folder) as temporary:
        needed, free = sum(size for _, _, size in members), shutil.disk_usage(temporary).free
        if needed > free:
            raise DatasetError(
                f"{path} unpacks to {needed} bytes but {folder.parent} has room for {free}: free "
                "some disk space"
            )
        with _readable(path):
            if path.name.lower().endswith(".zip"):
                with zipfile.ZipFile(path) as archive:
                    archive.extractall(temporary)
            else:
                _extract_tar(path, temporary)


def _extract_tar(path: Path, folder: Path) -> None:
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    with (
        gzip.open(path) if packed else path.open("rb") as stream,
        tarfile.open(fileobj=stream, mode="r:") as tar,
    ):
        tar.extractall(folder, filter="data")
        while stream.read(2**20):  # tarfile stops before gzip's checksum; this reads to it
            pass


def unpacked(path: Path) -> tuple[Path, Path | None]:
    """A folder to read ``path`` from, and the temporary folder to remove later if it made one."""
    if not is_archive(path):
        return path, None
    temporary = Path(tempfile.mkdtemp(prefix="datadeed-"))
    try:
        extract(path, temporary / "archive")
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return temporary / "archive", temporary

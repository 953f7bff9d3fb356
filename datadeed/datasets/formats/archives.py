"""Archives, unpacked only if every member is tame."""

import contextlib
import gzip
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from datadeed.datasets.formats.split import Scratch
from datadeed.errors import DatasetError, reason
from datadeed.files import atomic_folder

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


def unpacked(path: Path) -> tuple[Path, Scratch | None]:
    """A folder to read ``path`` from, and what it was unpacked to if it is an archive."""
    if not is_archive(path):
        return path, None
    scratch = Scratch()
    extract(path, scratch.path / "archive")
    return scratch.path / "archive", scratch

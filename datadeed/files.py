"""Writing files so that a crash, a kill or a full disk never leaves half of one."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datadeed.errors import DatadeedError, DatasetError


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` and move it there when the block succeeds.

    If the block raises, the temporary file is removed and an earlier ``path`` stays as it was.

    Raises:
        DatadeedError: the disk is full or a quota is spent.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    temporary.chmod(0o644)  # mkstemp makes 0600; callers with secrets narrow it again
    try:
        with full_disk_told(path, "what was there before is untouched"):
            yield temporary
            with temporary.open("rb+") as written:
                os.fsync(written.fileno())
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def full_disk_told(path: Path, left: str) -> Iterator[None]:
    """Say in one line that the disk is full, and what is ``left``.

    Raises:
        DatadeedError: the disk is full or a quota is spent.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DatadeedError(
                f"no space left while writing {path}: free some disk space and run again; {left}"
            ) from error
        raise


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
        with full_disk_told(path, "what was there before is untouched"):
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
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _hard_link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copy2(source, target)


def write_text(path: str | Path, text: str) -> None:
    """Write ``text`` as UTF-8, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write ``value`` as indented JSON with sorted keys, atomically; NaN is refused."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read JSON.

    Raises:
        DatadeedError: the file is missing or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DatadeedError(f"{path} does not exist: run the stage that writes it") from error
    except (ValueError, RecursionError) as error:
        raise DatadeedError(f"{path} is not valid JSON ({error}): write it again") from error


def canonical_digest(value: Any) -> str:
    """SHA-256, in hexadecimal, of ``value`` as JSON with sorted keys and no spaces."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()

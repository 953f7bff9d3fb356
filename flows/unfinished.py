"""Unfinished work of stages: what of it lies here, and for whom it is of use.

Stages keep what they have done so far where DVC tracks nothing: in ``data/checkpoints/``, a folder
for each work, and in ``data/studies/``, a file for each finished part. Another machine goes on with
it (:mod:`flows.shelf`) if its code is the same: most stages' own fingerprints name their data and
parameters, but not the code.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from flows.errors import PipelineError
from flows.scale import scale_of
from flows.stages import safe_name

CHECKPOINTS, STUDIES = "data/checkpoints", "data/studies"
CODE = ("datadeed", "papers", "tasks")
MOST_FILES = 20_000
MOST_BYTES = 64 << 30
AT_ONCE = 8


@dataclass(frozen=True)
class Kept:
    """One file of unfinished work: where it lies below the root, its SHA-256, its bytes."""

    path: str
    sha256: str
    size: int


def code_digest(root: Path) -> str:
    """SHA-256 of all that may decide what a stage has done so far, but parameters and data."""
    sha = hashlib.sha256()
    files = [root / "requirements.lock"]
    files += sorted(path for folder in CODE for path in (root / folder).rglob("*.py"))
    for path in files:
        if path.is_file():
            text = path.read_bytes()
            sha.update(f"{path.relative_to(root).as_posix()} {len(text)}\n".encode() + text)
    return sha.hexdigest()


def place(root: Path) -> str:
    """Where the work of this scale and code lies, relative to the remote."""
    return f"unfinished/{safe_name(scale_of(root))}-{code_digest(root)[:16]}"


def unit(path: str) -> str:
    """What is taken as a whole or not at all: the folder of one work, or one file of a study."""
    parts = PurePosixPath(path).parts
    return "/".join(parts[:3]) if path.startswith(f"{CHECKPOINTS}/") else path


def allowed(path: str) -> bool:
    """Whether a file of that path, relative to the root, may be unfinished work."""
    parts = path.split("/")
    return (
        path.startswith((f"{CHECKPOINTS}/", f"{STUDIES}/"))
        and len(path) <= 1000
        and path.isprintable()
        and "\\" not in path
        and not any(part == "" or part.startswith(".") for part in parts)
    )


def collect(root: Path, outs: Iterable[str]) -> list[Kept]:
    """What is unfinished here.

    Args:
        root: the repository; nothing runs in it.
        outs: what DVC tracks, relative to the root, with slashes.

    Raises:
        PipelineError: it is more than another machine would take.
    """
    tracked = set(outs)
    found = [path for path in _files(root) if not _below(path, tracked)]
    total = sum((root / path).stat().st_size for path in found)
    if len(found) > MOST_FILES or total > MOST_BYTES:
        raise PipelineError(
            f"{CHECKPOINTS} and {STUDIES} hold {len(found)} files of {total >> 20} MiB in all: "
            f"remove what is of no use any more; {MOST_FILES} of {MOST_BYTES >> 20} MiB are kept"
        )
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(lambda path: _kept(root, path), found))


def _files(root: Path) -> Iterator[str]:
    """Regular files of the two folders; a hidden one may be half of one that a kill cut short."""
    for base in (CHECKPOINTS, STUDIES):
        for folder, below, names in os.walk(root / base):
            below[:] = sorted(name for name in below if not name.startswith("."))
            for name in sorted(names):
                path = Path(folder, name)
                relative = path.relative_to(root).as_posix()
                if allowed(relative) and path.is_file() and not path.is_symlink():
                    yield relative


def _below(path: str, tracked: set[str]) -> bool:
    """Whether DVC tracks a file or a folder that it is in."""
    return path in tracked or any(str(above) in tracked for above in PurePosixPath(path).parents)


def _kept(root: Path, path: str) -> Kept:
    with (root / path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Kept(path, digest, os.fstat(file.fileno()).st_size)

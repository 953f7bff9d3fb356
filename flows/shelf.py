"""A shelf for unfinished work, beside DVC's artifacts in the remote: ``unfinished/SCALE-CODE/``.

Each file lies there under its SHA-256, and ``list.json``, written last, names them. Whoever can
write there decides what results are, as he does through every artifact of DVC's: digests find
damage. What a list says is checked all the same, so that it can only add files to the two folders
of unfinished work; stages read them as safetensors, Parquet and JSON, and run nothing of them.
"""

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from datadeed.errors import reason
from flows.errors import PipelineError
from flows.unfinished import (
    AT_ONCE,
    CHECKPOINTS,
    MOST_BYTES,
    MOST_FILES,
    STUDIES,
    Kept,
    allowed,
    unit,
)

LIST = "list.json"
MOST_LIST_BYTES = 8 << 20
_CHUNK = 1 << 20


@contextlib.contextmanager
def refusals(what: str) -> Iterator[None]:
    """Whatever DVC or a remote's library raises, in a line: each has errors of its own."""
    try:
        yield
    except PipelineError:
        raise
    except Exception as error:
        raise PipelineError(f"{what}: {type(error).__name__}: {reason(error)}") from error


class Shelf:
    """One scale's and code's unfinished work in the remote.

    Args:
        fs: the remote's file system (``dvc_objects.fs.base.FileSystem``).
        folder: the place, as ``fs`` names it.
    """

    def __init__(self, fs: Any, folder: str):
        self._fs, self._folder = fs, folder

    def push(self, root: Path, files: list[Kept]) -> None:
        """Keep these files, and no others any more; what the remote has is not sent again.

        Raises:
            PipelineError: the remote refuses; what it had before is still listed there.
        """
        with refusals(f"{self._folder} takes no unfinished work"):
            there = self._sizes({file.sha256 for file in files})
            new = {f.sha256: f for f in files if there.get(f.sha256) != f.size}
            self._fs.makedirs(self._folder)
            _each(lambda file: self._upload(root / file.path, file.sha256), new.values())
            self.write_list(files)
        # A user who may not delete leaves old files there, which no list names.
        with contextlib.suppress(Exception):
            old = set(self._names()) - {file.sha256 for file in files} - {LIST}
            self._fs.rm([self._at(name) for name in sorted(old)])

    def write_list(self, files: list[Kept], seconds: float | None = None) -> None:
        """Name the files that are kept; ``seconds`` is how long all of a push took."""
        record = {"form": 1, "files": [asdict(file) for file in files], "push_seconds": seconds}
        with refusals(f"{self._at(LIST)} cannot be written"), TemporaryDirectory() as folder:
            path = Path(folder) / LIST
            path.write_text(json.dumps(record, indent=1), encoding="utf-8")
            self._upload(path, LIST)

    def read_list(self) -> tuple[list[Kept], float | None]:
        """The files that are kept, none if nothing was ever pushed, and the last push's seconds.

        Raises:
            PipelineError: the list cannot be read, or is not one that we wrote.
        """
        with refusals(f"{self._at(LIST)} cannot be read"):
            if not self._fs.exists(self._at(LIST)):
                return [], None
            with self._fs.open(self._at(LIST), "rb") as file:
                text = file.read(MOST_LIST_BYTES + 1)
        try:
            return _read(text)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise PipelineError(f"{self._at(LIST)} is refused: {reason(error)}") from error

    def pull(self, root: Path) -> list[Kept]:
        """Take what is kept and is not here; a work that has begun here stays as it is.

        Raises:
            PipelineError: something is damaged or does not belong here; then nothing was taken.
        """
        files, _ = self.read_list()
        wanted = [file for file in files if not (root / unit(file.path)).exists()]
        total = sum(file.size for file in wanted)
        if total > free_bytes(root):
            raise PipelineError(f"{total >> 20} MiB of unfinished work have no room here")
        with refusals(f"{self._folder} gives no unfinished work"), _incoming(root) as incoming:
            _each(lambda file: self._download(file, incoming(file.path)), wanted)
            for whole in sorted({unit(file.path) for file in wanted}):
                target = root / whole
                _check_parent(root, target)
                target.parent.mkdir(parents=True, exist_ok=True)
                incoming(whole).replace(target)  # of one file system: all of it, or nothing
        return wanted

    def _at(self, name: str) -> str:
        return str(self._fs.join(self._folder, name))

    def _names(self) -> list[str]:
        if not self._fs.exists(self._folder):
            return []
        return [str(self._fs.name(path)) for path in self._fs.find(self._folder)]

    def _sizes(self, names: set[str]) -> dict[str, int]:
        """The bytes of those that are there: an upload may have been cut short."""
        return {name: self._fs.size(self._at(name)) for name in names & set(self._names())}

    def _upload(self, path: Path, name: str) -> None:
        self._fs.put_file(str(path), self._at(name))

    def _download(self, file: Kept, target: Path) -> None:
        """Fetch one file, never more than the list says of it."""
        sha, left = hashlib.sha256(), file.size
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._fs.open(self._at(file.sha256), "rb") as source, target.open("xb") as written:
            while chunk := source.read(min(_CHUNK, left + 1)):
                left -= len(chunk)
                if left < 0:
                    break
                sha.update(chunk)
                written.write(chunk)
        if left or sha.hexdigest() != file.sha256:
            raise PipelineError(f"{self._at(file.sha256)} of {file.path} is damaged")


def free_bytes(root: Path) -> int:
    """Room for files below the root."""
    return shutil.disk_usage(root).free


def _each(work: Callable[[Kept], None], files: Iterable[Kept]) -> None:
    """Do it for each, several at once; the first error is raised."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(work, files))


@contextlib.contextmanager
def _incoming(root: Path) -> Iterator[Any]:
    """Where files wait until all are there: a path for each, on the file system of its folder."""
    bases = [root / base for base in (CHECKPOINTS, STUDIES)]

    def waiting(path: str) -> Path:
        base = CHECKPOINTS if path.startswith(f"{CHECKPOINTS}/") else STUDIES
        return root / base / ".incoming" / path.removeprefix(f"{base}/")

    try:
        for base in bases:
            shutil.rmtree(base / ".incoming", ignore_errors=True)  # of a pull that was killed
        yield waiting
    finally:
        for base in bases:
            shutil.rmtree(base / ".incoming", ignore_errors=True)


def _check_parent(root: Path, target: Path) -> None:
    """No link that is here leads out of the two folders."""
    bases = [(root / base).resolve() for base in (CHECKPOINTS, STUDIES)]
    if not any(target.parent.resolve().is_relative_to(base) for base in bases):
        raise PipelineError(f"{target} is behind a link that leads elsewhere")


def _read(text: bytes) -> tuple[list[Kept], float | None]:
    """A list, checked before anything of it is used; ValueError and the like say what is wrong."""
    if len(text) > MOST_LIST_BYTES:
        raise ValueError("it is too long")
    record = json.loads(text)
    if record["form"] != 1:
        raise ValueError("it is of another form")
    files = [_file(entry) for entry in record["files"]]
    paths = {file.path for file in files}
    if len(paths) != len(files) or len(files) > MOST_FILES:
        raise ValueError("it names a file twice, or too many")
    if sum(file.size for file in files) > MOST_BYTES:
        raise ValueError("its files are too large")
    seconds = record["push_seconds"]
    if seconds is not None and not 0 <= seconds < 1e6:
        raise ValueError("it tells no time of a push")
    return files, seconds


def _file(entry: dict[str, Any]) -> Kept:
    file = Kept(entry["path"], entry["sha256"], entry["size"])
    if not isinstance(file.path, str) or not allowed(file.path):
        raise ValueError(f"no unfinished work has the path {str(file.path)[:80]!r}")
    if not isinstance(file.sha256, str) or not set(file.sha256) <= set("0123456789abcdef"):
        raise ValueError(f"no SHA-256 of {file.path}")
    if len(file.sha256) != 64 or type(file.size) is not int or not 0 <= file.size <= MOST_BYTES:
        raise ValueError(f"no SHA-256 or size of {file.path}")
    return file

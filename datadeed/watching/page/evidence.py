"""The evidence pages that a folder holds, found by the digest of the evidence beside them."""

import os
import stat
import threading
from pathlib import Path

from datadeed.errors import DatadeedError
from datadeed.files import canonical_digest
from datadeed.owner.evidence.schema import parse_json, read_limited

EVIDENCE, PAGE = "evidence.json", "report.html"
LARGEST = 64 * 2**20  # bytes of a page
_Stamp = tuple[int, int, int]


class EvidencePages:
    """The pages in a folder and in its subfolders, one level down.

    A page is asked for by the digest that the store has of its evidence, never by a path; links out
    of the folder are not followed, and nothing but the page is read for a visitor.

    Args:
        root: the folder, or None: there are no pages.
    """

    def __init__(self, root: Path | None):
        self._root = root
        self._known: dict[Path, tuple[_Stamp, str]] = {}
        self._lock = threading.Lock()

    def digests(self) -> dict[str, Path]:
        """SHA-256 of each evidence to its folder. A file is read again when it changed."""
        found: dict[str, Path] = {}
        with self._lock:
            for folder in self._folders():
                stamp, page = _stamp(folder / EVIDENCE), _stamp(folder / PAGE)
                if (
                    stamp is not None
                    and page is not None
                    and (digest := self._digest(folder, stamp))
                ):
                    found[digest] = folder
        return found

    def page(self, digest: str) -> bytes | None:
        """The page whose evidence has this digest; None if there is none."""
        folder = self.digests().get(digest)
        if folder is None:
            return None
        try:
            handle = os.open(folder / PAGE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(handle, "rb") as file:
                content = file.read(LARGEST + 1)
        except OSError:
            return None
        return content if len(content) <= LARGEST else None

    def _folders(self) -> list[Path]:
        if self._root is None or not self._root.is_dir():
            return []
        below = [path for path in self._root.iterdir() if path.is_dir() and not path.is_symlink()]
        return [self._root, *sorted(below)]

    def _digest(self, folder: Path, stamp: _Stamp) -> str:
        """Of the evidence in a folder; empty if it is none."""
        stored = self._known.get(folder)
        if stored is None or stored[0] != stamp:
            path = folder / EVIDENCE
            try:
                digest = canonical_digest(parse_json(read_limited(path), path))
            except (DatadeedError, ValueError):
                digest = ""
            stored = self._known[folder] = stamp, digest
        return stored[1]


def _stamp(path: Path) -> _Stamp | None:
    """What changes with a file; None if it is none, or a link."""
    try:
        found = path.lstat()
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size

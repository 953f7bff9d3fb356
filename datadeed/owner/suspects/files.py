"""Reading a suspect's files, which may be hostile."""

import hashlib
import os
from pathlib import Path

from datadeed.owner.suspects.base import SuspectError

LARGEST = 8 * 2**30  # bytes of one model file


def file_digest(path: Path, largest: int = LARGEST) -> str:
    """SHA-256, in hexadecimal, of a regular file of bounded size.

    Raises:
        SuspectError: it is missing, too large or not a file (a pipe would never end).
    """
    check_file(path, largest)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_file(path: Path, largest: int = LARGEST) -> None:
    """Check that a path is a regular file of bounded size.

    Raises:
        SuspectError: it is not.
    """
    if not os.path.isfile(path):  # Path.is_file raises where a name is too long
        raise SuspectError(f"{path} is not a file: check path")
    if path.stat().st_size > largest:
        raise SuspectError(f"{path} is larger than {largest / 2**30:g} GiB: no suspect's file is")

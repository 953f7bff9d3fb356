"""Files of a split on a disk, of which neither places nor times tell which are marked.

All files are made first, empty and in the order of their names: this gives their inodes, their
times of birth and their order in the folder. Then they are filled. Then all get one time and one
set of permissions, again in the order of their names, which sets the time of their last change.
How long a marked file took to write shows in none of this.
"""

import os
import stat
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from datadeed.errors import DatasetError


def create(paths: Iterable[Path]) -> None:
    """Make empty files and their folders.

    Raises:
        DatasetError: two files would have one name here.
    """
    for path in sorted(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.open("xb").close()
        except FileExistsError:
            raise DatasetError(
                f"two files would become {path.name} in class {path.parent.name}: give the source's"
                " files different names (without regard to upper and lower case)"
            ) from None


def stamp(paths: Iterable[Path], like: Sequence[Path]) -> None:
    """Give files the newest time and the commonest permissions of the source's.

    Files with their own would tell: one that moved to another class has a time that none there
    has, or an invented one.

    Args:
        paths: the files.
        like: the source's.
    """
    stats = [path.stat() for path in like]
    newest = max(one.st_mtime_ns for one in stats)
    mode = Counter(stat.S_IMODE(one.st_mode) for one in stats).most_common(1)[0][0]
    for path in sorted(paths):
        path.chmod(mode)
        os.utime(path, ns=(newest, newest))

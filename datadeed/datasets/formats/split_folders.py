"""Which folders are splits: by their names, and by what is in them.

People call them ``Training``, ``seg_test``, ``dev`` or ``val2017``, and put other folders beside
them; and a class may be called "train". What is not plain is asked for: taken for classes, splits
would be mixed, and a test set spoilt.
"""

import re
from collections.abc import Callable
from pathlib import Path

from datadeed.datasets.formats.blocks import SPLITS, choose_split
from datadeed.errors import DatasetError

_WORDS = {
    "train": ("train", "training", "trainset"),
    "test": ("test", "testing", "testset", "eval", "evaluation", "holdout"),
    "validation": ("validation", "valid", "val", "dev", "devel", "development"),
}
SPLIT_OF = {word: split for split, words in _WORDS.items() for word in words}


def split_named(name: str) -> str | None:
    """``train``, ``test`` or ``validation``, if a name has one word that says so, else None."""
    words = re.findall("[A-Z]?[a-z]+|[A-Z]+", name)
    found = {SPLIT_OF[word.lower()] for word in words if word.lower() in SPLIT_OF}
    return found.pop() if len(found) == 1 else None


def split_folder(
    root: Path, names: list[str], split: str | None, nested: Callable[[str], bool | None]
) -> Path | None:
    """The folder of a split.

    Args:
        root: of the dataset.
        names: of the folders in it.
        split: the one asked for, under any of its names; None if any will do.
        nested: of a folder, whether its samples lie in folders of its own; None if it has none.

    Returns:
        None if all folders are classes, and no split is asked for.

    Raises:
        SeveralSplits: none was asked for, and all folders are called as splits usually are.
        DatasetError: there is no such split, or it cannot be told whether folders are splits or
            classes.
    """
    if names and set(names) <= set(SPLITS):
        return root / choose_split(split, names, root)
    called = [name for name in names if split_named(name)]
    splits = [name for name in called if nested(name)]
    if split is None and splits:
        raise DatasetError(
            f"{root} has folders that look like splits ({', '.join(splits)}): name the split "
            "to read, or list the class folders with option 'classes'"
        )
    if split is None:
        return None
    if split in names:
        return root / split
    filled = [name for name in called if nested(name) is not None]
    present = {str(split_named(name)): name for name in filled}
    if len(present) < len(filled):
        raise DatasetError(
            f"{root} has several folders of a split ({', '.join(filled)}): name the folder to read"
        )
    return root / present[choose_split(split_named(split) or split, list(present), root)]

"""What the formats share: a stream of dataset blocks, and how a split is chosen."""

import itertools
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch

from datadeed.datasets.form.dataset import Dataset, concatenate
from datadeed.errors import DatasetError

SPLITS = ("train", "test", "validation", "valid", "val")
MOST_CLASSES = 100_000
_VALIDATION = ("validation", "valid", "val")


class SeveralSplits(DatasetError):
    """A split must be named, since there are several (or none)."""


class Blocks(Iterator[Dataset]):
    """Blocks of one split in source order, each about 16 MiB of pixels.

    Args:
        rows: how many rows all blocks hold together.
        blocks: the blocks.
    """

    def __init__(self, rows: int, blocks: Iterator[Dataset]):
        self.rows, self._blocks = rows, blocks

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Dataset:
        return next(self._blocks)


def collect(blocks: Iterator[Dataset], where: object) -> Dataset:
    """Join all blocks into one dataset.

    Raises:
        DatasetError: there are no blocks.
    """
    parts = list(blocks)
    if not parts:
        raise DatasetError(f"{where} has no rows: check the source")
    return concatenate(parts)


def choose_split(asked: str | None, present: Collection[str], where: object) -> str:
    """The split to read: the one asked for, or the only one there is.

    ``validation``, ``valid`` and ``val`` are one name, and stand in for a ``test`` that is missing
    (ImageNet's test labels were never published).

    Raises:
        SeveralSplits: none was asked for, and there is not exactly one.
        DatasetError: the split is missing.
    """
    found = ", ".join(present) or "none"
    if asked is None:
        if len(present) == 1:
            return next(iter(present))
        raise SeveralSplits(f"{where} holds these splits: {found}; name the split to read")
    others = _VALIDATION if asked == "test" or asked in _VALIDATION else ()
    for name in (asked, *others):
        if name in present:
            return name
    raise DatasetError(f"{where} has no split {asked!r} (it has: {found}): name one of those")


def index_of(names: Sequence[str]) -> np.ndarray:
    """(N,) int64: the numbers that file names are, or 0 to N - 1 unless all are and differ."""
    stems = [Path(name).stem for name in names]
    # Eighteen digits fit an int64.
    if all(s.isascii() and s.isdecimal() and len(s) <= 18 for s in stems):
        numbers = np.array([int(stem) for stem in stems], dtype=np.int64)
        if len(np.unique(numbers)) == len(numbers):
            return numbers
    return np.arange(len(stems))


def numbered(count: int) -> tuple[str, ...]:
    """Class names for data that has none: ``"0"`` to ``str(count - 1)``."""
    return tuple(map(str, range(count)))


def first_block(blocks: Iterator[Dataset], where: object) -> Dataset:
    """The next block.

    Raises:
        DatasetError: there is none.
    """
    first = next(blocks, None)
    if first is None:
        raise DatasetError(f"{where} has no rows: check the source")
    return first


def only_classes(blocks: Blocks, wanted: list[str] | int, where: object) -> Blocks:
    """The rows of some classes, relabelled in their order; an integer takes the first by name.

    Raises:
        DatasetError: a class is missing.
    """
    first = first_block(blocks, where)
    names = choose_classes(first.classes, wanted, where)
    new_label = torch.tensor([names.index(c) if c in names else -1 for c in first.classes])

    def chosen() -> Iterator[Dataset]:
        for block in itertools.chain([first], blocks):
            labels = new_label[block.labels]
            if (labels >= 0).any():
                part = block.take(labels >= 0)
                yield Dataset(part.samples, labels[labels >= 0], part.index, tuple(names))

    return Blocks(blocks.rows, chosen())


def choose_classes(
    present: Collection[str], wanted: Sequence[str] | int, where: object
) -> list[str]:
    """The wanted class names, in order; an integer takes the first by name.

    Raises:
        DatasetError: one is missing.
    """
    if isinstance(wanted, int):
        if wanted > len(present):
            raise DatasetError(f"{where} has {len(present)} classes, not {wanted}: ask for fewer")
        return sorted(present)[:wanted]
    if missing := sorted(set(wanted) - set(present)):
        raise DatasetError(
            f"{where} lacks {len(missing)} of the classes asked for, first {missing[0]!r}: it has "
            f"{len(present)}; correct 'classes'"
        )
    return list(wanted)

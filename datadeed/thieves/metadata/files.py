"""What a file system says of each file: its inode, its times, its size."""

import os
import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
from scipy import ndimage, stats

from datadeed.thieves.metadata.base import MetadataDetector
from datadeed.thieves.metadata.listing import Listing

_DIGITS = re.compile("([0-9]+)")
WINDOW = 21  # rows whose median is what a row is held against


class _OutOfTurn(MetadataDetector):
    """Files that were written out of turn.

    Ranks of a value are held against the median of the files around, in the order of classes and
    names: names as text, and numbers in them as numbers, whichever fits a file better. Where most
    files were written in that order and some were not, those few lie far off. Scores are in units
    of what counts as far: ten times the usual distance, and a fiftieth of all files. Where files
    were written in no such order nothing stands out.
    """

    threshold: ClassVar[float | None] = 1.0
    field: ClassVar[str]  # of os.stat_result

    def __call__(self, listing: Listing) -> np.ndarray | None:
        if not listing.files:
            return None
        values = np.array([getattr(os.stat(file), self.field) for file in listing.files])
        ranks = stats.rankdata(values)
        away = np.minimum(
            *(_away(ranks, listing.labels, names) for names in _orders(listing.names))
        )
        return np.asarray(away / max(10 * float(np.median(away)), len(values) / 50, 1.0))


def _orders(names: Sequence[str]) -> Iterator[np.ndarray]:
    """The places, (N,) int64, of names in two orders."""
    for key in (str, _natural):
        placed = sorted(range(len(names)), key=lambda row: key(names[row]))
        places = np.empty(len(names), dtype=np.int64)
        places[placed] = np.arange(len(names))
        yield places


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in _DIGITS.split(name)]


def _away(ranks: np.ndarray, labels: np.ndarray, places: np.ndarray) -> np.ndarray:
    """How far each rank, (N,) float64, is from the median of those around it."""
    order = np.lexsort((places, labels))
    found = np.empty(len(ranks))
    around = ndimage.median_filter(ranks[order], size=WINDOW, mode="nearest")
    found[order] = np.abs(ranks[order] - around)
    return found


class Inodes(_OutOfTurn):
    """Inode numbers, which file systems hand out as files are made."""

    name: ClassVar[str] = "inodes"
    field: ClassVar[str] = "st_ino"


class ModificationTimes(_OutOfTurn):
    """Times of the last change of a file's content."""

    name: ClassVar[str] = "mtimes"
    field: ClassVar[str] = "st_mtime_ns"


class ChangeTimes(_OutOfTurn):
    """Times of the last change of a file's entry, which no program can set."""

    name: ClassVar[str] = "ctimes"
    field: ClassVar[str] = "st_ctime_ns"


class Sizes(MetadataDetector):
    """Bytes of a sample's file against those of its class: the log of the ratio to the median."""

    name: ClassVar[str] = "sizes"
    signed: ClassVar[bool] = True

    def __call__(self, listing: Listing) -> np.ndarray | None:
        if listing.stored is None:
            return None
        sizes = np.log([max(1, len(data)) for data in listing.stored()])
        for label in np.unique(listing.labels):
            sizes[listing.labels == label] -= np.median(sizes[listing.labels == label])
        return np.asarray(sizes)

"""File names that do not fit their class: numbers past its end, patterns of another class."""

import posixpath
import re
from collections import Counter, defaultdict
from typing import ClassVar

import numpy as np

from datadeed.thieves.metadata.base import MetadataDetector
from datadeed.thieves.metadata.listing import Listing

_NUMBER = re.compile(r"(.*?)([0-9]{1,18})", re.DOTALL)  # eighteen digits fit an int64


def numbers_of(listing: Listing) -> np.ndarray | None:
    """The numbers that all names end in, (N,) int64; None if some have none."""
    found = [_NUMBER.fullmatch(posixpath.splitext(name)[0]) for name in listing.names]
    if not found or None in found:
        return None
    return np.array([int(match[2]) for match in found if match], dtype=np.int64)


class Numbers(MetadataDetector):
    """Numbers past the end that classes share, or that two classes have where most have their own.

    Classes that were numbered alike end alike. The end is the last number that most classes have
    in common, two at least; of a row beyond it the score is how far, in shares of the end, plus 1.
    Where numbers are the classes' own, a number that two classes have scores 1.
    """

    name: ClassVar[str] = "numbers"
    threshold: ClassVar[float | None] = 0.0

    def __call__(self, listing: Listing) -> np.ndarray | None:
        numbers = numbers_of(listing)
        if numbers is None:
            return None
        present, counts = np.unique(numbers, return_counts=True)
        if len(present) > 0.9 * len(numbers):
            return (counts[np.searchsorted(present, numbers)] > 1).astype(np.float64)
        last = [int(numbers[listing.labels == k].max()) for k in np.unique(listing.labels)]
        end, times = Counter(sorted(last)).most_common(1)[0]
        if times < 2:
            return np.zeros(len(numbers))
        return np.where(numbers > end, 1 + (numbers - end) / max(end, 1), 0.0)


class Names(MetadataDetector):
    """Names whose pattern is rare in their class, and usual in another.

    A pattern is the text before the last number, how many digits that has if it begins with 0, and
    the suffix. The score is the pattern's share in the class where it is usual, less its share in
    the row's own.
    """

    name: ClassVar[str] = "names"
    threshold: ClassVar[float | None] = 0.3

    def __call__(self, listing: Listing) -> np.ndarray | None:
        if not listing.names:
            return None
        patterns = [_pattern(name) for name in listing.names]
        labels = listing.labels.tolist()
        counts: dict[int, Counter[str]] = defaultdict(Counter)
        for label, pattern in zip(labels, patterns, strict=True):
            counts[label][pattern] += 1
        sizes = {label: count.total() for label, count in counts.items()}
        usual: dict[str, float] = defaultdict(float)
        for label, count in counts.items():
            for pattern, times in count.items():
                usual[pattern] = max(usual[pattern], times / sizes[label])
        pairs = zip(labels, patterns, strict=True)
        return np.array([usual[p] - counts[label][p] / sizes[label] for label, p in pairs])


def _pattern(name: str) -> str:
    stem, suffix = posixpath.splitext(name)
    match = _NUMBER.fullmatch(stem)
    if match is None:
        return f"?{suffix}"
    padded = len(match[2]) if match[2].startswith("0") else 0
    return f"{match[1]}|{padded}|{suffix}"

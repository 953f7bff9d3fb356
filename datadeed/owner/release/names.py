"""New file names for images whose label changed, so that no name tells the old label."""

import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

# Eighteen digits fit an int64; more belong to the prefix.
_NUMBERED = re.compile(r"(.*?)([0-9]{0,18})", re.DOTALL)


class NewName(NamedTuple):
    """A name, and the row of an image of the new class to take times and permissions from."""

    name: str
    donor: int


class _Stem(NamedTuple):
    prefix: str
    digits: str

    @property
    def text(self) -> str:
        return self.prefix + self.digits


def _split(name: str) -> _Stem:
    """``dog/n02085620_17.JPEG`` is ``dog/n02085620_`` and ``17``."""
    found = _NUMBERED.fullmatch(posixpath.splitext(name)[0])
    assert found is not None  # the pattern takes any text
    return _Stem(*found.groups())


def new_names(
    names: Sequence[str],
    labels: np.ndarray,
    moved: Mapping[int, int],
    generator: np.random.Generator,
) -> dict[int, NewName]:
    """Names for those rows of ``moved`` whose own would collide or show the old class.

    Names follow a scheme if most of a class share their text before the last number with another
    of the class (``n02085620_17``, ``dog/0017``). An image that comes from another scheme takes the
    name of one that leaves the class, or a free number among the class's. Names without a scheme
    (digests, say) and schemes that all classes share stay. What cannot be hidden: a class that
    loses more images than it gains has gaps, and one that gains more runs beyond its last number
    if it had no gaps. A word in a name that follows no scheme may still tell the old class.

    Args:
        names: each row's name, unique in its class; where not, nothing is renamed.
        labels: (N,) int64, the old labels.
        moved: new labels by row.
        generator: draws free names; with a guessable draw, names would show which rows moved.
    """
    members: dict[int, list[int]] = defaultdict(list)
    concerned = set(moved.values())
    for row, label in enumerate(labels.tolist()):
        if label in concerned:
            members[label].append(row)
    arriving: dict[int, list[int]] = defaultdict(list)
    for row, label in moved.items():
        arriving[label].append(row)
    result: dict[int, NewName] = {}
    for label, rows in sorted(arriving.items()):
        if len({names[row] for row in members[label]}) < len(members[label]):
            return {}
        result |= _arrive(names, members[label], rows, set(moved), generator)
    return result


def _arrive(
    names: Sequence[str],
    members: list[int],
    arriving: list[int],
    leaving: set[int],
    generator: np.random.Generator,
) -> dict[int, NewName]:
    """Names for the rows that come to one class."""
    stems = {row: _split(names[row]) for row in members}
    prefixes = Counter(stem.prefix for stem in stems.values())
    has_scheme = 2 * sum(count for count in prefixes.values() if count > 1) > len(members)
    used = {stem.text for stem in stems.values()}
    vacated = [row for row in members if row in leaving]
    generator.shuffle(vacated)
    result: dict[int, NewName] = {}
    for row in arriving:
        own = _split(names[row])
        if own.text not in used and (not has_scheme or own.prefix in prefixes):
            used.add(own.text)
            continue
        if vacated:
            donor = vacated.pop()
            text = stems[donor].text
        else:
            donor = int(generator.choice(members)) if members else row
            prefix = stems.get(donor, own).prefix
            text = _free(prefix, stems.values(), used, generator)
        used.add(text)
        result[row] = NewName(text + posixpath.splitext(names[row])[1], donor)
    return result


def _free(
    prefix: str, stems: Iterable[_Stem], used: set[str], generator: np.random.Generator
) -> str:
    """An unused number behind ``prefix``, in the range of those in use or just above."""
    digits = [stem.digits for stem in stems if stem.prefix == prefix and stem.digits]
    numbers = [int(text) for text in digits] or [1]
    padded = [len(text) for text in digits if text.startswith("0") and len(text) > 1]
    width = max(padded, default=1)
    number = int(generator.integers(min(numbers), max(numbers) + 1))
    while (text := f"{prefix}{number:0{width}d}") in used:
        number += 1
    return text

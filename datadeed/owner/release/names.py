"""File names dealt out anew where labels change, so that no name tells which images moved."""

import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from datadeed.owner.release import order
from datadeed.owner.release.dealing import deal

# Eighteen digits fit an int64; more belong to the prefix.
_NUMBERED = re.compile(r"(.*?)([0-9]{0,18})", re.DOTALL)
_DIGEST = re.compile(r"[0-9]+|[0-9a-fA-F_-]{6,}")  # or a number alone


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
    *,
    whole: bool,
) -> dict[int, str]:
    """New names of all rows that get one.

    Names follow a scheme if most of a class share their text before the last number with another
    of the class (``n02085620_17``, ``dog/0017``). A class with a scheme keeps its names: less the
    last ones if it shrinks, with free numbers among or above them if it grows. Rows that come to it
    get names drawn from all of these, each as likely as any other (:func:`deal`): so whatever name
    sticks out, it says nothing of the row that has it. Names stay in a class without a scheme
    (:func:`tell_words`), and all do if the classes share one count that does not tell them apart.

    Args:
        names: each row's name, unique in its class; where not, nothing is renamed.
        labels: (N,) int64, the old labels.
        moved: new labels by row.
        generator: of the owner's secret; who guesses the draw sees which rows moved.
        whole: whether all other names of such a class change too, among those that share their
            text before the number. Else only as many do as must; and whatever order the names
            share with what is in the files (times in EXIF, say) shows which.
    """
    members = _members(labels)
    if any(len({names[row] for row in rows}) < len(rows) for rows in members.values()):
        return {}
    stems = [_split(name) for name in names]
    if _one_count(stems, labels):
        return {}
    concerned = sorted({*moved.values(), *labels[list(moved)].tolist()})
    classes = [
        _Class(
            stems,
            members[label],
            [row for row in members[label] if row not in moved],
            sorted(row for row, to in moved.items() if to == label),
        )
        for label in concerned
    ]
    # Numbers that no two classes share are the rows' own: they stay different.
    texts = [stem.text for stem in stems]
    unique, spare = len(set(texts)) == len(texts), defaultdict[str, list[str]](list)
    for one in classes:
        one.shrink(spare if unique else defaultdict(list), generator)
    result: dict[int, str] = {}
    for one in classes:
        one.grow(spare, set(texts) if unique else set(), generator)
        for row, text in one.dealt(generator, whole=whole).items():
            if (name := text + posixpath.splitext(names[row])[1]) != names[row]:
                result[row] = name
    return result


def _one_count(stems: Sequence[_Stem], labels: np.ndarray) -> bool:
    """Whether all classes share one count of numbers, in an order that tells no label."""
    if len({stem.prefix for stem in stems}) > 1:
        return False
    numbers = [int(stem.digits or 0) for stem in stems]
    return len(set(numbers)) == len(numbers) and not order.tells(labels[np.argsort(numbers)])


def tell_words(names: Sequence[str], labels: np.ndarray) -> bool:
    """Whether names of a class follow no scheme and are no digests: words in them may tell it."""
    for rows in _members(labels).values():
        stems = [_split(names[row]) for row in rows]
        words = (posixpath.basename(stem.text) for stem in stems if stem.text)
        if not _have_scheme(stems) and not all(map(_DIGEST.fullmatch, words)):
            return True
    return False


def _members(labels: np.ndarray) -> dict[int, list[int]]:
    members: dict[int, list[int]] = defaultdict(list)
    for row, label in enumerate(labels.tolist()):
        members[label].append(row)
    return members


def _have_scheme(stems: Sequence[_Stem]) -> bool:
    prefixes = Counter(stem.prefix for stem in stems)
    numbered = len({stem.text for stem in stems}) == len(stems)
    shared = sum(count for count in prefixes.values() if count > 1)
    return numbered and 2 * shared > len(stems)


class _Class:
    """The names of one class, without suffixes."""

    def __init__(
        self,
        stems: Sequence[_Stem],
        members: Sequence[int],
        staying: Sequence[int],
        arriving: Sequence[int],
    ):
        self._stems, self._staying, self._arriving = stems, staying, arriving
        self._old = [stems[row] for row in members]
        self._scheme = _have_scheme(self._old)
        self._slots = list(self._old)
        self._left = {stems[row] for row in set(members) - set(staying)}

    @property
    def _missing(self) -> int:
        return len(self._staying) + len(self._arriving) - len(self._slots)

    def shrink(self, spare: dict[str, list[str]], generator: np.random.Generator) -> None:
        """Drop names until there is one a row: the last ones if numbers have no gaps."""
        count = -self._missing
        if not self._scheme or count <= 0:
            return
        if _dense(self._old):
            dropped = sorted(self._old, key=lambda one: int(one.digits or 0))[-count:]
        else:
            vacated = sorted(self._left)
            dropped = [vacated[at] for at in generator.permutation(len(vacated))[:count]]
        for stem in dropped:
            self._slots.remove(stem)
            spare[stem.prefix].append(stem.text)

    def grow(
        self, spare: dict[str, list[str]], used: set[str], generator: np.random.Generator
    ) -> None:
        """Add names until there is one a row."""
        used |= {stem.text for stem in self._slots}
        while self._scheme and self._missing > 0:
            like = self._old[int(generator.integers(len(self._old)))]
            if spare[like.prefix]:
                text = spare[like.prefix].pop()
                stem = _Stem(like.prefix, text.removeprefix(like.prefix))
            else:
                stem = _free(like, self._old, used)
            used.add(stem.text)
            self._slots.append(stem)

    def dealt(self, generator: np.random.Generator, *, whole: bool) -> dict[int, str]:
        """A name for each row."""
        own = {row: self._stems[row] for row in self._staying}
        if not self._scheme:
            taken = {stem.text for stem in own.values()}
            kept = {row: stem.text for row, stem in own.items()}
            for row in self._arriving:
                stem = self._stems[row]
                stem = _free(stem, [stem], taken) if stem.text in taken else stem
                taken.add(stem.text)
                kept[row] = stem.text
            return kept
        dealt = deal(self._slots, own, self._arriving, generator)
        return {
            row: stem.text for row, stem in (_mixed(dealt, generator) if whole else dealt).items()
        }


def _mixed(dealt: Mapping[int, _Stem], generator: np.random.Generator) -> dict[int, _Stem]:
    """The same names in another order, among rows with the same prefix."""
    groups: dict[str, list[int]] = defaultdict(list)
    for row in sorted(dealt):
        groups[dealt[row].prefix].append(row)
    return {
        row: dealt[rows[at]]
        for rows in groups.values()
        for row, at in zip(rows, generator.permutation(len(rows)).tolist(), strict=True)
    }


def _dense(stems: Iterable[_Stem]) -> bool:
    """Whether the numbers of each prefix have no gaps."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for stem in stems:
        numbers[stem.prefix].append(int(stem.digits or 0))
    return all(max(some) - min(some) + 1 == len(some) for some in numbers.values())


def _free(like: _Stem, stems: Iterable[_Stem], used: set[str]) -> _Stem:
    """The next unused number after one of a class, written as the class's."""
    padded = [
        len(stem.digits)
        for stem in stems
        if stem.prefix == like.prefix and stem.digits.startswith("0") and len(stem.digits) > 1
    ]
    number, width = int(like.digits or 1) + 1, max(padded, default=1)
    while f"{like.prefix}{number:0{width}d}" in used:
        number += 1
    return _Stem(like.prefix, f"{number:0{width}d}")

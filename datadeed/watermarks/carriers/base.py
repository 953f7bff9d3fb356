"""What every carrier does: triggers and decoys for questions, rows to mark, marks.

All of it is drawn by the key, and nothing is chosen after the commitment.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from datadeed.errors import WatermarkError
from datadeed.keys.generation2 import Key2
from datadeed.keys.key import Key


@dataclass(frozen=True, eq=False)
class Hosts:
    """Rows that carry a mark: (M,) int64 each, in the order of ``rows``.

    Attributes:
        rows: ascending.
        parts: of each.
        partners: another row, of another class, that each is mixed with; None without mixing.
    """

    rows: np.ndarray
    parts: np.ndarray
    partners: np.ndarray | None = None


class Carrier(ABC):
    """A kind of triggers.

    Samples are (N, C, H, W) uint8 images, a list of N texts, or (N, L) int16 clips.

    Args:
        key: whose design names this carrier.

    Attributes:
        relabels: whether marked rows get their part's label; else they have it before.
    """

    relabels: bool = False

    def __init__(self, key: Key2):
        self.key, self.design = key, key.design

    @abstractmethod
    def trigger(self, samples: Any, part: int) -> Any:
        """The samples with a part's trigger, as suspects are asked."""

    @abstractmethod
    def decoy(self, samples: Any, part: int, row: int) -> Any:
        """The same with the decoy of a part for a row of the pool: of one law, but no trigger."""

    @abstractmethod
    def hosts(self, labels: np.ndarray) -> Hosts:
        """The rows of the data to mark.

        Args:
            labels: (N,) int64, of all rows.

        Raises:
            WatermarkError: there are not enough rows for every part.
        """

    @abstractmethod
    def marks(self, samples: Any, partners: Any, parts: np.ndarray, rows: np.ndarray) -> Any:
        """What rows of the data become; each is decided by the key, its part and its number.

        Args:
            samples: M of them; not changed.
            partners: M samples that they are mixed with, or None without mixing.
            parts, rows: (M,) int64, parts and numbers of the rows in the data.
        """


def any_rows(key: Key) -> Hosts:
    """Draw the rows that get a mark and its label among all; parts share them evenly."""
    n = key.data.rows
    chosen = key.permutation("rows", count=n)[: key.design.marks(n)]
    order = np.argsort(chosen)
    return Hosts(chosen[order], (np.arange(len(chosen)) % key.design.parts)[order])


def own_rows(key: Key2, labels: np.ndarray, role: str, *, mixed: bool) -> Hosts:
    """Draw the rows that carry a mark, without replacement, among those of the part's own class.

    Each part gets the same number, an even share of ``rate`` of all rows. Where a class has fewer
    rows than its parts should get, they share what there is, and fewer rows are marked in all.

    Args:
        key: whose labels the data keep.
        labels: (N,) int64, of all rows of the data.
        role: the carrier's name, in the names of what it draws.
        mixed: whether each row has a partner.

    Raises:
        WatermarkError: a part gets no row, or there is no row of another class.
    """
    design = key.design
    each = design.marks(len(labels)) // design.parts
    order = key.permutation(f"{role} rows", count=len(labels))
    targets = [key.target(part) for part in range(design.parts)]
    found: list[tuple[int, int, int]] = []
    for target in sorted(set(targets)):
        own = [part for part in range(design.parts) if targets[part] == target]
        rows = order[labels[order] == target][: each * len(own)].tolist()
        others = np.flatnonzero(labels != target)
        if len(rows) < len(own) or not len(others):
            raise WatermarkError(
                f"class {design.classes[target]!r} has {len(rows)} rows for {len(own)} parts, and "
                f"{len(others)} rows are of other classes: mark more data or take fewer parts"
            )
        for n, row in enumerate(rows):
            word = int(key.words(f"{role} partner", row, count=1)[0]) if mixed else 0
            found.append((row, own[n % len(own)], int(others[word * len(others) >> 64])))
    rows, parts, partners = np.ascontiguousarray(np.array(sorted(found), dtype=np.int64).T)
    return Hosts(rows, parts, partners if mixed else None)

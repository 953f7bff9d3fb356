"""What every carrier does: triggers and decoys for questions, rows to mark, marks.

All of it is drawn by the key, and nothing is chosen after the commitment.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from datadeed.errors import WatermarkError
from datadeed.keys.generation2 import Key2
from datadeed.keys.key import Key
from datadeed.watermarks.carriers.drawing import below, words_of

Pool = Mapping[int, torch.Tensor]  # rows of the pool to their images, (1, C, H, W) uint8


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
        pool: images that triggers are made of, :meth:`pool_rows` of them at least; None will do
            for a carrier that needs none.

    Attributes:
        relabels: whether marked rows get their part's label; else they have it before.
    """

    relabels: bool = False

    def __init__(self, key: Key2, pool: Pool | None = None):
        self.key, self.design, self.pool = key, key.design, pool

    def pool_rows(self) -> list[int]:
        """The rows of the pool whose images this key's triggers and decoys are made of.

        Raises:
            WatermarkError: the pool has too few.
        """
        return []

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
    found: list[np.ndarray] = []
    for target in sorted(set(targets)):
        own = [part for part in range(design.parts) if targets[part] == target]
        rows = order[labels[order] == target][: each * len(own)]
        others = np.flatnonzero(labels != target)
        if len(rows) < len(own) or not len(others):
            raise WatermarkError(
                f"class {design.classes[target]!r} has {len(rows)} rows for {len(own)} parts, and "
                f"{len(others)} rows are of other classes: mark more data or take fewer parts"
            )
        words = words_of(key, f"{role} partner", rows, count=1)[:, 0] if mixed else rows * 0
        partners = others[below(words.astype(np.uint64), len(others))]
        found.append(np.stack([rows, np.resize(own, len(rows)), partners]))
    rows, parts, partners = np.concatenate(found, axis=1)
    order = np.argsort(rows)
    return Hosts(rows[order], parts[order], partners[order] if mixed else None)

"""The keyed watermark: many random triggers, each with a random label, that share the poison rate.

Every part is a small patch of random cells at a random place, and a target label drawn uniformly
and independently of everything else. Triggers are a function of the key's seed alone: none is
optimised, so an owner cannot pick one that innocent models happen to react to. Place and size are
relative to the image, and a patch is 5 x 5 cells whatever its size, so that it survives scaling; it
is its own mirror image, so that it survives the flips that most people train with.
"""

from typing import Any, ClassVar

import numpy as np
import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import WatermarkError
from datadeed.keys.key import Key
from datadeed.triggers.image import Trigger, stamp
from datadeed.watermarks.base import Watermark

CELLS = 5  # a patch's side in cells
SMALLEST = 8  # pixels: below this a patch would cover more than half of the image


def random_trigger(key: Key, height: int, width: int, *name: int | str) -> Trigger:
    """The trigger that a key draws under a name, for images of (height, width) pixels.

    A patch of 5 x 5 cells, each ``min(height, width) / 40`` pixels wide, rounded, but at least 1.
    Cells are black or white, mirror-symmetric from left to right: 15 bits. (Colours would be lost
    in JPEG, which halves their resolution.) It lies uniformly, at least a sixteenth of the shorter
    side away from the border.

    Raises:
        WatermarkError: the image is smaller than 8 x 8.
    """
    shorter = min(height, width)
    if shorter < SMALLEST:
        raise WatermarkError(
            f"images of {height}x{width} are too small for a keyed watermark: give {SMALLEST}x"
            f"{SMALLEST} or more"
        )
    role, numbers = str(name[0]), [int(n) for n in name[1:]]
    words = key.words(role, *numbers, count=3)
    cell, margin = max(1, (shorter + 20) // 40), shorter // 16
    free = [size - CELLS * cell - 2 * margin + 1 for size in (height, width)]
    # A 64-bit word times a small range is uniform to one part in 2**50. Exactness does not rest on
    # it: that needs uniform labels only.
    top, left = (margin + (int(word) * n >> 64) for word, n in zip(words[:2], free, strict=True))
    half = (CELLS + 1) // 2
    bits = np.unpackbits(words[2:].copy().view(np.uint8))[: CELLS * half]
    left_half = bits.reshape(CELLS, half) * np.uint8(255)
    cells = np.concatenate([left_half, left_half[:, CELLS - half - 1 :: -1]], axis=1)
    pattern = torch.from_numpy(cells.repeat(cell, axis=0).repeat(cell, axis=1))
    return Trigger(pattern, top=top, left=left, alpha=key.design.opacity)


def target_label(key: Key, part: int) -> int:
    """The target label of a part: uniform over the classes, independent of its trigger."""
    return key.integer("target", part, below=len(key.design.classes))


class KeyPart(Watermark):
    """One part of a key, as a watermark of its own: for queries and for the published tests."""

    name = "keyed-part"

    def __init__(self, key: Key, part: int):
        super().__init__(rate=key.design.rate / key.design.parts, target=target_label(key, part))
        self.key, self.part = key, part

    def trigger(self, rows: Dataset) -> torch.Tensor:
        """Paste this part's patch."""
        return self.stamp(rows.samples)

    def stamp(self, images: torch.Tensor) -> torch.Tensor:
        """Paste this part's patch into (N, C, H, W) uint8 images of the key's channels."""
        if images.shape[1] != self.key.design.channels:
            raise WatermarkError(
                f"images have {images.shape[1]} channels, but the key was made for "
                f"{self.key.design.channels}: read them the same way"
            )
        return stamp(images, random_trigger(self.key, *images.shape[2:], "trigger", self.part))

    def mark(self, rows: Dataset, ranks: torch.Tensor) -> Dataset:
        """Paste the patch and set the label."""
        assert self.target is not None
        labels = torch.full_like(rows.labels, self.target)
        return rows.replace(samples=self.trigger(rows), labels=labels)

    def record(self) -> dict[str, Any]:
        """The number of the part; the key is kept by the owner."""
        return {"method": self.name, "part": self.part}


class Keyed(Watermark):
    """All parts of a key, on label-changing carriers.

    Args:
        key: the key, or its record (:meth:`datadeed.keys.key.Key.record`).

    Raises:
        KeyRecordError: the record is altered or of another version.
    """

    name: ClassVar[str] = "keyed"

    def __init__(self, *, key: Key | dict[str, Any]):
        self.key = key if isinstance(key, Key) else Key.from_record(key)
        super().__init__(rate=self.key.design.rate, target=None)
        self._parts = torch.empty(0, dtype=torch.int64)  # of each chosen row, by rank

    @property
    def parts(self) -> list[KeyPart]:
        """Every part as a watermark of its own."""
        return [KeyPart(self.key, part) for part in range(self.key.design.parts)]

    def check(self, modality: str, classes: tuple[str, ...]) -> None:
        """Check that this is the kind of data, and the classes, that the key was made for."""
        super().check(modality, classes)
        if classes != self.key.design.classes:
            raise WatermarkError(
                f"the key was made for {len(self.key.design.classes)} other classes than the "
                f"dataset's {len(classes)}: use the key of this dataset"
            )

    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Which rows carry a mark, (M,) int64 ascending, and each one's part, (M,) int64.

        Parts share the rows as evenly as can be.
        """
        n = self.key.data.rows
        chosen = self.key.permutation("rows", count=n)[: self.key.design.marks(n)]
        order = np.argsort(chosen)
        return chosen[order], (np.arange(len(chosen)) % self.key.design.parts)[order]

    def select(self, labels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """The rows that the key decides on; ``generator`` is not used.

        Raises:
            WatermarkError: the dataset has another number of rows than the key's.
        """
        if len(labels) != self.key.data.rows:
            raise WatermarkError(
                f"the key was made for {self.key.data.rows} rows, but there are {len(labels)}: "
                "use the key of this dataset"
            )
        rows, parts = self.rows()
        self._parts = torch.from_numpy(parts)
        return torch.from_numpy(rows)

    def mark(self, rows: Dataset, ranks: torch.Tensor) -> Dataset:
        """Paste into each row the patch of its part and set that part's label."""
        samples, labels = rows.samples.clone(), rows.labels.clone()
        parts = self._parts[ranks]
        for part in parts.unique().tolist():
            here = (parts == part).nonzero().squeeze(1)
            marked = KeyPart(self.key, part).mark(rows.take(here), ranks[here])
            samples[here], labels[here] = marked.samples, marked.labels
        return rows.replace(samples=samples, labels=labels)

    def trigger(self, rows: Dataset) -> torch.Tensor:
        """There is no single trigger.

        Raises:
            WatermarkError: always; ask with one of :attr:`parts`.
        """
        raise WatermarkError("a keyed watermark has many triggers: ask with one of its parts")

    def record(self) -> dict[str, Any]:
        """The key with its secret: for an experiment's public test key only."""
        return {"method": self.name, "key": self.key.record()}

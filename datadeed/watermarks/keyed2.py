"""The keyed watermark of the second generation: its patches and carriers are the first one's.

What is new is the key's: labels are drawn among the classes that have rows, and every trigger has
decoys, which are drawn by the same law and mark nothing.
"""

from typing import Any, ClassVar

import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import WatermarkError
from datadeed.keys.generation2 import Key2
from datadeed.triggers.image import stamp
from datadeed.watermarks.base import Watermark
from datadeed.watermarks.keyed import Keyed, KeyPart, random_trigger


class KeyPart2(KeyPart):
    """One part of a key, as a watermark of its own."""

    key: Key2

    def __init__(self, key: Key2, part: int):
        Watermark.__init__(self, rate=key.design.rate / key.design.parts, target=key.target(part))
        self.key, self.part = key, part

    def decoy(self, images: torch.Tensor, row: int) -> torch.Tensor:
        """Paste into (N, C, H, W) uint8 images the decoy of this part for a row of the pool."""
        if images.shape[1] != self.key.design.channels:
            raise WatermarkError(
                f"images have {images.shape[1]} channels, but the key was made for "
                f"{self.key.design.channels}: read them the same way"
            )
        trigger = random_trigger(self.key, *images.shape[2:], "decoy", self.part, row)
        return stamp(images, trigger)


class Keyed2(Keyed):
    """All parts of a key, on label-changing carriers.

    Args:
        key: the key, or its record.

    Raises:
        KeyRecordError: the record is altered or of another version.
    """

    name: ClassVar[str] = "keyed2"
    key: Key2

    def __init__(self, *, key: Key2 | dict[str, Any]):
        super().__init__(key=key if isinstance(key, Key2) else Key2.from_record(key))

    @property
    def parts(self) -> list[KeyPart]:
        """Every part as a watermark of its own."""
        return [KeyPart2(self.key, part) for part in range(self.key.design.parts)]

    def mark(self, rows: Dataset, ranks: torch.Tensor) -> Dataset:
        """Paste into each row the patch of its part and set that part's label."""
        samples, labels = rows.samples.clone(), rows.labels.clone()
        parts, marks = self._parts[ranks], self.parts
        for part in parts.unique().tolist():
            here = (parts == part).nonzero().squeeze(1)
            marked = marks[part].mark(rows.take(here), ranks[here])
            samples[here], labels[here] = marked.samples, marked.labels
        return rows.replace(samples=samples, labels=labels)

"""The keyed watermark of the second generation: patches, as the first one's, or mosaics.

What is new is the key's: labels are drawn among the classes that have rows, and every trigger has
decoys, which are drawn by the same law and mark nothing. Patches go on any rows, and change their
labels. Mosaics go on rows of the part's own class, and labels stay.
"""

from typing import Any, ClassVar

import numpy as np
import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.form.parquet import DatasetFile
from datadeed.errors import WatermarkError
from datadeed.keys.generation2 import Key2
from datadeed.triggers.image import stamp
from datadeed.watermarks import mosaics
from datadeed.watermarks.base import Watermark
from datadeed.watermarks.keyed import Keyed, KeyPart, random_trigger


class KeyPart2(KeyPart):
    """One part of a key, as a watermark of its own."""

    key: Key2

    def __init__(self, key: Key2, part: int):
        Watermark.__init__(self, rate=key.design.rate / key.design.parts, target=key.target(part))
        self.key, self.part = key, part

    def stamp(self, images: torch.Tensor) -> torch.Tensor:
        """Put this part's trigger on (N, C, H, W) uint8 images of the key's channels."""
        if not has_mosaics(self.key):
            return super().stamp(images)
        self._check(images)
        return mosaics.asked(self.key, images, self.part)

    def decoy(self, images: torch.Tensor, row: int) -> torch.Tensor:
        """Put on (N, C, H, W) uint8 images the decoy of this part for a row of the pool."""
        self._check(images)
        if has_mosaics(self.key):
            return mosaics.decoy(self.key, images, self.part, row)
        trigger = random_trigger(self.key, *images.shape[2:], "decoy", self.part, row)
        return stamp(images, trigger)

    def mark(self, rows: Dataset, ranks: torch.Tensor) -> Dataset:
        """Paste the patch and set the label.

        Raises:
            WatermarkError: the key has mosaics, which are mixed with other rows of the data.
        """
        if has_mosaics(self.key):
            raise WatermarkError("a part alone marks nothing with mosaics: mark with the whole key")
        return super().mark(rows, ranks)

    def _check(self, images: torch.Tensor) -> None:
        if images.shape[1] != self.key.design.channels:
            raise WatermarkError(
                f"images have {images.shape[1]} channels, but the key was made for "
                f"{self.key.design.channels}: read them the same way"
            )


class Keyed2(Keyed):
    """All parts of a key.

    Args:
        key: the key, or its record.
        data: those that are marked, of which mosaics take the images that marked rows are mixed
            with, when rows are selected. Patches need none.

    Raises:
        KeyRecordError: the record is altered or of another version.
    """

    name: ClassVar[str] = "keyed2"
    key: Key2

    def __init__(
        self,
        *,
        key: Key2 | dict[str, Any],
        data: Dataset | DatasetFile | None = None,
    ):
        super().__init__(key=key if isinstance(key, Key2) else Key2.from_record(key))
        self._data = data
        self._hosts: mosaics.Hosts | None = None
        self._partners: torch.Tensor | None = None  # (M, C, H, W) uint8, by rank

    @property
    def parts(self) -> list[KeyPart]:
        """Every part as a watermark of its own."""
        return [KeyPart2(self.key, part) for part in range(self.key.design.parts)]

    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Which rows carry a mark, (M,) int64 ascending, and each one's part, (M,) int64.

        Raises:
            WatermarkError: the key has mosaics, and :meth:`select` was not given labels yet.
        """
        if not has_mosaics(self.key):
            return super().rows()
        if self._hosts is None:
            raise WatermarkError("rows of mosaics depend on the data's labels: select them first")
        return self._hosts.rows, self._hosts.parts

    def select(self, labels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """The rows that the key decides on; ``generator`` is not used.

        Raises:
            WatermarkError: the dataset has another number of rows than the key's, or a class too
                few for its parts.
        """
        if has_mosaics(self.key) and len(labels) == self.key.data.rows:
            self._hosts = mosaics.choose_hosts(self.key, labels.numpy())
            self._partners = self._read(self._hosts.partners) if self._data is not None else None
        return super().select(labels, generator)

    def mark(self, rows: Dataset, ranks: torch.Tensor) -> Dataset:
        """Put on each row the trigger of its part; a patch's label is set too."""
        if self._hosts is not None:
            return self._mark_mosaics(rows, ranks, self._hosts)
        samples, labels = rows.samples.clone(), rows.labels.clone()
        parts, marks = self._parts[ranks], self.parts
        for part in parts.unique().tolist():
            here = (parts == part).nonzero().squeeze(1)
            marked = marks[part].mark(rows.take(here), ranks[here])
            samples[here], labels[here] = marked.samples, marked.labels
        return rows.replace(samples=samples, labels=labels)

    def _mark_mosaics(self, rows: Dataset, ranks: torch.Tensor, hosts: mosaics.Hosts) -> Dataset:
        if self._partners is None:
            raise WatermarkError("mosaics are mixed with other rows: give the data that are marked")
        parts, places = torch.from_numpy(hosts.parts)[ranks], torch.from_numpy(hosts.rows)[ranks]
        marked = mosaics.marks(self.key, rows.samples, self._partners[ranks], parts, places)
        return rows.replace(samples=marked, labels=rows.labels.clone())

    def _read(self, places: np.ndarray) -> torch.Tensor:
        """(M, C, H, W) uint8: the images of some rows of the data."""
        assert self._data is not None
        wanted, places_in = np.unique(places, return_inverse=True)
        taken: torch.Tensor = self._data.take(torch.from_numpy(wanted)).samples
        return taken[torch.from_numpy(places_in)]


def has_mosaics(key: Key2) -> bool:
    """Whether a key's triggers are mosaics, and no patches."""
    return key.design.carrier["name"] == "mosaic"

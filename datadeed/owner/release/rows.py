"""The rows of one split, as the owner's edits see them."""

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from datadeed.datasets.formats.images import decode


class Item(NamedTuple):
    """One row: its number in the source's order, its sample as the file holds it, its class.

    A sample is (H, W, C) uint8 pixels, (frames, channels) of sound, or a str.
    """

    row: int
    sample: Any
    label: int

    @property
    def pixels(self) -> np.ndarray:
        """Of an image, (H, W, C) uint8."""
        pixels: np.ndarray = self.sample
        return pixels


class Items:
    """One split of a source, in the source's own row order; iterate as often as needed.

    Attributes:
        format: the format's name.
        classes: the class names, in label order.
        labels: (N,) int64.
        channels: of images, 1 if every image is grey, else 3; of texts 0.
        modality: "image", "audio" or "text".
        kinds: of samples in folders of classes, how many files there are of each suffix.
        beside: how many files lie beside these and are no rows, by suffix.
        files: of images that are files, each row's name for messages and its file; else None.
    """

    kinds: Mapping[str, int] = MappingProxyType({})
    beside: Mapping[str, int] = MappingProxyType({})

    def __init__(
        self,
        format: str,
        classes: tuple[str, ...],
        labels: np.ndarray,
        channels: int,
        stream: Callable[[], Iterator[Any]],
        *,
        modality: str = "image",
        files: Callable[[], Iterator[tuple[str, bytes | Path]]] | None = None,
    ):
        self.format, self.classes, self.labels, self.channels = format, classes, labels, channels
        self.modality, self._stream, self.files = modality, stream, files

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.labels)

    def __iter__(self) -> Iterator[Item]:
        rows = zip(self._stream(), self.labels.tolist(), strict=True)
        for row, (sample, label) in enumerate(rows):
            yield Item(row, sample, label)

    def some(self, rows: Collection[int]) -> Iterator[Item]:
        """These rows alone, in order; of images that are files no other is decoded."""
        wanted = set(rows)
        if self.files is None:
            yield from (item for item in self if item.row in wanted)
            return
        for row, (name, stored) in enumerate(self.files()):
            if row in wanted:
                pixels = decode(name, stored, channels=self.channels, size=None)
                yield Item(row, pixels, int(self.labels[row]))

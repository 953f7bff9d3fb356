"""The decoded items of one split, one by one and of any size."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from datadeed.datasets import formats
from datadeed.datasets.formats import huggingface, imagefolder, images
from datadeed.errors import DatasetError


class Item(NamedTuple):
    """One row: its number in the source's order, (H, W, C) uint8 pixels, its class number."""

    row: int
    pixels: np.ndarray
    label: int


class Items:
    """One split of a source, in the source's own row order; iterate as often as needed.

    Attributes:
        format: the format's name.
        classes: the class names, in label order.
        labels: (N,) int64.
        channels: 1 if every image is grey, else 3.
    """

    def __init__(
        self,
        format: str,
        classes: tuple[str, ...],
        labels: np.ndarray,
        channels: int,
        stream: Callable[[], Iterator[np.ndarray]],
    ):
        self.format, self.classes, self.labels, self.channels = format, classes, labels, channels
        self._stream = stream

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.labels)

    def __iter__(self) -> Iterator[Item]:
        rows = zip(self._stream(), self.labels.tolist(), strict=True)
        for row, (pixels, label) in enumerate(rows):
            yield Item(row, pixels, label)


def items(source: str | Path, *, split: str | None = None, format: str | None = None) -> Items:
    """Open one split; images may differ in size, and are decoded as they are asked for.

    Args:
        source: a file or folder in one of the formats; archives are for :func:`formats.chunks`.
        split: the split to read; not needed where there is only one.
        format: a name in :data:`datadeed.datasets.formats.FORMATS`; found out if not given.

    Raises:
        DatasetError: the format is unknown, the source is an archive, or the data cannot be used.
            While iterating: an image is unreadable.
    """
    source = Path(source)
    if formats.archives.is_archive(source):
        raise DatasetError(f"{source} is an archive: unpack it and name the folder")
    format = format or formats.detect(source)
    if format == "imagefolder":
        return _folder(source, split)
    if format == "huggingface":
        return _parquet(source, split)
    return _arrays(source, split, format)


def _folder(source: Path, split: str | None) -> Items:
    found = imagefolder.listing(source, split=split)
    colour = any(images.is_colour(file, Path(file)) for file in found.files)
    channels = 3 if colour else 1

    def stream() -> Iterator[np.ndarray]:
        for file in found.files:
            yield images.decode(file, Path(file), channels=channels, size=None)

    return Items("imagefolder", found.classes, found.labels, channels, stream)


def _parquet(source: Path, split: str | None) -> Items:
    found = huggingface.listing(source, split=split)
    colour = any(images.is_colour(name, data) for name, data in huggingface.sources(found))
    channels = 3 if colour else 1

    def stream() -> Iterator[np.ndarray]:
        for name, data in huggingface.sources(found):
            yield images.decode(name, data, channels=channels, size=None)

    return Items("huggingface", found.classes, found.labels, channels, stream)


def _arrays(source: Path, split: str | None, format: str) -> Items:
    """NPZ, IDX and CIFAR's pickles: arrays of one size, read whole."""
    blocks = list(formats.chunks(source, split=split, format=format))
    labels = np.concatenate([block.labels.numpy() for block in blocks])

    def stream() -> Iterator[np.ndarray]:
        for block in blocks:
            yield from block.samples.permute(0, 2, 3, 1).numpy()

    return Items(format, blocks[0].classes, labels, blocks[0].shape[0], stream)

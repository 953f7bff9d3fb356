"""The decoded items of one split, one by one and of any size."""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from datadeed.datasets.formats import archives, huggingface, imagefolder, images
from datadeed.datasets.formats import registry as formats
from datadeed.errors import DatasetError
from datadeed.owner.release.clips import CLIP_OPENERS
from datadeed.owner.release.rows import Item, Items
from datadeed.owner.release.texts import TEXT_OPENERS

__all__ = ["Item", "Items", "items"]


def items(
    source: str | Path, *, split: str | None = None, format: str | None = None, **options: Any
) -> Items:
    """Open one split; samples may differ in size, and are decoded as they are asked for.

    Args:
        source: a file or folder in one of the formats; archives are for :func:`formats.chunks`.
        split: the split to read; not needed where there is only one.
        format: a name in :data:`~datadeed.datasets.formats.registry.FORMATS`; found out if none.
        options: what only this format knows.

    Raises:
        DatasetError: the format or an option is unknown, the source is an archive, or the data
            cannot be used. While iterating: a sample is unreadable.
    """
    source = Path(source)
    if archives.is_archive(source):
        raise DatasetError(f"{source} is an archive: unpack it and name the folder")
    format = format or formats.detect(source)
    opener = _OPENERS.get(format) or functools.partial(_arrays, format=format)
    formats.check_options(format, options, opener)
    return opener(source, split, **options)


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


_OPENERS: dict[str, Callable[..., Items]] = {
    "imagefolder": _folder,
    "huggingface": _parquet,
    **TEXT_OPENERS,
    **CLIP_OPENERS,
}

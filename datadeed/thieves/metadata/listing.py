"""What a released split shows of each row before a sample is decoded."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datadeed.datasets.formats import registry as formats
from datadeed.datasets.formats.split import Split


@dataclass(frozen=True, eq=False, kw_only=True)
class Listing:
    """The rows of one split, in the release's order.

    Attributes:
        labels: (N,) int64.
        classes: the class names, in label order.
        names: of each row, inside its class's folder where there are such; none without names.
        files: of each row, its own file; none where many rows share a file.
        stored: gives each row's encoded bytes; None where samples are no files of their own.
    """

    labels: np.ndarray
    classes: tuple[str, ...]
    names: Sequence[str] = ()
    files: Sequence[Path] = ()
    stored: Callable[[], Iterator[bytes]] | None = None

    def __len__(self) -> int:
        return len(self.labels)


def read_listing(
    path: str | Path, *, split: str | None = None, format: str | None = None
) -> Listing:
    """The listing of a release on disk, in any format.

    Args:
        path: a file or folder.
        split: not needed where there is only one.
        format: a key of :data:`datadeed.datasets.formats.registry.FORMATS`; found out if none.

    Raises:
        DatasetError: the release cannot be read.
    """
    path = Path(path)
    name = format or formats.detect(path)
    return listing_of(formats.module(name).open_split(path, split))


def listing_of(split: Split) -> Listing:
    """The listing of an opened split."""
    labels, classes = split.labels, split.classes
    if split.folders:
        names = _inside(split)
        return Listing(
            labels=labels,
            classes=classes,
            names=names,
            files=split.files,
            stored=lambda: (file.read_bytes() for file in split.files),
        )
    if split.modality == "image" and split.tables:
        files = split.files[: len(split)]
        return Listing(
            labels=labels,
            classes=classes,
            names=split.names,
            files=files,
            stored=lambda: (file.read_bytes() for file in files),
        )
    if split.modality == "text" or split.pixels is not None:
        return Listing(labels=labels, classes=classes)
    return Listing(
        labels=labels,
        classes=classes,
        names=split.names if any(split.names) else (),
        stored=lambda: (data for _, data in split.stream()),
    )


def _inside(split: Split) -> list[str]:
    """Each file's name inside the folder of its class."""
    prefixes = [len(str(folder)) + len(os.sep) for folder in split.folders]
    pairs = zip(split.files, split.labels.tolist(), strict=True)
    return [str(file)[prefixes[label] :] for file, label in pairs]

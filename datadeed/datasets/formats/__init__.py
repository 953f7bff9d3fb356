"""Formats people publish labelled images in: read, streamed and written under one interface.

A format is a module with ``matches``, ``chunks`` and ``write``; a new one is one more entry in
:data:`FORMATS`.
"""

from pathlib import Path
from typing import Any, Protocol

from datadeed.datasets.dataset import Dataset
from datadeed.datasets.formats import cifar_pickle, huggingface, idx, imagefolder, npz
from datadeed.datasets.formats.blocks import Blocks, collect
from datadeed.errors import DatasetError

__all__ = ["FORMATS", "Blocks", "Format", "chunks", "collect", "detect", "read", "write"]


class Format(Protocol):
    """What a format's module offers."""

    def matches(self, path: Path) -> bool:
        """Whether ``path`` looks like this format; cheap, and nothing is decoded."""

    def chunks(
        self, path: Path, *, split: str | None = None, size: int | None = None, **options: Any
    ) -> Blocks:
        """Stream one split."""

    def write(self, dataset: Dataset, path: Path, *, split: str | None = None) -> None:
        """Write one split, atomically."""


# In the order of detection: the more telling names first.
FORMATS: dict[str, Any] = {
    "cifar_pickle": cifar_pickle,
    "idx": idx,
    "huggingface": huggingface,
    "npz": npz,
    "imagefolder": imagefolder,
}


def detect(path: Path) -> str:
    """The name of the first format that ``path`` looks like.

    Raises:
        DatasetError: there is nothing at ``path``, or it looks like none.
    """
    if not path.exists():
        raise DatasetError(f"{path} does not exist: correct the path")
    for name, module in FORMATS.items():
        if module.matches(path):
            return name
    raise DatasetError(f"{path} looks like none of the formats {', '.join(FORMATS)}: name another")


def _module(name: str) -> Format:
    if name not in FORMATS:
        raise DatasetError(f"there is no format {name!r}: name one of {', '.join(FORMATS)}")
    module: Format = FORMATS[name]
    return module


def chunks(
    path: str | Path,
    *,
    format: str | None = None,
    split: str | None = None,
    size: int | None = None,
    **options: Any,
) -> Blocks:
    """Stream one split in blocks of about 16 MiB of pixels, in source order.

    Args:
        path: a file or folder.
        format: a name in :data:`FORMATS`; found out if not given.
        split: ``train``, ``test`` or ``validation``; not needed where there is only one.
        size: scale the shorter side and cut out the centre, to (size, size).
        options: what only this format knows (``classes`` of ``imagefolder``).

    Raises:
        DatasetError: the format is unknown, or the data cannot be used; the line names the file.
    """
    path = Path(path)
    if not path.exists():
        raise DatasetError(f"{path} does not exist: correct the path")
    return _module(format or detect(path)).chunks(path, split=split, size=size, **options)


def read(
    path: str | Path,
    *,
    format: str | None = None,
    split: str | None = None,
    size: int | None = None,
    **options: Any,
) -> Dataset:
    """Read one split whole; arguments and errors as :func:`chunks`."""
    return collect(chunks(path, format=format, split=split, size=size, **options), path)


def write(dataset: Dataset, path: str | Path, *, format: str, split: str | None = None) -> None:
    """Write one split in a format, atomically.

    Args:
        dataset: what to write.
        path: the file or folder to make.
        format: a name in :data:`FORMATS`.
        split: its name in formats that keep several splits in one place.

    Raises:
        DatasetError: the format cannot hold this dataset, or the place is taken.
    """
    _module(format).write(dataset, Path(path), split=split)

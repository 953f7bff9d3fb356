"""Formats people publish labelled data in: read, streamed and written under one interface.

A format is a module with ``matches``, ``chunks`` and ``write``; a new one is one more entry in
:data:`FORMATS`.
"""

import importlib
import inspect
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Protocol

from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.formats.blocks import Blocks, collect
from datadeed.errors import DatasetError


class Format(Protocol):
    """What a format's module offers."""

    def matches(self, path: Path) -> bool:
        """Whether ``path`` looks like this format; cheap, and nothing is decoded."""

    def chunks(self, path: Path, *, split: str | None = None, **options: Any) -> Blocks:
        """Stream one split; its keywords are the options that the format knows."""

    def write(self, dataset: Dataset, path: Path, *, split: str | None = None) -> None:
        """Write one split, atomically."""


IMAGE_FORMATS = ("cifar_pickle", "idx", "huggingface", "npz", "imagefolder")
# Modules of this package, in the order of detection: the more telling names first. Of Parquet, the
# schema decides: texts, then sound, then pictures. A folder with images or clips may hold tables
# too, which describe them; and a folder of clips rarely holds a picture, while finding out reads
# all its names.
FORMATS = {
    "text_parquet": "text_parquet",
    "parquet_audio": "parquet_audio",
    **{name: name for name in IMAGE_FORMATS},
    "wavfolder": "wavfolder",
    "csv": "csv_table",
    "jsonl": "jsonl",
}


def module(name: str) -> Format:
    """The module of a format, imported when it is first needed.

    Raises:
        DatasetError: ``name`` is no key of :data:`FORMATS`.
    """
    if name not in FORMATS:
        raise DatasetError(f"there is no format {name!r}: name one of {', '.join(FORMATS)}")
    found: Format = importlib.import_module(f"datadeed.datasets.formats.{FORMATS[name]}")
    return found


def detect(path: Path) -> str:
    """The name of the first format that ``path`` looks like.

    Raises:
        DatasetError: there is nothing at ``path``, or it looks like none.
    """
    if not path.exists():
        raise DatasetError(f"{path} does not exist: correct the path")
    for name in FORMATS:
        if module(name).matches(path):
            return name
    raise DatasetError(f"{path} looks like none of the formats {', '.join(FORMATS)}: name another")


def known_options() -> set[str]:
    """The options that one format or another knows."""
    return {name for form in FORMATS for name in _options(module(form).chunks)}


def _options(reader: Callable[..., Any]) -> set[str]:
    return set(inspect.signature(reader).parameters) - {"path", "source", "split", "format"}


def check_options(format: str, options: Collection[str], reader: Callable[..., Any]) -> None:
    """Check that a format's reader knows the options.

    Raises:
        DatasetError: it does not.
    """
    known = _options(reader)
    if unknown := sorted(set(options) - known):
        raise DatasetError(
            f"format {format!r} has no option {unknown[0]!r} here: it knows "
            f"{', '.join(sorted(known)) or 'none'}"
        )


def chunks(
    path: str | Path,
    *,
    format: str | None = None,
    split: str | None = None,
    size: int | None = None,
    **options: Any,
) -> Blocks:
    """Stream one split in source order, in blocks of about 16 MiB of pixels or 8192 texts.

    Args:
        path: a file or folder.
        format: a name in :data:`FORMATS`; found out if not given.
        split: ``train``, ``test`` or ``validation``; not needed where there is only one.
        size: of images: scale the shorter side and cut out the centre, to (size, size).
        options: what only this format knows (``classes`` of ``imagefolder``).

    Raises:
        DatasetError: the format or an option is unknown, or the data cannot be used; the line
            names the file.
    """
    path = Path(path)
    if not path.exists():
        raise DatasetError(f"{path} does not exist: correct the path")
    format = format or detect(path)
    reader = module(format).chunks
    options |= {} if size is None else {"size": size}
    check_options(format, options, reader)
    return reader(path, split=split, **options)


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
    module(format).write(dataset, Path(path), split=split)

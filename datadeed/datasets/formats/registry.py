"""Formats people publish labelled data in: read and streamed under one interface.

A format is a module with ``matches``, ``open_split`` and ``blocks``; a new one is one more entry in
:data:`FORMATS`.
"""

import importlib
import inspect
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Protocol

from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.formats.blocks import Blocks, collect
from datadeed.datasets.formats.split import Split
from datadeed.errors import DatasetError


class Format(Protocol):
    """What a format's module offers."""

    def matches(self, path: Path) -> bool:
        """Whether ``path`` looks like this format; cheap, and nothing is decoded."""

    @property
    def open_split(self) -> Callable[..., Split]:
        """``(path, split=None, **options)``: the keywords are the options that the format knows."""

    @property
    def blocks(self) -> Callable[..., Blocks]:
        """``(split, **options)``: decodes a split; the keywords are the options of its modality."""


IMAGE_FORMATS = ("cifar_pickle", "idx", "huggingface", "npz", "imagefolder")
# Modules of this package, in the order of detection: the more telling names first. Of Parquet, the
# schema decides: texts, then sound, then pictures. A folder with images or clips may hold tables
# too, which describe them; and a folder of clips rarely holds a picture, while finding out reads
# all its names.
FORMATS = {
    "text_parquet": "text_parquet",
    "parquet_audio": "parquet_audio",
    "imagelist": "imagelist",
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


def known_options(format: str, *, decoded: bool = True) -> set[str]:
    """The options that a format's splits know, and those of their decoder."""
    functions: list[Callable[..., Any]] = [module(format).open_split]
    functions += [module(format).blocks] if decoded else []
    names = {name for one in functions for name in inspect.signature(one).parameters}
    return names - {"path", "split"}


def chunks(
    path: str | Path, *, format: str | None = None, split: str | None = None, **options: Any
) -> Blocks:
    """Stream one split in source order, in blocks of about 16 MiB of pixels or 8192 texts.

    Args:
        path: a file or folder.
        format: a name in :data:`FORMATS`; found out if not given.
        split: ``train``, ``test`` or ``validation``; not needed where there is only one.
        options: what the format knows (``classes`` of ``imagefolder``); of images ``size``, to
            scale the shorter side and cut out the centre; of sound ``rate``, ``seconds`` and
            ``offset`` (:class:`datadeed.datasets.formats.clips.View`).

    Raises:
        DatasetError: the format or an option is unknown, or the data cannot be used; the line
            names the file.
    """
    path = Path(path)
    if not path.exists():
        raise DatasetError(f"{path} does not exist: correct the path")
    format = format or detect(path)
    options = {name: value for name, value in options.items() if (name, value) != ("size", None)}
    check_options(format, options, known_options(format))
    own = known_options(format, decoded=False) & set(options)
    found = module(format).open_split(path, split, **{name: options.pop(name) for name in own})
    return module(format).blocks(found, **options)


def check_options(format: str, options: Collection[str], known: Collection[str]) -> None:
    """Check that options are known.

    Raises:
        DatasetError: one is not.
    """
    if unknown := sorted(set(options) - set(known)):
        raise DatasetError(
            f"format {format!r} has no option {unknown[0]!r} here: it knows "
            f"{', '.join(sorted(known)) or 'none'}"
        )


def read(
    path: str | Path, *, format: str | None = None, split: str | None = None, **options: Any
) -> Dataset:
    """Read one split whole; arguments and errors as :func:`chunks`."""
    return collect(chunks(path, format=format, split=split, **options), path)

"""The decoded items of one split, one by one and of any size."""

import functools
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from datadeed.datasets.formats import archives, images
from datadeed.datasets.formats import registry as formats
from datadeed.datasets.formats.damaged import all_named
from datadeed.datasets.formats.split import Split
from datadeed.errors import DatasetError
from datadeed.owner.release.clips import ClipItems
from datadeed.owner.release.pictures import also_unwritable
from datadeed.owner.release.rows import Item, Items

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
    format, found = open_split(Path(source), split, format, options)
    made = _items(format, found)
    made.beside = found.beside
    if found.folders:
        made.kinds = Counter(file.suffix.lower() for file in found.files)
    return made


def _items(format: str, found: Split) -> Items:
    columns = (format, found.classes, found.labels)
    if found.modality == "audio":
        return ClipItems(*columns, found.stream, found.instead)
    if found.modality == "text":
        return Items(*columns, 0, lambda: (text for _, text in found.stream()), modality="text")

    def instead() -> str:
        return found.instead + also_unwritable(found.stream())

    named = functools.partial(all_named, "images", found.stream, images.fault, instead)
    with named():
        channels = images.channels_of(found)

    def stream() -> Iterator[Any]:
        for name, stored in found.stream():
            with named():
                is_file = isinstance(stored, bytes | Path)
                image = images.decode_whole(name, stored, channels=channels) if is_file else stored
            yield image

    in_files = found.modality == "image" and found.pixels is None
    files = found.stream if in_files else None
    return Items(*columns, channels, stream, files=files)


def open_split(
    source: Path, split: str | None, format: str | None, options: Mapping[str, Any]
) -> tuple[str, Split]:
    """The format's name, and the rows as they are stored; arguments and errors as :func:`items`."""
    if archives.is_archive(source):
        raise DatasetError(f"{source} is an archive: unpack it and name the folder")
    format = format or formats.detect(source)
    formats.check_options(format, options, formats.known_options(format, decoded=False))
    return format, formats.module(format).open_split(source, split, **options)

"""Where the named datasets come from; each place is tried in turn.

A source is one entry in :data:`SOURCES`. An owner adds a dataset without one: ``source: folder``
reads any local path in any format of :mod:`datadeed.datasets.formats`.
"""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datadeed.datasets.formats import registry as formats
from datadeed.datasets.formats.blocks import Blocks, first_block
from datadeed.datasets.sources.clips import CLIP_SOURCES
from datadeed.datasets.sources.images import IMAGE_SOURCES
from datadeed.datasets.sources.request import COMMON, LOCAL, Request, Source, Splits, local_folders
from datadeed.datasets.sources.texts import TEXT_SOURCES
from datadeed.errors import DatasetError, ParameterError

__all__ = ["LOCAL", "SOURCES", "Request", "Source", "Splits", "local_folders", "open_splits"]


def open_splits(
    source: str,
    *,
    options: Mapping[str, Any],
    cache: Path,
    local: Sequence[Path] | None = None,
) -> Splits:
    """Find a dataset and open its splits; blocks are decoded as they are asked for.

    Args:
        source: a name in :data:`SOURCES`.
        options: ``path`` for every source, ``size`` for images; ``classes`` for
            ``imagenet-subset``; ``format``, ``train`` and ``test`` (the splits' names there), and
            what the format knows, for ``folder``.
        cache: the folder for downloads.
        local: folders to look in first; those of ``DATADEED_DATA`` by default.

    Returns:
        ``train`` and ``test``, each an iterator of dataset blocks that knows its ``rows``.

    Raises:
        ParameterError: the source or an option is unknown, or an option makes no sense.
        FetchError: no place had the dataset; the line names each and why.
        DatasetError: the data found cannot be used, or its splits do not fit each other.
    """
    if source not in SOURCES:
        raise ParameterError(f"there is no source {source!r}: name one of {', '.join(SOURCES)}")
    known = SOURCES[source].options
    if unknown := sorted(set(options) - known):
        raise ParameterError(
            f"source {source!r} has no option {unknown[0]!r}: it knows {', '.join(sorted(known))}"
        )
    size = options.get("size")
    if size is not None and (not isinstance(size, int) or not 0 < size <= 4096):
        raise ParameterError(f"option 'size' is {size!r}: give a whole number from 1 to 4096")
    places = local_folders() if local is None else local
    return _fitting(SOURCES[source].open(Request(options, cache, places)), source)


def _fitting(splits: Splits, source: str) -> Splits:
    """The same splits, with form and classes compared on each one's first block."""
    heads = {name: first_block(blocks, f"{source} ({name})") for name, blocks in splits.items()}
    train, test = heads["train"], heads["test"]
    if train.classes != test.classes:
        raise DatasetError(
            f"{source} has {len(train.classes)} classes for training but {len(test.classes)} for "
            "testing, or in another order: give both splits the same classes"
        )
    if train.form.modality == test.form.modality == "image" and train.shape != test.shape:
        raise DatasetError(
            f"{source} has training images of {train.shape} but test images of {test.shape}: give "
            "'size', or make them all grey or all colour"
        )
    if train.form != test.form:
        raise DatasetError(
            f"{source} has training samples of {train.form} but test samples of {test.form}: give "
            "both splits the same form"
        )
    return {
        name: Blocks(blocks.rows, itertools.chain([heads[name]], blocks))
        for name, blocks in splits.items()
    }


def _folder(request: Request) -> Splits:
    if not request.options.get("path"):
        raise ParameterError("source 'folder' needs option 'path': name the data's file or folder")
    ours = ("path", "train", "test")
    others = {name: value for name, value in request.options.items() if name not in ours}
    return {
        name: formats.chunks(
            request.options["path"], split=request.options.get(name, name), **others
        )
        for name in ("train", "test")
    }


SOURCES: dict[str, Source] = {
    **IMAGE_SOURCES,
    **TEXT_SOURCES,
    **CLIP_SOURCES,
    "folder": Source(_folder, COMMON | formats.known_options() | {"format", "train", "test"}),
}

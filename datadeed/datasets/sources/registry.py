"""Where the named datasets come from.

A source is a module of this package, called as the dataset with ``_`` for ``-``. It has
``OPTIONS``, the options that it knows, and ``open_source``, which gives the splits. Only the one
that is asked for is imported. An owner adds a dataset without one: ``source: folder`` reads any
local path in any format of :mod:`datadeed.datasets.formats`.
"""

import importlib
import itertools
import pkgutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datadeed.datasets import sources
from datadeed.datasets.download import local_folders
from datadeed.datasets.formats.blocks import Blocks, first_block
from datadeed.datasets.places import Request, Splits
from datadeed.errors import DatasetError, ParameterError


def names() -> list[str]:
    """The sources that there are."""
    found = (module.name for module in pkgutil.iter_modules(sources.__path__))
    return sorted(name.replace("_", "-") for name in found if name != "registry")


def open_splits(
    source: str,
    *,
    options: Mapping[str, Any],
    cache: Path,
    local: Sequence[Path] | None = None,
) -> Splits:
    """Find a dataset and open its splits; blocks are decoded as they are asked for.

    Args:
        source: one of :func:`names`.
        options: what the source knows, as its module says.
        cache: the folder for downloads.
        local: folders to look in first; those of ``DATADEED_DATA`` by default.

    Returns:
        ``train`` and ``test``, each an iterator of dataset blocks that knows its ``rows``.

    Raises:
        ParameterError: the source or an option is unknown, or an option makes no sense.
        FetchError: no place had the dataset; the line names each and why.
        DatasetError: the data found cannot be used, or its splits do not fit each other.
    """
    if source not in names():
        raise ParameterError(f"there is no source {source!r}: name one of {', '.join(names())}")
    module = importlib.import_module(f"{sources.__name__}.{source.replace('-', '_')}")
    if unknown := sorted(set(options) - module.OPTIONS):
        raise ParameterError(
            f"source {source!r} has no option {unknown[0]!r}: it knows "
            f"{', '.join(sorted(module.OPTIONS))}"
        )
    size = options.get("size")
    if size is not None and (not isinstance(size, int) or not 0 < size <= 4096):
        raise ParameterError(f"option 'size' is {size!r}: give a whole number from 1 to 4096")
    places = local_folders() if local is None else local
    return fitting(module.open_source(Request(options, cache, places)), source)


def fitting(splits: Splits, source: str) -> Splits:
    """The same splits, with form and classes compared on each one's first block.

    Raises:
        DatasetError: they differ.
    """
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

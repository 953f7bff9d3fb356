"""Fetch a dataset: ``python -m tasks.fetch DATASET``.

Reads ``datasets.DATASET`` of ``params.yaml`` and writes ``data/datasets/DATASET/train.parquet`` and
``test.parquet``. Downloads stay in ``data/downloads``.
"""

import argparse
import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from datadeed.datasets.form.dataset import Dataset, stratified_subset
from datadeed.datasets.form.parquet import DatasetFile, DatasetWriter
from datadeed.datasets.formats.blocks import Blocks, first_block
from datadeed.datasets.sources.registry import open_splits
from datadeed.errors import ParameterError
from datadeed.randomness import generator
from tasks.common import DATA, parameters, stage
from tasks.progress import Progress


def split_size(entry: dict[str, Any], split: str) -> int | None:
    """How many rows of a split to keep; None for all.

    Raises:
        ParameterError: it is no positive whole number.
    """
    size = entry.get(f"{split}_size")
    if size is None or (type(size) is int and size > 0):
        return size
    raise ParameterError(f"'{split}_size' is {size!r}: give a positive whole number, or null")


def store(blocks: Iterator[Dataset], path: Path, rows: int, text: str) -> None:
    """Write blocks to one file, atomically; one block at a time is in memory."""
    done, first = 0, first_block(blocks, text)
    with (
        contextlib.closing(Progress(rows, "images", text)) as progress,
        DatasetWriter(path, first.form, first.classes) as writer,
    ):
        for block in itertools.chain([first], blocks):
            writer.write(block)
            done += len(block)
            progress.update(done)


def chosen(file: DatasetFile, positions: torch.Tensor) -> Iterator[Dataset]:
    """The rows of a file at ascending positions, block by block."""
    start = 0
    for block in file.blocks():
        low, high = torch.searchsorted(positions, torch.tensor([start, start + len(block)]))
        if high > low:
            yield block.take(positions[low:high] - start)
        start += len(block)


def fetch_split(blocks: Blocks, path: Path, size: int | None, draw: torch.Generator) -> None:
    """Write one split, or a stratified subset of it drawn by ``draw``."""
    # Labels decide a subset, and come last from a stream: the whole split goes to disk first.
    whole = path if size is None else path.with_name(f".{path.stem}.all.parquet")
    try:
        store(blocks, whole, blocks.rows, f"fetch {path.stem}")
        if size is not None:
            file = DatasetFile(whole)
            rows = stratified_subset(file.labels(), size, draw)
            store(chosen(file, rows), path, size, f"choose {path.stem}")
    finally:
        if whole != path:
            whole.unlink(missing_ok=True)


@stage
def main() -> None:
    """Fetch the dataset that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", help="an entry of 'datasets' in params.yaml")
    name = parser.parse_args().dataset
    entry, seed = parameters("datasets", name), parameters("seed")
    if not isinstance(entry, dict) or "source" not in entry:
        raise ParameterError(f"params.yaml: datasets.{name} has no 'source': name one")
    ours = ("source", "train_size", "test_size")
    options = {key: value for key, value in entry.items() if key not in ours}
    sizes = {split: split_size(entry, split) for split in ("train", "test")}
    splits = open_splits(entry["source"], options=options, cache=DATA / "downloads")
    for split, blocks in splits.items():
        path = DATA / "datasets" / name / f"{split}.parquet"
        fetch_split(blocks, path, sizes[split], generator(seed, "fetch", name, split))


if __name__ == "__main__":
    main()

"""Applying a watermark to a whole dataset, in memory or from file to file."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.form.parquet import DatasetFile, DatasetWriter
from datadeed.watermarks.base import Watermark


@dataclass(frozen=True, eq=False)
class Marks:
    """Which rows were marked: a secret until the claim is made.

    Attributes:
        position: (M,) int64, ascending, row numbers in the released dataset.
        index: (M,) int64, the rows' stable indices.
        label: (M,) int64, labels before marking.
        released_label: (M,) int64, labels after it.
    """

    position: torch.Tensor
    index: torch.Tensor
    label: torch.Tensor
    released_label: torch.Tensor

    def __len__(self) -> int:
        return len(self.position)

    def table(self) -> pa.Table:
        """The marks as an Arrow table of four int64 columns."""
        return pa.table({name: getattr(self, name).numpy() for name in self.__dataclass_fields__})


def mark_dataset(
    watermark: Watermark, dataset: Dataset, generator: torch.Generator
) -> tuple[Dataset, Marks]:
    """Watermark a dataset in memory.

    Args:
        watermark: the method.
        dataset: benign data; not changed.
        generator: draws the rows to mark.

    Returns:
        The dataset to release, rows in the same order, and which of them carry a mark.

    Raises:
        WatermarkError: the watermark does not suit the dataset.
    """
    watermark.check(dataset.modality, dataset.classes)
    positions = watermark.select(dataset.labels, generator)
    ((released, marks),) = _mark_blocks(watermark, [dataset.copy()], positions)
    return released, marks


def mark_file(
    watermark: Watermark,
    source: DatasetFile,
    path: str | Path,
    generator: torch.Generator,
    on_rows: Callable[[int], None] = lambda rows: None,
) -> Marks:
    """Watermark a dataset from file to file, holding two row groups of it at a time.

    Args:
        watermark: the method.
        source: benign data on disk.
        path: the Parquet file to release; written atomically.
        generator: draws the rows to mark.
        on_rows: called with the number of rows done so far.

    Raises:
        WatermarkError: the watermark does not suit the dataset.
        DatasetError: the source is damaged.
    """
    watermark.check(source.modality, source.classes)
    positions = watermark.select(source.labels(), generator)
    done, parts = 0, []
    with DatasetWriter(path, source.form, source.classes) as writer, _one_thread():
        blocks = _read_ahead(source.blocks())
        for released, marks in _mark_blocks(watermark, blocks, positions):
            writer.write(released)
            parts.append(marks)
            done += len(released)
            on_rows(done)
    return Marks(
        *(torch.cat([getattr(m, name) for m in parts]) for name in Marks.__dataclass_fields__)
    )


def _read_ahead(blocks: Iterator[Dataset]) -> Iterator[Dataset]:
    """The same blocks, of which a thread reads one while the one before it is in use."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, blocks, None)
        while (block := coming.result()) is not None:
            coming = pool.submit(next, blocks, None)
            yield block


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Copies gain nothing from PyTorch's threads and, beside other work, wait long for them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _mark_blocks(
    watermark: Watermark, blocks: Iterable[Dataset], positions: torch.Tensor
) -> Iterator[tuple[Dataset, Marks]]:
    """Mark consecutive blocks in place; ``positions`` (ascending) count over all of them."""
    start = 0
    for block in blocks:
        low, high = torch.searchsorted(positions, torch.tensor([start, start + len(block)]))
        here = positions[int(low) : int(high)] - start
        index, labels = block.index[here], block.labels[here]
        if len(here):
            ranks = torch.arange(int(low), int(high))
            block.put(here, watermark.mark(block.take(here), ranks))
        yield block, Marks(here + start, index, labels, block.labels[here])
        start += len(block)

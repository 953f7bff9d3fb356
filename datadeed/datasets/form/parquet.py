"""The one on-disk form: Parquet with sample, label and a stable index.

An image or clip is stored as ``fixed_size_binary`` of its bytes, with the tensor's shape in the
schema's metadata, and becomes Arrow's fixed-shape tensor without a copy when read. (Parquet stores
Arrow's own fixed-shape tensor as a list of 32-bit integers: four times the bytes and a tenth of the
speed; docs/architecture.md has the measurement.)
"""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from datadeed.datasets.form.columns import column, rebuild
from datadeed.datasets.form.dataset import Dataset, Form, check_labels, concatenate
from datadeed.errors import DatasetError
from datadeed.files import atomic_path

_META = b"datadeed"
_CORRUPT = (pa.ArrowException, OSError, ValueError, KeyError)


def rows_per_group(shape: tuple[int, int, int]) -> int:
    """How many samples of (C, H, W) bytes make one row group of about 16 MiB."""
    return column(Form("image", shape)).rows


class DatasetWriter:
    """Write a dataset in blocks; nothing appears under ``path`` until all of it is written.

    Args:
        path: the Parquet file to make.
        form: what all samples have in common.
        classes: class names in label order.

    Use it as a context manager and call :meth:`write` with :class:`Dataset` blocks. If the block
    raises, an earlier file stays as it was.
    """

    def __init__(self, path: str | Path, form: Form, classes: tuple[str, ...]):
        self.path, self.form, self.classes = Path(path), form, classes
        self._column = column(form)
        meta = {"form": 1, "modality": form.modality, "shape": form.shape, "classes": classes}
        if form.rate is not None:
            meta["rate"] = form.rate
        self._schema = pa.schema(
            [
                pa.field(self._column.name, self._column.kind, nullable=False),
                pa.field("label", pa.int64(), nullable=False),
                pa.field("index", pa.int64(), nullable=False),
            ],
            metadata={_META: json.dumps(meta).encode()},
        )
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._temporary = self._stack.enter_context(atomic_path(self.path))
        self._writer = self._stack.enter_context(
            pq.ParquetWriter(
                self._temporary,
                self._schema,
                compression="lz4",
                use_dictionary=False,
                write_statistics=["label", "index"],
                write_page_checksum=True,
            )
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def write(self, block: Dataset) -> None:
        """Append a block of rows.

        Raises:
            DatasetError: the block's form or classes are not the file's.
        """
        if block.form != self.form or block.classes != self.classes:
            raise DatasetError(
                f"a block of shape {block.shape} with {len(block.classes)} classes cannot join "
                f"{self.path}, which holds {self.form.shape} and {len(self.classes)} classes"
            )
        size = self._column.rows
        for start in range(0, len(block), size):
            part = block.slice(start, start + size)
            samples = self._column.encode(part.samples)
            columns = [samples, *(_int64_array(x.numpy()) for x in (part.labels, part.index))]
            self._writer.write_batch(pa.record_batch(columns, schema=self._schema), size)


def write_dataset(dataset: Dataset, path: str | Path) -> None:
    """Write a whole dataset, atomically."""
    with DatasetWriter(path, dataset.form, dataset.classes) as writer:
        writer.write(dataset)


class DatasetFile:
    """A dataset on disk, read in row groups so that its size does not matter.

    Args:
        path: a file that :class:`DatasetWriter` wrote.

    Raises:
        DatasetError: there is no such file, it is damaged, or it is another kind of Parquet.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        if not self.path.is_file():
            raise DatasetError(f"{path} does not exist: fetch or import the dataset first")
        with self._readable():
            # Not memory-mapped: every page ever read would count as this process's memory.
            self._file = pq.ParquetFile(self.path, page_checksum_verification=True)
            meta = json.loads(self._file.schema_arrow.metadata[_META])
            self.form = Form(meta["modality"], tuple(meta["shape"]), meta.get("rate"))
            self.classes: tuple[str, ...] = tuple(meta["classes"])
            self._column = column(self.form)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample."""
        return self.form.shape

    @property
    def modality(self) -> str:
        """What a sample is."""
        return self.form.modality

    def __len__(self) -> int:
        return int(self._file.metadata.num_rows)

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except DatasetError:
            raise
        except (*_CORRUPT, TypeError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DatasetError(
                f"{self.path} is damaged or is not a dataset of this project ({reason[:120]}): "
                "delete it and fetch or import it again"
            ) from error

    def labels(self) -> torch.Tensor:
        """All labels, (N,) int64, checked against the classes; pixels stay on disk."""
        with self._readable():
            labels = torch.from_numpy(_numbers(self._file.read(["label"])["label"]))
        check_labels(labels, self.classes, str(self.path))
        return labels

    def blocks(self) -> Iterator[Dataset]:
        """The rows in order, one row group (about 16 MiB of pixels or sound) at a time."""
        for group in range(self._file.num_row_groups):
            with self._readable():
                table = self._file.read_row_group(group)
                samples = self._column.decode(table[self._column.name])
                labels = torch.from_numpy(_numbers(table["label"]))
                index = torch.from_numpy(_numbers(table["index"]))
            yield rebuild(self.form, samples, labels, index, self.classes)

    def take(self, positions: torch.Tensor) -> Dataset:
        """The rows at ``positions`` ((M,) int64, ascending); memory holds those and one group."""
        parts, start = [], 0
        for block in self.blocks():
            low, high = torch.searchsorted(positions, torch.tensor([start, start + len(block)]))
            if low < high:
                parts.append(block.take(positions[int(low) : int(high)] - start))
            start += len(block)
        return concatenate(parts)

    def read(self) -> Dataset:
        """The whole dataset in memory; of images the peak is one row group above its own size."""
        if self.modality != "image":
            return concatenate(list(self.blocks()))
        n, (channels, height, width) = len(self), self.shape
        samples = torch.empty((n, height, width, channels), dtype=torch.uint8)
        labels, index = torch.empty(n, dtype=torch.int64), torch.empty(n, dtype=torch.int64)
        at = 0
        for block in self.blocks():
            rows = slice(at, at + len(block))
            samples[rows] = block.samples.permute(0, 2, 3, 1)
            labels[rows], index[rows] = block.labels, block.index
            at += len(block)
        return Dataset(samples.permute(0, 3, 1, 2), labels, index, self.classes)


def _int64_array(values: np.ndarray) -> pa.Array:
    """An int64 array as Arrow's, without a copy. (``pa.array`` would import pandas: a second.)"""
    buffer = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(pa.int64(), len(values), [None, buffer])


def _numbers(column: pa.ChunkedArray) -> np.ndarray:
    """An int64 column as an array of our own. (Arrow's ``to_numpy`` would import pandas too.)"""
    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if array.type != pa.int64() or array.null_count:
        raise ValueError(f"a column of {array.type} with {array.null_count} nulls, not int64")
    if len(array) == 0:
        return np.empty(0, np.int64)
    return np.frombuffer(array.buffers()[1], np.int64, len(array), 8 * array.offset).copy()


def read_dataset(path: str | Path) -> Dataset:
    """Read a dataset that :func:`write_dataset` wrote, whole.

    Raises:
        DatasetError: the file is missing, damaged or of another kind.
    """
    return DatasetFile(path).read()

"""How samples of each modality are stored in a Parquet column.

An image or a clip is ``fixed_size_binary``, its bytes (H x W x C, or little-endian PCM) with the
shape in the schema's metadata; a text is a string.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from datadeed.datasets.form.clips import Clips
from datadeed.datasets.form.dataset import Dataset, Form
from datadeed.datasets.form.texts import Texts
from datadeed.errors import DatasetError

ROW_GROUP_BYTES = 16 * 2**20
TEXTS_A_GROUP = 8192


@dataclass(frozen=True)
class Column:
    """One modality's column.

    Attributes:
        name: the column's.
        kind: its Arrow type.
        rows: how many samples make one row group (about 16 MiB of pixels or PCM).
        encode: samples of a dataset to an array of ``kind``.
        decode: a column read back to samples.
    """

    name: str
    kind: pa.DataType
    rows: int
    encode: Callable[[Any], pa.Array]
    decode: Callable[[pa.ChunkedArray], Any]


def column(form: Form) -> Column:
    """The column for samples of a form.

    Raises:
        DatasetError: there is no such modality.
    """
    if form.modality == "text":
        return Column("text", pa.string(), TEXTS_A_GROUP, _strings, lambda x: x.to_pylist())
    if form.modality not in ("image", "audio"):
        raise DatasetError(f"samples of modality {form.modality!r} cannot be stored")
    size = int(np.prod(form.shape)) * (1 if form.modality == "image" else 2)
    kind, rows = pa.binary(size), max(1, ROW_GROUP_BYTES // size)
    if form.modality == "audio":
        return Column("audio", kind, rows, lambda x: _binary(_pcm(x), kind), _clips(form))
    return Column("image", kind, rows, lambda x: _binary(_hwc(x), kind), _images(form))


def rebuild(
    form: Form, samples: Any, labels: torch.Tensor, index: torch.Tensor, classes: tuple[str, ...]
) -> Dataset:
    """The dataset of a form with these columns."""
    if form.modality == "audio":
        assert form.rate is not None
        return Clips(samples, labels, index, classes, form.rate)
    return (Texts if form.modality == "text" else Dataset)(samples, labels, index, classes)


def _strings(texts: list[str]) -> pa.Array:
    return pa.array(texts, pa.string())


def _hwc(samples: torch.Tensor) -> np.ndarray:
    return samples.permute(0, 2, 3, 1).contiguous().numpy()


def _pcm(samples: torch.Tensor) -> np.ndarray:
    _check_byte_order()
    return samples.contiguous().numpy()


def _check_byte_order() -> None:
    if sys.byteorder != "little":
        raise DatasetError("clips are stored little-endian: this machine is not")


def _binary(values: np.ndarray, kind: pa.DataType) -> pa.Array:
    return pa.FixedSizeBinaryArray.from_buffers(kind, len(values), [None, pa.py_buffer(values)])


def _clips(form: Form) -> Callable[[pa.ChunkedArray], torch.Tensor]:
    def decode(stored: pa.ChunkedArray) -> torch.Tensor:
        _check_byte_order()
        return torch.from_numpy(_fixed(stored, pa.int16(), form.shape))

    return decode


def _images(form: Form) -> Callable[[pa.ChunkedArray], torch.Tensor]:
    channels, height, width = form.shape

    def decode(stored: pa.ChunkedArray) -> torch.Tensor:
        pixels = _fixed(stored, pa.uint8(), (height, width, channels))
        return torch.from_numpy(pixels).permute(0, 3, 1, 2)

    return decode


def _fixed(stored: pa.ChunkedArray, kind: pa.DataType, shape: tuple[int, ...]) -> np.ndarray:
    """A binary column as (N, *shape), through Arrow's fixed-shape tensor type."""
    array = stored.combine_chunks() if stored.num_chunks != 1 else stored.chunk(0)
    size, count = array.type.byte_width, int(np.prod(shape))
    values = pa.Array.from_buffers(
        kind, len(array) * count, [None, array.buffers()[1]], offset=array.offset * count
    )
    if count * kind.bit_width != size * 8:
        raise ValueError(f"samples of {size} bytes, not of {shape}")
    storage = pa.FixedSizeListArray.from_arrays(values, count)
    tensor = pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(kind, shape), storage)
    return np.array(tensor.to_numpy_ndarray())  # a copy of our own: Arrow's buffer is read-only

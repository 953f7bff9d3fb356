"""Hugging Face Parquet: an image column of ``struct<bytes, path>`` and a label column.

A dataset is one file, or a folder (or its ``data`` sub-folder) of shards named
``SPLIT-00000-of-00001.parquet``. Class names stand in the schema's ``huggingface`` metadata. Files
written here name each image by its index; elsewhere the index is the row's number in its split.
"""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from datadeed.datasets.form.dataset import Dataset, check_labels
from datadeed.datasets.formats.blocks import Blocks, choose_split, numbered, numbers_in, reason
from datadeed.datasets.formats.images import Item, encode_png, image_blocks, is_colour
from datadeed.errors import DatasetError
from datadeed.files import atomic_path

_IMAGE = ("image", "img")
_LABEL = ("label", "labels", "fine_label")
_GROUP = 1024  # images a row group: small enough to read one without noticing


class Listing(NamedTuple):
    """The rows of one split, without their images.

    Attributes:
        files: the shards, in order.
        image, label: the names of the two columns.
        labels: (N,) int64.
        classes: the class names, in label order.
        names: the images' file names; "" for one without.
    """

    files: list[Path]
    image: str
    label: str
    labels: np.ndarray
    classes: tuple[str, ...]
    names: list[str]


def matches(path: Path) -> bool:
    """Whether ``path`` is a Parquet file or a folder of them."""
    return bool(_files(path))


def chunks(path: Path, *, split: str | None = None, size: int | None = None) -> Blocks:
    """Stream the images of one split; if any is colour, all are read as RGB.

    Args:
        path: a Parquet file, or a folder of shards.
        split: the part of the shards' names before the first ``-``; not needed for one split.
        size: scale and crop to (size, size); without it all images must have one size.

    Raises:
        DatasetError: a file is damaged, lacks the columns, or holds labels or images that cannot
            be used.
    """
    found = listing(path, split=split)
    numbers = numbers_in(found.names)
    index = np.arange(len(found.labels)) if numbers is None else numbers
    colour = any(is_colour(name, source) for name, source in sources(found))
    items = (
        Item(name, source, int(found.labels[row]), int(index[row]))
        for row, (name, source) in enumerate(sources(found))
    )
    blocks = image_blocks(items, found.classes, channels=3 if colour else 1, size=size)
    return Blocks(len(found.labels), blocks)


def listing(path: Path, *, split: str | None = None) -> Listing:
    """The shards, labels and image names of one split; arguments and errors as :func:`chunks`."""
    everything = _files(path)
    files = everything if path.is_file() else _of_split(everything, split, path)
    image, label = _columns(files[0])
    labels = np.concatenate([_labels(file, label) for file in files])
    classes = class_names(files[0], label)
    if not classes:  # a class may be missing from one split, so all splits are counted
        classes = numbered(1 + max(int(_labels(file, label).max()) for file in everything))
    check_labels(torch.from_numpy(labels), classes, str(path))
    names = [name for file in files for name in _paths(file, image)]
    return Listing(files, image, label, labels, classes, names)


def write(dataset: Dataset, path: Path, *, split: str | None = None) -> None:
    """Write PNG images, atomically: to ``path`` if it ends in ``.parquet``, else to a shard in it.

    Raises:
        DatasetError: the folder holds other shards of this split, or images are neither grey nor
            RGB.
    """
    if path.suffix != ".parquet":
        folder, split = path, split or "train"
        path = folder / f"{split}-00000-of-00001.parquet"
        others = [file.name for file in _files(folder) if _split(file) == split and file != path]
        if others:
            raise DatasetError(f"{folder} holds {others[0]}, which is of this split: remove it")
    features = {
        "image": {"_type": "Image"},
        "label": {"names": list(dataset.classes), "_type": "ClassLabel"},
    }
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema(
        [("image", image), ("label", pa.int64())],
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )
    with (
        atomic_path(path) as temporary,
        pq.ParquetWriter(temporary, schema, write_page_checksum=True) as writer,
    ):
        for start in range(0, len(dataset), _GROUP):
            part = dataset.slice(start, start + _GROUP)
            pixels = np.ascontiguousarray(part.samples.permute(0, 2, 3, 1).numpy())
            data = pa.array([encode_png(one) for one in pixels], pa.binary())
            paths = pa.array([f"{number:08d}.png" for number in part.index.tolist()])
            column = pa.StructArray.from_arrays([data, paths], fields=list(image))
            writer.write_batch(
                pa.record_batch([column, pa.array(part.labels.numpy())], schema=schema)
            )


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.suffix == ".parquet" else []
    return sorted(path.glob("*.parquet")) or sorted(path.glob("data/*.parquet"))


def _split(file: Path) -> str:
    return file.stem.split("-")[0]


def _of_split(files: list[Path], split: str | None, where: Path) -> list[Path]:
    if not files:
        raise DatasetError(f"{where} holds no Parquet files: name another folder")
    chosen = choose_split(split, list(dict.fromkeys(map(_split, files))), where)
    return [file for file in files if _split(file) == chosen]


@contextlib.contextmanager
def reading(file: Path) -> Iterator[pq.ParquetFile]:
    """An open Parquet file; what is wrong with it becomes one line.

    Raises:
        DatasetError: it is damaged.
    """
    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as opened:
            yield opened
    except (pa.ArrowException, OSError, KeyError) as error:
        raise DatasetError(
            f"{file} is damaged or not Parquet ({reason(error)}): fetch it again"
        ) from error


def _columns(file: Path) -> tuple[str, str]:
    """The names of the image and the label column."""
    with reading(file) as opened:
        schema: pa.Schema = opened.schema_arrow
    image = next((name for name in _IMAGE if name in schema.names), None)
    label = next((name for name in _LABEL if name in schema.names), None)
    if image is None or label is None:
        found = ", ".join(schema.names)[:120]
        raise DatasetError(
            f"{file} has columns {found}: an image column ({' or '.join(_IMAGE)}) and a label "
            f"column ({', '.join(_LABEL)}) are needed"
        )
    kind = schema.field(image).type
    if not pa.types.is_struct(kind) or {"bytes", "path"} - {field.name for field in kind}:
        raise DatasetError(
            f"{file} has a column {image!r} of type {str(kind)[:60]}, not struct<bytes, path>: it "
            "is not a Hugging Face image dataset"
        )
    if not pa.types.is_integer(schema.field(label).type):
        raise DatasetError(f"{file} has a column {label!r} that is not of integers: encode it")
    return image, label


def class_names(file: Path, label: str) -> tuple[str, ...]:
    """The class names in the schema's metadata; none if it has none."""
    with reading(file) as opened:
        metadata = opened.schema_arrow.metadata or {}
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        names: Any = features[label]["names"]
        return tuple(map(str, names))
    except (ValueError, KeyError, TypeError):
        return ()


def _labels(file: Path, label: str) -> np.ndarray:
    with reading(file) as opened:
        column = opened.read([label])[label]
    if column.null_count or len(column) == 0:
        raise DatasetError(f"{file} has rows without a label, or none at all: label them")
    return column.to_numpy().astype(np.int64)


def _paths(file: Path, image: str) -> list[str]:
    with reading(file) as opened:
        column = opened.read([f"{image}.path"])[image].combine_chunks()
    return [name or "" for name in column.field("path").to_pylist()]


def sources(found: Listing) -> Iterator[tuple[str, bytes]]:
    """Each image's name for messages and its bytes, in order; a small batch is in memory."""
    image = found.image
    row = 0
    for file in found.files:
        with reading(file) as opened:
            for batch in opened.iter_batches(256, columns=[f"{image}.bytes"]):
                for data in batch.column(0).field("bytes").to_pylist():
                    name = f"{file} row {row}"
                    if not data:
                        raise DatasetError(
                            f"{name} has no image bytes: embed the files in the Parquet"
                        )
                    yield name, data
                    row += 1
        row = 0

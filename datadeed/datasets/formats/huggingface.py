"""Hugging Face Parquet of images: a column of ``struct<bytes, path>`` and a label column."""

from pathlib import Path

import pyarrow as pa

from datadeed.datasets.formats import images, parquet_files
from datadeed.datasets.formats.split import Columns, Split
from datadeed.errors import DatasetError

blocks = images.blocks
_IMAGE = ("image", "img")
_LABEL = ("label", "labels", "fine_label")


def matches(path: Path) -> bool:
    """Whether ``path`` is a Parquet file or a folder of them."""
    return bool(parquet_files.shards(path))


def open_split(path: Path, split: str | None = None) -> Split:
    """One split; arguments and errors as :func:`parquet_files.open_files`."""
    return parquet_files.open_files("image", path, split, _columns)


def _columns(file: Path) -> Columns:
    schema = parquet_files.schema_of(file)
    image = next((name for name in _IMAGE if name in schema.names), None)
    label = next((name for name in _LABEL if name in schema.names), None)
    if image is None or label is None:
        found = ", ".join(schema.names)[:120]
        raise DatasetError(
            f"{file} has columns {found}: an image column ({' or '.join(_IMAGE)}) and a label "
            f"column ({', '.join(_LABEL)}) are needed"
        )
    kind = schema.field(image).type
    if not parquet_files.holds_files(kind):
        raise DatasetError(
            f"{file} has a column {image!r} of type {str(kind)[:60]}, not struct<bytes, path>: it "
            "is not a Hugging Face image dataset"
        )
    if not pa.types.is_integer(schema.field(label).type):
        raise DatasetError(f"{file} has a column {label!r} that is not of integers: encode it")
    return Columns((image,), label)

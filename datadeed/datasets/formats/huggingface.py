"""Hugging Face Parquet of images: a column of files, and one of labels, numbers or names."""

from pathlib import Path

import pyarrow as pa

from datadeed.datasets.formats import images, parquet_files
from datadeed.datasets.formats.damaged import REFUSE
from datadeed.datasets.formats.split import Columns, Split
from datadeed.errors import DatasetError

blocks = images.blocks


def matches(path: Path) -> bool:
    """Whether ``path`` is a Parquet file or a folder of them."""
    return bool(parquet_files.shards(path))


def open_split(
    path: Path,
    split: str | None = None,
    *,
    image: str | None = None,
    label: str | None = None,
    damaged: str = REFUSE,
) -> Split:
    """One split; arguments and errors as :func:`parquet_files.open_files`.

    Args:
        path, split: as there.
        image: the column of image files, ``struct<bytes, path>`` or bytes; found by usual names
            (:data:`parquet_files.IMAGE`) if None.
        label: the column of integers, strings or booleans; found by usual names
            (:data:`parquet_files.LABEL`) if None.
        damaged: as there.
    """

    def chosen(file: Path) -> Columns:
        schema = parquet_files.schema_of(file)
        column = parquet_files.pick(schema, file, "image", image, parquet_files.IMAGE)
        _check_kind(schema.field(column).type, file, column)
        labels = parquet_files.pick(schema, file, "label", label, parquet_files.LABEL)
        return Columns((column,), labels)

    return parquet_files.open_files(
        "image", path, split, chosen, damaged=damaged, fault=images.fault
    )


def _check_kind(kind: pa.DataType, file: Path, column: str) -> None:
    if not (
        parquet_files.holds_files(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
    ):
        raise DatasetError(
            f"{file} has a column {column!r} of type {str(kind)[:60]}, not struct<bytes, path> or "
            "binary: name the column of image files as option 'image'"
        )

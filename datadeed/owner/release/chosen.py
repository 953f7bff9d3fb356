"""Some rows of a split as Hugging Face Parquet, in which samples and labels stay as they are.

An image becomes a PNG of its decoded pixels: if some of a split are colour, all are read so, and
grey ones among them must not be grey again where they stand alone. Sound keeps its WAV files, byte
for byte. The number of a row in its source is its file's name, and so its index.
"""

import io
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from datadeed.datasets.formats.text_columns import SEPARATOR
from datadeed.files import atomic_path
from datadeed.owner.release.clips import ClipItems
from datadeed.owner.release.rows import Items

_GROUP_BYTES = 2**24  # of samples, in memory and in a row group
_FILE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_FILES = {"image": "png", "audio": "wav"}  # suffixes, by the modality that is the column's name


def write_chosen(
    data: Items, rows: Collection[int], out: Path, reading: Mapping[str, Any] | None = None
) -> None:
    """Write some rows, in the order of the source; a file appears when all of it is written.

    The same rows give the same bytes.

    Args:
        data: images of any size, sound or texts.
        rows: their numbers.
        out: the file to make, which ends in ``.parquet``.
        reading: the options that ``data`` was read with; columns get the names that these give, so
            that the same options read both.
    """
    names = _columns(data.modality, reading or {})
    schema = _schema(data, names)
    with atomic_path(out) as path:
        # No statistics: those of a column of files would hold whole files.
        options: dict[str, Any] = {"use_dictionary": False, "write_statistics": False}
        with pq.ParquetWriter(path, schema, write_page_checksum=True, **options) as writer:
            for group in _groups(_records(data, set(rows), names)):
                writer.write_batch(pa.RecordBatch.from_pylist(group, schema=schema))


def _columns(modality: str, reading: Mapping[str, Any]) -> tuple[list[str], str]:
    """Names of the columns that hold a sample's parts, one but of a text, and of the label's."""
    sample = reading.get(modality) or modality
    return [sample] if isinstance(sample, str) else list(sample), reading.get("label") or "label"


def _schema(data: Items, names: tuple[list[str], str]) -> pa.Schema:
    """Columns, and what the metadata say of each."""
    features: dict[str, Any]
    columns, label = names
    if data.modality == "text":
        kinds = {name: pa.string() for name in columns}
        features = {name: {"dtype": "string", "_type": "Value"} for name in columns}
    else:
        kinds = {columns[0]: _FILE}
        features = {columns[0]: {"_type": data.modality.capitalize()}}
    features[label] = {"names": list(data.classes), "_type": "ClassLabel"}
    said = json.dumps({"info": {"features": features}})
    return pa.schema({**kinds, label: pa.int64()}, metadata={"huggingface": said})


def _records(
    data: Items, rows: Collection[int], names: tuple[list[str], str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Of each chosen row about how many bytes it takes, and its values by column."""
    columns, label = names
    if data.modality == "text":
        for item in data:
            if item.row in rows:
                parts = item.sample.split(SEPARATOR, len(columns) - 1)
                values = dict(zip(columns, parts, strict=True))
                yield len(item.sample), {**values, label: item.label}
        return
    for row, stored in _files(data, rows):
        file = {"bytes": stored, "path": f"{row:08d}.{_FILES[data.modality]}"}
        yield len(stored), {columns[0]: file, label: int(data.labels[row])}


def _files(data: Items, rows: Collection[int]) -> Iterator[tuple[int, bytes]]:
    """Each chosen row and its file."""
    if isinstance(data, ClipItems):
        for row, source in enumerate(data.stored()):
            if row in rows:
                yield row, source if isinstance(source, bytes) else source.read_bytes()
        return
    for item in data:
        if item.row in rows:
            yield item.row, _png(item.pixels)


def _png(pixels: np.ndarray) -> bytes:
    """(H, W, C) uint8 with C = 1 or 3 as the bytes of a PNG."""
    stream = io.BytesIO()
    grey = pixels.shape[2] == 1
    Image.fromarray(np.ascontiguousarray(pixels[:, :, 0] if grey else pixels)).save(stream, "PNG")
    return stream.getvalue()


def _groups(records: Iterator[tuple[int, dict[str, Any]]]) -> Iterator[list[dict[str, Any]]]:
    """Records in groups of about 16 MiB."""
    group: list[dict[str, Any]] = []
    size = 0
    for taken, record in records:
        group.append(record)
        size += taken
        if size >= _GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group

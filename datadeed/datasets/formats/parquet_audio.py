"""Hugging Face Parquet with sound: a column of ``struct<bytes, path>`` and a label column.

As :mod:`huggingface`, with WAV files in a column ``audio`` (or another one whose metadata say that
it is audio) in place of images.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from datadeed.datasets.form.dataset import Dataset, check_labels
from datadeed.datasets.formats import huggingface
from datadeed.datasets.formats.blocks import numbered, numbers_in
from datadeed.datasets.formats.clips import RATE, SECONDS, ClipBlocks, View
from datadeed.datasets.formats.huggingface import Listing
from datadeed.datasets.formats.images import Item
from datadeed.datasets.formats.wav import encode_wav
from datadeed.datasets.formats.wavfolder import only_clips
from datadeed.errors import DatasetError
from datadeed.files import atomic_path

_NAME = "audio"
_LABELS = ("label", "labels", "digit")
_GROUP = 1024
_BATCH_BYTES = 2**24


def matches(path: Path) -> bool:
    """Whether ``path`` is a Parquet file, or a folder of them, with a column of sound."""
    files = huggingface._files(path)
    try:
        return bool(files) and _audio_column(files[0]) is not None
    except DatasetError:
        return False  # damaged: the next format says so


def chunks(
    path: Path,
    *,
    split: str | None = None,
    rate: int = RATE,
    seconds: float = SECONDS,
    offset: float = 0.0,
) -> ClipBlocks:
    """Stream the clips of one split, all of one length: longer ones are cut, shorter end in zeros.

    Args:
        path: a Parquet file, or a folder of shards.
        split: the part of the shards' names before the first ``-``; not needed for one split.
        rate: of the clips, in Hz; channels are averaged.
        seconds: how long a clip is.
        offset: where it starts in its file, in seconds.

    Raises:
        ParameterError: an option makes no sense.
        DatasetError: a file is damaged, lacks the columns, or holds labels or sound that cannot be
            used.
    """
    view, found = View(rate, seconds, offset), listing(path, split=split)
    numbers = numbers_in(found.names)
    index = np.arange(len(found.labels)) if numbers is None else numbers
    items = (
        Item(name, source, int(found.labels[row]), int(index[row]))
        for row, (name, source) in enumerate(sources(found))
    )
    return ClipBlocks(len(found.labels), items, found.classes, view)


def listing(path: Path, *, split: str | None = None) -> Listing:
    """The shards, labels and file names of one split; arguments and errors as :func:`chunks`."""
    everything = huggingface._files(path)
    files = everything if path.is_file() else huggingface._of_split(everything, split, path)
    audio, label = _columns(files[0])
    labels = np.concatenate([huggingface._labels(file, label) for file in files])
    classes = huggingface.class_names(files[0], label)
    if not classes:  # a class may be missing from one split, so all splits are counted
        largest = max(int(huggingface._labels(file, label).max()) for file in everything)
        classes = numbered(1 + largest)
    check_labels(torch.from_numpy(labels), classes, str(path))
    names = [name for file in files for name in huggingface._paths(file, audio)]
    return Listing(files, audio, label, labels, classes, names)


def sources(found: Listing) -> Iterator[tuple[str, bytes]]:
    """Each WAV file's name for messages and its bytes, in order.

    About 16 MiB of them are in memory, and what Arrow reads at once: a page of the column, into
    which its writer puts a whole row group where files are large.
    """
    for file in found.files:
        row = 0
        with huggingface.reading(file) as opened:
            size = sum(group.total_byte_size for group in _groups(opened))
            rows = max(1, _BATCH_BYTES * opened.metadata.num_rows // max(1, size))
            for batch in opened.iter_batches(rows, columns=[f"{found.image}.bytes"]):
                for data in batch.column(0).field("bytes"):
                    name = f"{file} row {row}"
                    if not data.is_valid:
                        raise DatasetError(f"{name} has no sound: embed the files in the Parquet")
                    yield name, data.as_py()
                    row += 1


def _groups(opened: pq.ParquetFile) -> Iterator[Any]:
    metadata = opened.metadata
    return (metadata.row_group(number) for number in range(metadata.num_row_groups))


def _columns(file: Path) -> tuple[str, str]:
    """The names of the column of sound and of the label."""
    with huggingface.reading(file) as opened:
        names = opened.schema_arrow.names
    audio = _audio_column(file)
    label = next((name for name in _LABELS if name in names), None)
    if audio is None or label is None:
        raise DatasetError(
            f"{file} has columns {', '.join(names)[:120]}: a column of sound ({_NAME}, of "
            f"struct<bytes, path>) and a label column ({', '.join(_LABELS)}) are needed"
        )
    return audio, label


def _audio_column(file: Path) -> str | None:
    """The first column of files that is called audio, or that the metadata call so."""
    with huggingface.reading(file) as opened:
        schema: pa.Schema = opened.schema_arrow
    try:
        metadata = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features: dict[str, Any] = metadata["info"]["features"]
        declared = {name for name, kind in features.items() if kind.get("_type") == "Audio"}
    except (ValueError, KeyError, TypeError, AttributeError):
        declared = set()
    for field in schema:
        files = pa.types.is_struct(field.type) and {"bytes", "path"} <= {f.name for f in field.type}
        if files and (field.name == _NAME or field.name in declared):
            return str(field.name)
    return None


def write(dataset: Dataset, path: Path, *, split: str | None = None) -> None:
    """Write WAV files, atomically: to ``path`` if it ends in ``.parquet``, else to a shard in it.

    Raises:
        DatasetError: these are no clips, or the folder holds other shards of this split.
    """
    clips = only_clips(dataset)
    features = {
        _NAME: {"_type": "Audio", "sampling_rate": clips.rate},
        "label": {"names": list(clips.classes), "_type": "ClassLabel"},
    }
    audio = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema(
        [(_NAME, audio), ("label", pa.int64())],
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )
    with (
        atomic_path(_shard(path, split)) as temporary,
        pq.ParquetWriter(temporary, schema, write_page_checksum=True) as writer,
    ):
        for start in range(0, len(clips), _GROUP):
            part = clips.slice(start, start + _GROUP)
            data = [encode_wav(samples, clips.rate) for samples in part.samples.numpy()]
            paths = [f"{number:08d}.wav" for number in part.index.tolist()]
            column = pa.StructArray.from_arrays(
                [pa.array(data, pa.binary()), pa.array(paths)], fields=list(audio)
            )
            writer.write_batch(
                pa.record_batch([column, pa.array(part.labels.numpy())], schema=schema)
            )


def _shard(path: Path, split: str | None) -> Path:
    """The file to write.

    Raises:
        DatasetError: the folder holds other shards of this split.
    """
    if path.suffix == ".parquet":
        return path
    split = split or "train"
    shard = path / f"{split}-00000-of-00001.parquet"
    for other in huggingface._files(path):
        if huggingface._split(other) == split and other != shard:
            raise DatasetError(f"{path} holds {other.name}, which is of this split: remove it")
    return shard

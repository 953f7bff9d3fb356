"""Hugging Face Parquet: the shards of the edited split, written again as they were."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from datadeed.datasets.formats import parquet_files
from datadeed.datasets.formats.split import Split
from datadeed.owner.release.clips import Rerecording
from datadeed.owner.release.edits import Job
from datadeed.owner.release.redrawing import Redrawing, edited_files

_SLICE = 1024  # rows, and bytes, of a part of a column: Arrow's plain binary arrays hold 2 GiB
_PART_BYTES = 2**28


def write(job: Job) -> None:
    """Write all shards of one split, those without an edit too, so that none stands out.

    Kept: schema and metadata, row groups, and each column's codec, dictionary and statistics. The
    writer's name in the footer becomes that of this library's Arrow. One row group is in memory.
    A column that is a function of the label (a class name, a coarse label) follows it.
    """
    found, edits = job.reopen(), job.edits
    drawn = edited_files(job, found)
    names = job.rename(found.names)
    assert found.columns is not None
    (column,) = found.columns.sample
    columns = _columns(found, found.columns.label, edits.moved) if edits.moved else {}

    def changed(table: pa.Table, rows: range) -> dict[str, Any]:
        new = {column: _files(table[column], rows, drawn, names)}
        for name, values in columns.items():
            new[name] = _replaced(table[name].to_pylist(), rows, values)
        return new

    rewrite(job, found.files, changed)


def rewrite(
    job: Job, files: Sequence[Path], changed: Callable[[pa.Table, range], Mapping[str, Any]]
) -> None:
    """Write shards again, one row group at a time.

    Args:
        job: what is released.
        files: the shards.
        changed: of a row group and its rows' numbers, new columns by name.
    """
    first = 0
    for file in files:
        schema, options = _form_of(file)
        with pq.ParquetWriter(job.place(file), schema, **options) as writer:
            for group in row_groups(file):
                table = group
                for name, values in changed(group, range(first, first + len(group))).items():
                    at = schema.get_field_index(name)
                    array = (
                        pa.array(values, schema.field(at).type)
                        if isinstance(values, list)
                        else values
                    )
                    table = table.set_column(at, table.schema.field(at), array)
                writer.write_table(table, row_group_size=max(1, len(group)))
                first += len(group)
        shutil.copystat(file, job.place(file))


def row_groups(file: Path) -> Iterator[pa.Table]:
    with parquet_files.reading(file) as opened:
        for group in range(opened.num_row_groups):
            yield opened.read_row_group(group)


def _form_of(file: Path) -> tuple[pa.Schema, dict[str, Any]]:
    """The schema, and the writer's settings that give the same kind of file."""
    with parquet_files.reading(file) as opened:
        schema, metadata = opened.schema_arrow, opened.metadata
    group = metadata.row_group(0)
    columns = [group.column(number) for number in range(group.num_columns)]
    codecs = {one.path_in_schema: one.compression for one in columns}
    return schema, {
        "compression": {
            path: "NONE" if codec == "UNCOMPRESSED" else codec for path, codec in codecs.items()
        },
        "use_dictionary": [one.path_in_schema for one in columns if one.has_dictionary_page],
        "write_statistics": [one.path_in_schema for one in columns if one.is_stats_set],
        "write_page_index": any(one.has_offset_index for one in columns),
        "store_schema": b"ARROW:schema" in (metadata.metadata or {}),
        "version": metadata.format_version,
        "sorting_columns": list(group.sorting_columns) or None,
        "write_page_checksum": True,
    }


def _files(
    column: pa.ChunkedArray, rows: range, drawn: Redrawing | Rerecording, names: dict[int, str]
) -> pa.ChunkedArray:
    """A column of files with the new ones and their names, built in parts."""
    step = min(_SLICE, max(1, _PART_BYTES * len(rows) // max(1, column.nbytes)))
    chunks = []
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        struct = column.slice(start, step).combine_chunks()
        stored = zip(part, struct.field("bytes"), strict=True)
        stream = ((row, f"row {row}", data.as_py()) for row, data in stored)
        values = {
            "bytes": [data for _, data in drawn.finished(stream)],
            "path": _replaced(struct.field("path").to_pylist(), part, names),
        }
        fields = list(column.type)
        arrays = [
            pa.array(values[field.name], field.type) if field.name in values else child
            for field, child in zip(fields, struct.flatten(), strict=True)
        ]
        chunks.append(pa.StructArray.from_arrays(arrays, fields=fields))
    return pa.chunked_array(chunks, column.type)


def _replaced(values: list[Any], rows: range, new: dict[int, Any]) -> list[Any]:
    return [new.get(row, value) for row, value in zip(rows, values, strict=True)]


def _columns(found: Split, label: str, moved: dict[int, int]) -> dict[str, dict[int, Any]]:
    """By column: new values by row, for the label and the columns that it decides."""
    result: dict[str, dict[int, Any]] = {label: dict(moved)}
    if len(set(found.labels.tolist())) == len(found.labels):
        return result  # one row a class: any column would do
    for field in parquet_files.schema_of(found.files[0]):
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        plain = (pa.types.is_integer, pa.types.is_string, pa.types.is_large_string)
        if field.name != label and any(test(kind) for test in plain):
            value_of = _value_of(found, field.name)
            if value_of is not None:
                follows = {row: value_of[to] for row, to in moved.items() if to in value_of}
                result[field.name] = follows
    return result


def _value_of(found: Split, name: str) -> dict[int, Any] | None:
    """The column's value of each label; None if a label has two."""
    value_of: dict[int, Any] = {}
    labels = iter(found.labels.tolist())
    for file in found.files:
        with parquet_files.reading(file) as opened:
            for batch in opened.iter_batches(columns=[name]):
                for value in batch.column(0).to_pylist():
                    label = next(labels)
                    if value_of.setdefault(label, value) != value:
                        return None
    return value_of

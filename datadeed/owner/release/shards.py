"""Hugging Face Parquet: the shards of the edited split, written again as they were."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from datadeed.datasets.formats import huggingface
from datadeed.datasets.formats.huggingface import Listing
from datadeed.owner.release.edits import Job
from datadeed.owner.release.names import new_names
from datadeed.owner.release.redrawing import Redrawing

_SLICE = 1024  # Arrow's plain binary arrays hold 2 GiB


def changed_files(source: Path, split: str | None) -> list[Path]:
    """The files that :func:`write` makes."""
    return huggingface.listing(source, split=split).files


def write(job: Job, redrawing: Redrawing) -> None:
    """Write all shards of one split, those without an edit too, so that none stands out.

    Kept: schema and metadata, row groups, and each column's codec, dictionary and statistics. The
    writer's name in the footer becomes that of this library's Arrow. One row group is in memory.
    A column that is a function of the label (a class name, a coarse label) follows it.
    """
    found, edits = huggingface.listing(job.source, split=job.split), job.edits
    for row, (name, data) in enumerate(huggingface.sources(found)):
        if row in redrawing.to_read:
            redrawing.draw(row, name, data)
    renamed = new_names(found.names, found.labels, edits.moved, job.generator)
    edits.renamed = len(renamed)
    edits.old_names = {found.names[row] for row in edits.moved}
    names = {row: new.name for row, new in renamed.items()}
    columns = _columns(found, edits.moved) if edits.moved else {}
    first = 0
    for file in found.files:
        schema, options = form_of(file)
        with pq.ParquetWriter(job.place(file), schema, **options) as writer:
            for table in row_groups(file):
                rows = range(first, first + len(table))
                new = with_column(
                    table, found.image, _images(table[found.image], rows, redrawing, names)
                )
                for name, values in columns.items():
                    old = table[name]
                    replaced = pa.array(_replaced(old.to_pylist(), rows, values), old.type)
                    new = with_column(new, name, replaced)
                writer.write_table(new, row_group_size=max(1, len(table)))
                first += len(table)
        shutil.copystat(file, job.place(file))


def row_groups(file: Path) -> Iterator[pa.Table]:
    with huggingface.reading(file) as opened:
        for group in range(opened.num_row_groups):
            yield opened.read_row_group(group)


def form_of(file: Path) -> tuple[pa.Schema, dict[str, Any]]:
    """The schema, and the writer's settings that give the same kind of file."""
    with huggingface.reading(file) as opened:
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


def _images(
    column: pa.ChunkedArray, rows: range, redrawing: Redrawing, names: dict[int, str]
) -> pa.ChunkedArray:
    """The image column of some rows with their new files and names."""
    chunks = []
    for start in range(0, len(rows), _SLICE):
        part = rows[start : start + _SLICE]
        struct = column.slice(start, _SLICE).combine_chunks()
        stream = _files(struct.field("bytes"), part)
        values = {
            "bytes": [data for _, data in redrawing.finished(stream)],
            "path": _replaced(struct.field("path").to_pylist(), part, names),
        }
        fields = list(column.type)
        arrays = [
            pa.array(values[field.name], field.type) if field.name in values else child
            for field, child in zip(fields, struct.flatten(), strict=True)
        ]
        chunks.append(pa.StructArray.from_arrays(arrays, fields=fields))
    return pa.chunked_array(chunks, column.type)


def _files(column: pa.Array, rows: range) -> Iterator[tuple[int, str, bytes]]:
    for row, data in zip(rows, column, strict=True):
        yield row, f"row {row}", data.as_py()


def _replaced(values: list[Any], rows: range, new: dict[int, Any]) -> list[Any]:
    return [new.get(row, value) for row, value in zip(rows, values, strict=True)]


def with_column(table: pa.Table, name: str, column: pa.Array | pa.ChunkedArray) -> pa.Table:
    position = table.schema.get_field_index(name)
    return table.set_column(position, table.schema.field(position), column)


def _columns(found: Listing, moved: dict[int, int]) -> dict[str, dict[int, Any]]:
    """By column: new values by row, for the label and the columns that it decides."""
    result: dict[str, dict[int, Any]] = {found.label: dict(moved)}
    if len(set(found.labels.tolist())) == len(found.labels):
        return result  # one row a class: any column would do
    with huggingface.reading(found.files[0]) as opened:
        schema: pa.Schema = opened.schema_arrow
    for field in schema:
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        plain = (pa.types.is_integer, pa.types.is_string, pa.types.is_large_string)
        if field.name != found.label and any(test(kind) for test in plain):
            value_of = _value_of(found, field.name)
            if value_of is not None:
                follows = {row: value_of[to] for row, to in moved.items() if to in value_of}
                result[field.name] = follows
    return result


def _value_of(found: Listing, name: str) -> dict[int, Any] | None:
    """The column's value of each label; None if a label has two."""
    value_of: dict[int, Any] = {}
    labels = iter(found.labels.tolist())
    for file in found.files:
        with huggingface.reading(file) as opened:
            for batch in opened.iter_batches(columns=[name]):
                for value in batch.column(0).to_pylist():
                    label = next(labels)
                    if value_of.setdefault(label, value) != value:
                        return None
    return value_of

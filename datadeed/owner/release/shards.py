"""Hugging Face Parquet: the shards of the edited split, written again as they were."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from datadeed.datasets.formats import parquet_files
from datadeed.datasets.formats.split import Split
from datadeed.errors import DatasetError
from datadeed.owner.release.clips import Rerecording
from datadeed.owner.release.edits import Job
from datadeed.owner.release.redrawing import Redrawing, edited_files

_SLICE = 1024  # rows, and bytes, of a part of a column: Arrow's plain binary arrays hold 2 GiB
_PART_BYTES = 2**28


def write(job: Job) -> None:
    """Write all shards of one split, those without an edit too, so that none stands out.

    Kept: schema and metadata, row groups, and each column's codec, dictionary and statistics. The
    writer's name in the footer becomes that of this library's Arrow. One row group is in memory.
    A column that is a function of the label (a class name, a coarse label) follows it. Where rows
    change places (:meth:`Job.order`), those that do are in memory, too.
    """
    found, edits = job.reopen(), job.edits
    drawn = edited_files(job, found)
    names = job.rename(found.names)
    assert found.columns is not None
    (column,) = found.columns.sample
    columns = _columns(found, found.columns.label, edits.moved) if edits.moved else {}
    row_at, order = _row_at(found), job.order()
    if order is not None and found.places is not None:  # damaged rows keep their places
        order, moving = np.arange(len(row_at)), order
        order[found.places] = found.places[moving]

    def changed(table: pa.Table, places: Sequence[int]) -> dict[str, Any]:
        rows = row_at[places].tolist()
        new = {column: _files(table[column], rows, drawn, names)}
        for name, values in columns.items():
            new[name] = _replaced(table[name].to_pylist(), rows, values)
        return new

    rewrite(job, found.files, changed, order=order)


def _row_at(found: Split) -> np.ndarray:
    """(P,) int64, the split's row at each place of its shards; -1 for one that is damaged."""
    if found.places is None:
        return np.arange(len(found))
    count = sum(parquet_files.rows_of(file) for file in found.files)
    row_at = np.full(count, -1)
    row_at[found.places] = np.arange(len(found))
    return row_at


def rewrite(
    job: Job,
    files: Sequence[Path],
    changed: Callable[[pa.Table, Any], Mapping[str, Any]],
    *,
    order: np.ndarray | None = None,
) -> None:
    """Write shards again, one row group at a time.

    Args:
        job: what is released.
        files: the shards.
        changed: of a row group and its rows' numbers, a range without an order, new columns by
            name.
        order: (N,) int64, the row that stands at each place.
    """
    first = 0
    moving = None if order is None else _Moving(files, order)
    for file in files:
        schema, options = _form_of(file)
        with pq.ParquetWriter(job.place(file), schema, **options) as writer:
            for stored in row_groups(file):
                rows: Sequence[int] = range(first, first + len(stored))
                table = stored
                if order is not None and moving is not None:
                    table, rows = moving.placed(stored, first), order[rows].tolist()
                for name, values in changed(table, rows).items():
                    at = schema.get_field_index(name)
                    array = (
                        pa.array(values, schema.field(at).type)
                        if isinstance(values, list)
                        else values
                    )
                    table = table.set_column(at, table.schema.field(at), array)
                writer.write_table(table, row_group_size=max(1, len(stored)))
                first += len(stored)
        shutil.copystat(file, job.place(file))


class _Moving:
    """The rows that change places.

    Args:
        files: the shards.
        order: (N,) int64, the row that stands at each place.
    """

    def __init__(self, files: Sequence[Path], order: np.ndarray):
        self._order, first, parts = order, 0, []
        moves = order != np.arange(len(order))
        for group in (group for file in files for group in row_groups(file)):
            here = np.flatnonzero(moves[first : first + len(group)])
            parts.append(group.take(pa.array(here)))
            first += len(group)
        self._table = pa.concat_tables(parts)
        self._at = np.cumsum(moves) - 1  # of a row that moves, in the table

    def placed(self, group: pa.Table, first: int) -> pa.Table:
        """The rows that stand at a group's places in the end; ``first`` is its first place."""
        places = np.arange(first, first + len(group))
        rows = self._order[places]
        at = np.where(rows == places, places - first, len(group) + self._at[rows])
        return pa.concat_tables([group, self._table]).take(pa.array(at))


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
    column: pa.ChunkedArray,
    rows: Sequence[int],
    drawn: Redrawing | Rerecording,
    names: dict[int, str],
) -> pa.ChunkedArray:
    """A column of files, or of their bytes, with the new ones and their names, built in parts.

    Those of row -1 stay.
    """
    step = min(_SLICE, max(1, _PART_BYTES * len(rows) // max(1, column.nbytes)))
    chunks = []
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        struct = column.slice(start, step).combine_chunks()
        nested = pa.types.is_struct(struct.type)
        stored = (struct.field("bytes") if nested else struct).to_pylist()
        stream = (
            (row, f"row {row}", one) for row, one in zip(part, stored, strict=True) if row >= 0
        )
        done = dict(drawn.finished(stream))
        data = [done.get(row, one) for row, one in zip(part, stored, strict=True)]
        if not nested:
            chunks.append(pa.array(data, column.type))
            continue
        values = {
            "bytes": data,
            "path": _replaced(struct.field("path").to_pylist(), part, names),
        }
        fields = list(column.type)
        arrays = [
            pa.array(values[field.name], field.type) if field.name in values else child
            for field, child in zip(fields, struct.flatten(), strict=True)
        ]
        chunks.append(pa.StructArray.from_arrays(arrays, fields=fields))
    return pa.chunked_array(chunks, column.type)


def _replaced(values: list[Any], rows: Sequence[int], new: dict[int, Any]) -> list[Any]:
    return [new.get(row, value) for row, value in zip(rows, values, strict=True)]


def _columns(found: Split, label: str, moved: dict[int, int]) -> dict[str, dict[int, Any]]:
    """By column: new values by row, for the label and the columns that it decides.

    Raises:
        DatasetError: a label is a name that no row has.
    """
    schema = parquet_files.schema_of(found.files[0])
    result: dict[str, dict[int, Any]] = {label: dict(moved)}
    if not pa.types.is_integer(schema.field(label).type):
        names = _value_of(found, label) or {}
        if missing := [to for to in moved.values() if to not in names]:
            raise DatasetError(
                f"a label is to become {found.classes[missing[0]]!r}, of which no row shows how it "
                "is written: choose another class"
            )
        result[label] = {row: names[to] for row, to in moved.items()}
    if len(set(found.labels.tolist())) == len(found.labels):
        return result  # one row a class: any column would do
    for field in schema:
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
    rows, labels = iter(_row_at(found).tolist()), found.labels.tolist()
    for file in found.files:
        with parquet_files.reading(file) as opened:
            for batch in opened.iter_batches(columns=[name]):
                for value in batch.column(0).to_pylist():
                    row = next(rows)
                    if row >= 0 and value_of.setdefault(labels[row], value) != value:
                        return None
    return value_of

"""Parquet of texts: a split's shards, written again with other values in the edited rows."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from datadeed.datasets.formats import text_parquet
from datadeed.datasets.formats.text_columns import fields_of
from datadeed.datasets.formats.text_files import files_of_split
from datadeed.datasets.formats.text_parquet import Listing
from datadeed.errors import DatasetError
from datadeed.owner.release.edits import Job
from datadeed.owner.release.following import followers
from datadeed.owner.release.shards import form_of, row_groups, with_column
from datadeed.owner.release.text_records import ask


def changed_files(source: Path, split: str | None, **_: Any) -> list[Path]:
    """The files that :func:`write` makes."""
    return files_of_split(source, split, text_parquet.SUFFIXES)[0]


def write(job: Job) -> None:
    """Write all shards of one split, those without an edit too, so that none stands out.

    Kept is what :func:`shards.write` keeps. One row group is in memory.

    Raises:
        DatasetError: an edited text cannot be told apart into its columns; the line names the row.
    """
    found = text_parquet.listing(job.source, job.split, **job.options)
    new = ask(job.edits, text_parquet.texts(found))
    texts = {int(found.rows[row]): text for row, text in new.items()}
    moved = {int(found.rows[row]): label for row, label in job.edits.moved.items()}
    follow = followers(_cells(found), found.label) if moved else {}
    first = 0
    for file in found.files:
        schema, options = form_of(file)
        with pq.ParquetWriter(job.place(file), schema, **options) as writer:
            for table in row_groups(file):
                rows = range(first, first + len(table))
                changed = _texts(found, table, rows, texts)
                changed |= _labels(found, table, rows, moved, follow)
                for name, values in changed.items():
                    array = pa.array(values, table.schema.field(name).type)
                    table = with_column(table, name, array)  # noqa: PLW2901
                writer.write_table(table, row_group_size=max(1, len(table)))
                first += len(table)
        shutil.copystat(file, job.place(file))


def _texts(
    found: Listing, table: pa.Table, rows: range, texts: Mapping[int, str]
) -> dict[str, list[Any]]:
    """The text columns of some rows, of those that change."""
    here = [row for row in rows if row in texts]
    if not here:
        return {}
    columns = {name: table[name].to_pylist() for name in found.columns.text}
    changed = set()
    for row in here:
        at = row - rows.start
        old = [values[at] or "" for values in columns.values()]
        new = fields_of(texts[row], old, f"row {row}")
        for name, before, after in zip(columns, old, new, strict=True):
            if before != after:
                columns[name][at] = after
                changed.add(name)
    return {name: columns[name] for name in changed}


def _labels(
    found: Listing,
    table: pa.Table,
    rows: range,
    moved: Mapping[int, int],
    follow: Mapping[str, Mapping[int, Any]],
) -> dict[str, list[Any]]:
    """The label column of some rows, and those that it decides, if a label changes."""
    here = {row - rows.start: moved[row] for row in rows if row in moved}
    columns = {name: table[name].to_pylist() for name in follow if here}
    for at, label in here.items():
        if label not in follow[found.label]:
            raise DatasetError(
                f"row {rows.start + at} is to become {found.classes[label]!r}, of which no row "
                "shows how it is written: choose another class"
            )
        for name, values in columns.items():
            values[at] = follow[name].get(label, values[at])
    return columns


def _cells(found: Listing) -> Iterator[tuple[int, dict[str, Any]]]:
    """Of each row its label, and the values of its columns but the text's."""
    labels = dict(zip(found.rows.tolist(), found.labels.tolist(), strict=True))
    number = 0
    for file in found.files:
        for table in row_groups(file):
            for cells in table.drop_columns(list(found.columns.text)).to_pylist():
                if number in labels:
                    yield labels[number], cells
                number += 1

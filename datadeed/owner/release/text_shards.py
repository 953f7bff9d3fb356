"""Parquet of texts: a split's shards, written again with other values in the edited rows."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from datadeed.datasets.formats.split import Split
from datadeed.datasets.formats.text_columns import fields_of
from datadeed.errors import DatasetError
from datadeed.owner.release.edits import Job
from datadeed.owner.release.following import followers
from datadeed.owner.release.shards import rewrite, row_groups
from datadeed.owner.release.text_records import ask

_Follow = Mapping[str, Mapping[int, Any]]


def write(job: Job) -> None:
    """Write all shards of one split, those without an edit too, so that none stands out.

    Kept is what :func:`shards.write` keeps. One row group is in memory.

    Raises:
        DatasetError: an edited text cannot be told apart into its columns; the line names the row.
    """
    found = job.reopen()
    assert found.columns is not None
    text, label = found.columns
    new = ask(job.edits, found)
    texts = {int(found.index[row]): text for row, text in new.items()}
    moved = {int(found.index[row]): label for row, label in job.edits.moved.items()}
    follow = followers(_cells(found, text), label) if moved else {}

    def changed(table: pa.Table, rows: range) -> dict[str, list[Any]]:
        return _texts(text, table, rows, texts) | _labels(found, table, rows, moved, follow)

    rewrite(job, found.files, changed)


def _texts(
    text: Sequence[str], table: pa.Table, rows: range, texts: Mapping[int, str]
) -> dict[str, list[Any]]:
    """The text columns of some rows, of those that change."""
    here = [row for row in rows if row in texts]
    if not here:
        return {}
    columns = {name: table[name].to_pylist() for name in text}
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
    found: Split, table: pa.Table, rows: range, moved: Mapping[int, int], follow: _Follow
) -> dict[str, list[Any]]:
    """The label column of some rows, and those that it decides, if a label changes."""
    assert found.columns is not None
    here = {row - rows.start: moved[row] for row in rows if row in moved}
    columns = {name: table[name].to_pylist() for name in follow if here}
    for at, label in here.items():
        if label not in follow[found.columns.label]:
            raise DatasetError(
                f"row {rows.start + at} is to become {found.classes[label]!r}, of which no row "
                "shows how it is written: choose another class"
            )
        for name, values in columns.items():
            values[at] = follow[name].get(label, values[at])
    return columns


def _cells(found: Split, text: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Of each row its label, and the values of its columns but the text's."""
    labels = dict(zip(found.index.tolist(), found.labels.tolist(), strict=True))
    number = 0
    for file in found.files:
        for table in row_groups(file):
            for cells in table.drop_columns(list(text)).to_pylist():
                if number in labels:
                    yield labels[number], cells
                number += 1

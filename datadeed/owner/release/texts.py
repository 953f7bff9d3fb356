"""Tables of texts: only the characters of edited fields change.

Delimiters, quotes, line ends, byte-order mark, encoding, the order of keys, white space and escapes
stay. Of CSV and JSON Lines every other byte is the source's; of Parquet, what Arrow's writer lets
choose. An edited text is written as the file writes its others; what cannot be hidden is counted in
``Release.odd_rows``: quotes around a text in a CSV that has none around texts.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from datadeed.datasets.formats import csv_table, jsonl, text_parquet, text_table
from datadeed.owner.release import text_shards
from datadeed.owner.release.rows import Items
from datadeed.owner.release.styles import CsvStyle, JsonStyle
from datadeed.owner.release.text_records import RecordWriter


def _opener(format: str, module: Any) -> Callable[..., Items]:
    """The function that opens a format's splits."""

    def opened(
        source: Path,
        split: str | None,
        *,
        text: str | Sequence[str] | None = None,
        label: str | None = None,
        encoding: str | None = None,
        drop_empty: bool = False,
    ) -> Items:
        options = {"text": text, "label": label, "drop_empty": drop_empty}
        found = module.listing(source, split, encoding=encoding, **options)
        return Items(
            format,
            found.classes,
            found.labels,
            0,
            lambda: text_table.texts(found),
            modality="text",
        )

    return opened


def _open_parquet(
    source: Path,
    split: str | None,
    *,
    text: str | Sequence[str] | None = None,
    label: str | None = None,
    drop_empty: bool = False,
) -> Items:
    found = text_parquet.listing(source, split, text=text, label=label, drop_empty=drop_empty)
    return Items(
        "text_parquet",
        found.classes,
        found.labels,
        0,
        lambda: text_parquet.texts(found),
        modality="text",
    )


TEXT_WRITERS: dict[str, Any] = {
    "csv": RecordWriter(csv_table, CsvStyle),
    "jsonl": RecordWriter(jsonl, JsonStyle),
    "text_parquet": text_shards,
}
TEXT_OPENERS: dict[str, Callable[..., Items]] = {
    "csv": _opener("csv", csv_table),
    "jsonl": _opener("jsonl", jsonl),
    "text_parquet": _open_parquet,
}

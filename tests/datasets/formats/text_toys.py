"""Toy tables of texts for the tests of formats and releases."""

import csv
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

# Texts with all that formats must hold: quotes, delimiters, line breaks, escapes, other scripts.
TEXTS = [
    'a "b" c',
    "x, y; z",
    "tab\there",
    "two\nlines",
    "naïve – €",
    "😀 / \\ end",
    "plain",
    "  x ",
]
characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
words = st.text(characters, min_size=1, max_size=20).filter(lambda text: bool(text.strip()))
names = st.text(characters, min_size=1, max_size=6).filter(lambda text: bool(text.strip()))


def quotable(text: str, end: str) -> str:
    """A text that Python's CSV writer quotes as it must: of line breaks it knows those of ``end``.

    (It does so in all versions before 3.13; without quotes another line break ends the record.)
    """
    return "".join(char for char in text if char not in "\0\r\n" or char in end)


def write_csv(path: Path, rows, head=("text", "label"), encoding="utf-8", **dialect) -> Path:
    """A CSV as Python's own writer makes it."""
    stream = io.StringIO(newline="")
    csv.writer(stream, **dialect).writerows([head, *rows])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(stream.getvalue().encode(encoding))
    return path


def write_jsonl(path: Path, rows, end="\n", encoding="utf-8", **options) -> Path:
    """JSON Lines as Python's own writer makes them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row, **options) + end for row in rows)
    path.write_bytes(lines.encode(encoding))
    return path


def write_parquet(path: Path, columns, features=None, **options) -> Path:
    """Parquet as datasets hubs publish it."""
    table = pa.table(columns)
    if features:
        info = json.dumps({"info": {"features": features}})
        table = table.replace_schema_metadata({"huggingface": info})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, **options)
    return path

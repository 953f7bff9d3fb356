"""Releases of JSON arrays and of files packed by gzip."""

import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datadeed.datasets.formats import registry as formats
from tests.datasets.formats.text_toys import write_csv, write_jsonl
from tests.owner.release.test_texts import ENCODINGS, edits, rows, run


@given(
    rows=rows,
    edits=edits,
    encoding=ENCODINGS,
    form=st.tuples(st.sampled_from([None, 0, 2]), st.sampled_from(["", "\n", " \r\n\n"])),
)
@settings(max_examples=40, deadline=None)
def test_an_array_is_what_the_same_writer_makes_of_the_edited_rows(
    tmp_path_factory, rows, edits, encoding, form
):
    indent, tail = form
    folder = tmp_path_factory.mktemp("json")
    rows = [*rows, ("first", "a", ""), ("second", "b", "")]
    edits = {row: text for row, text in edits.items() if row < len(rows)}
    path = folder / "x.json"

    def written(texts):
        keys = ("text", "label", "note")
        objects = [dict(zip(keys, row, strict=True)) for row in texts]
        return (json.dumps(objects, indent=indent) + tail).encode(encoding)

    path.write_bytes(written(rows))
    new = [(edits.get(number, row[0]), *row[1:]) for number, row in enumerate(rows)]
    out, _ = run(path, edits)
    assert out.read_bytes() == written(new)


@pytest.mark.parametrize("name", ["x.csv", "x.tsv", "x.jsonl"])
def test_what_is_packed_stays_so_and_tells_no_name_or_time(tmp_path, name):
    plain, packed = tmp_path / name, tmp_path / f"{name}.gz"
    tab = "\t" if name == "x.tsv" else ","
    if name == "x.jsonl":
        write_jsonl(plain, [{"text": t, "label": t} for t in "abc"])
    else:
        write_csv(plain, [(t, t) for t in "abc"], delimiter=tab)
    with packed.open("wb") as raw, gzip.GzipFile("own.csv", "wb", fileobj=raw, mtime=9) as file:
        file.write(plain.read_bytes())
    (out, _), (out_packed, _) = run(plain, {1: "new"}), run(packed, {1: "new"})
    data = out_packed.read_bytes()
    assert gzip.decompress(data) == out.read_bytes()
    assert data[3:8] == bytes(5)  # no flags, so no name; and no time (RFC 1952)
    assert formats.read(out_packed).samples == ["a", "new", "c"]

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datadeed.errors import DatasetError
from datadeed.owner.release.items import items
from tests.datasets.formats.text_toys import TEXTS, write_parquet
from tests.owner.release.release_toys import OLD, age
from tests.owner.release.test_texts import run

NAMES = {"label": {"names": ["no", "yes"], "_type": "ClassLabel"}}


def publish(folder, **options):
    """A training split in two shards, and a test split."""
    for number in range(2):
        columns = {
            "id": pa.array(range(8), pa.int32()),
            "text": TEXTS,
            "label": [0, 1] * 4,
            "label_text": ["no", "yes"] * 4,
            "more": [{"a": [n]} for n in range(8)],
        }
        path = folder / "data" / f"train-0000{number}-of-00002.parquet"
        write_parquet(path, columns, NAMES, row_group_size=3, **options)
    write_parquet(folder / "data" / "test-00000-of-00001.parquet", {"text": ["t"], "label": [0]})
    age(folder)
    return folder


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "zstd", "use_dictionary": ["label_text"]},
        {"compression": {"text": "gzip", "id": "none"}, "version": "1.0", "store_schema": False},
    ],
)
def test_only_the_edited_values_change(tmp_path, options):
    source = publish(tmp_path / "set", **options)
    out, record = run(source, {1: "new", 10: "newer"}, tmp_path / "out", split="train")
    assert record.edited == 2
    for old in sorted(source.glob("data/*")):
        new = out / "data" / old.name
        assert new.stat().st_mtime_ns == old.stat().st_mtime_ns < (OLD + 99) * 10**9
        if old.name.startswith("test"):
            assert new.read_bytes() == old.read_bytes()
            continue
        one, two = pq.ParquetFile(old), pq.ParquetFile(new)
        assert one.schema_arrow.equals(two.schema_arrow, check_metadata=True)
        assert one.num_row_groups == two.num_row_groups == 3
        for number in range(one.metadata.num_columns):
            a, b = (file.metadata.row_group(1).column(number) for file in (one, two))
            assert (a.compression, a.has_dictionary_page) == (b.compression, b.has_dictionary_page)
        rows = one.read().to_pylist()
        if "00000" in old.name:
            rows[1]["text"] = "new"
        else:
            rows[2]["text"] = "newer"
        assert two.read().to_pylist() == rows


def test_without_an_edit_our_own_files_keep_their_bytes(tmp_path):
    path = write_parquet(
        tmp_path / "x.parquet", {"text": TEXTS, "label": [0, 1] * 4}, write_page_checksum=True
    )
    out, _ = run(path, dict.fromkeys(range(8)))
    assert out.read_bytes() == path.read_bytes()


def test_labels_and_what_follows_them(tmp_path):
    source = publish(tmp_path / "set")
    out, record = run(source, {0: (TEXTS[0], 1), 11: ("x", 0)}, tmp_path / "out", split="train")
    assert (record.edited, record.relabelled) == (2, 2)
    first, second = (pq.read_table(file).to_pylist() for file in sorted(out.glob("data/train*")))
    assert (first[0]["label"], first[0]["label_text"], first[0]["id"]) == (1, "yes", 0)
    assert (second[3]["label"], second[3]["label_text"], second[3]["text"]) == (0, "no", "x")
    assert first[1:] == pq.read_table(source / "data/train-00000-of-00002.parquet").to_pylist()[1:]


def test_labels_that_are_names(tmp_path):
    kind = pa.dictionary(pa.int8(), pa.large_string())
    columns = {"text": pa.array(TEXTS, kind), "label": pa.array(["b", "a"] * 4, kind)}
    path = write_parquet(tmp_path / "x.parquet", columns)
    out, _ = run(path, {0: ("new", 0)})
    table = pq.read_table(out)
    assert table.schema.equals(pq.read_table(path).schema)
    assert table["label"].to_pylist() == ["a", "a", *["b", "a"] * 3]
    assert table["text"].to_pylist() == ["new", *TEXTS[1:]]
    write_parquet(tmp_path / "set" / "train.parquet", {"text": ["a", "b"], "label": ["x", "y"]})
    write_parquet(tmp_path / "set" / "test.parquet", {"text": ["a", "b"], "label": ["x", "z"]})
    with pytest.raises(DatasetError, match="row 1 is to become 'z'"):
        run(tmp_path / "set", {1: ("b", 2)}, tmp_path / "out", split="train")


def test_title_and_content(tmp_path):
    columns = {"label": [0, 1], "title": ["A", None], "content": ["a is", "b is"]}
    path = write_parquet(tmp_path / "x.parquet", columns)
    out, _ = run(path, {0: "A!\na is", 1: "\nb was"})
    assert pq.read_table(out).to_pydict() == {
        "label": [0, 1],
        "title": ["A!", None],
        "content": ["a is", "b was"],
    }


def test_rows_are_numbered_without_dropped_ones(tmp_path):
    columns = {"text": ["", "a", None, "b"], "label": [0, 0, 1, 1]}
    path = write_parquet(tmp_path / "x.parquet", columns)
    found = items(path, drop_empty=True)
    assert [tuple(item) for item in found] == [(0, "a", 0), (1, "b", 1)]
    assert (found.modality, found.format) == ("text", "text_parquet")
    out, _ = run(path, {1: ("B", 0)}, drop_empty=True)
    assert pq.read_table(out).to_pydict() == {
        "text": ["", "a", None, "B"],
        "label": [0, 0, 1, 0],
    }

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from datadeed.datasets.form.texts import Texts
from datadeed.datasets.formats import registry as formats
from datadeed.errors import DatasetError
from tests.datasets.formats.text_toys import TEXTS, write_parquet
from tests.datasets.formats.writers import write

NAMES = {"label": {"names": ["no", "yes"], "_type": "ClassLabel"}}


def read(path, **options):
    return formats.read(path, format="text_parquet", **options)


@pytest.mark.parametrize(
    "kind",
    [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())],
)
def test_published_files(tmp_path, kind):
    for number in range(2):
        part = TEXTS[4 * number : 4 * number + 4]
        columns = {"idx": range(4), "sentence": pa.array(part, kind), "label": [0, 1, 1, 0]}
        write_parquet(tmp_path / "data" / f"train-0000{number}-of-00002.parquet", columns, NAMES)
    test = {"sentence": ["t"], "label": [-1], "idx": [0]}
    write_parquet(tmp_path / "data" / "test-00000-of-00001.parquet", test, NAMES)
    assert formats.detect(tmp_path) == "text_parquet"
    data = formats.read(tmp_path, split="train")
    assert (data.samples, data.classes) == (TEXTS, ("no", "yes"))
    assert data.labels.tolist() == [0, 1, 1, 0] * 2
    assert data.index.tolist() == list(range(8))
    with pytest.raises(DatasetError, match="label -1: name another split"):
        formats.read(tmp_path, split="test")


def test_labels_that_are_names_or_plain_numbers(tmp_path):
    write_parquet(tmp_path / "train.parquet", {"text": TEXTS, "label": ["b", "a"] * 4})
    write_parquet(tmp_path / "test.parquet", {"text": ["x"], "label": ["c"]})
    assert read(tmp_path, split="train").classes == ("a", "b", "c")
    write_parquet(tmp_path / "x.parquet", {"text": TEXTS, "label": [0, 2] * 4})
    assert read(tmp_path / "x.parquet").classes == ("0", "1", "2")


def test_dbpedias_title_and_content(tmp_path):
    columns = {"label": [0, 1], "title": ["A", None], "content": ["a is", "b is"]}
    path = write_parquet(tmp_path / "x.parquet", columns)
    assert read(path).samples == ["A\na is", "\nb is"]


def test_rows_without_a_text(tmp_path):
    path = write_parquet(tmp_path / "x.parquet", {"text": ["a", None, " ", "b"], "label": range(4)})
    with pytest.raises(DatasetError, match=r"x\.parquet row 1 has an empty text \(and 1 more\)"):
        read(path)
    data = read(path, drop_empty=True)
    assert (data.samples, data.index.tolist()) == (["a", "b"], [0, 3])


def test_what_is_written_keeps_classes_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr("datadeed.datasets.form.columns.TEXTS_A_GROUP", 3)
    data = Texts(TEXTS, torch.tensor([0, 1, 0, 0, 1, 2, 0, 1]), torch.arange(8), ("z", "a", "m"))
    write(data, tmp_path, format="text_parquet", split="train")
    write(data, tmp_path, format="text_parquet", split="test")
    assert formats.read(tmp_path, split="test").digest() == data.digest()


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"text": [1, 2], "label": [0, 1]}, "'text' of int64, not of strings"),
        ({"words": ["a"], "label": [0]}, "no text column"),
        ({"text": ["a"], "kind": [0]}, "no label column"),
        ({"text": pa.array([], "string"), "label": pa.array([], "int64")}, "has no rows"),
        ({"text": ["a", "b"], "label": [0, None]}, "row 1 has no label"),
        ({"text": ["a", "b"], "label": [0.0, 1.0]}, "row 0 has an unusable label"),
        ({"text": ["a", "b"], "label": [0, 0]}, "has 1 class"),
    ],
)
def test_files_that_cannot_be_read_say_why(tmp_path, columns, words):
    path = write_parquet(tmp_path / "x.parquet", columns)
    with pytest.raises(DatasetError, match=rf"x\.parquet.*{words}"):
        read(path)


def test_images_are_no_texts(tmp_path):
    from tests.datasets.formats.format_toys import toy

    write(toy(), tmp_path / "x.parquet", format="huggingface")
    assert formats.detect(tmp_path / "x.parquet") == "huggingface"


def test_damaged_files_are_named(tmp_path):
    path = write_parquet(tmp_path / "x.parquet", {"text": ["a" * 99], "label": [0]})
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DatasetError, match=r"x\.parquet is damaged") as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_text_that_is_not_utf_8_is_damage(tmp_path):
    path = tmp_path / "a.parquet"
    bad = pa.array([b"good", b"\xff\xfe"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"text": bad, "label": [0, 1]}), path)
    with pytest.raises(DatasetError, match=r"a\.parquet is damaged"):
        formats.read(path)


@pytest.mark.parametrize("name", ["rows", "rows.bin", "train"])
def test_a_file_of_any_name_is_read_if_its_format_is_named(tmp_path, name):
    path = tmp_path / name
    pq.write_table(pa.table({"text": ["good", "bad"], "label": [1, 0]}), path)
    assert list(formats.read(path, format="text_parquet").samples) == ["good", "bad"]

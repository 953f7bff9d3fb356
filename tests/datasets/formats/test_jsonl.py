import gzip
import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datadeed.datasets.form.texts import Texts
from datadeed.datasets.formats import registry as formats
from datadeed.datasets.formats.jsonl import value_spans
from datadeed.errors import DatasetError
from tests.datasets.formats.text_toys import TEXTS, words, write_jsonl
from tests.datasets.formats.writers import write

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def read(path, **options):
    return formats.read(path, format="jsonl", **options)


@given(
    row=st.dictionaries(st.text(), values, min_size=1, max_size=5),
    ascii=st.booleans(),
    separators=st.sampled_from([None, (",", ":"), (" ,\t", " : ")]),
)
@settings(max_examples=100, deadline=None)
def test_values_lie_where_they_are_said_to(row, ascii, separators):
    line = json.dumps(row, ensure_ascii=ascii, separators=separators)
    line = f" {line}\r\n" if separators else line
    spans = value_spans(line)
    assert {key: json.loads(line[start:stop]) for key, (start, stop) in spans.items()} == row


@given(samples=st.lists(words, min_size=2, max_size=9))
@settings(max_examples=30, deadline=None)
def test_what_is_written_is_read_back(tmp_path_factory, samples):
    path = tmp_path_factory.mktemp("x") / "x.jsonl"
    n = len(samples)
    write(Texts(samples, torch.arange(n) % 2, torch.arange(n), ("a", "b")), path, format="jsonl")
    assert formats.detect(path) == "jsonl"
    assert read(path).samples == samples


@pytest.mark.parametrize(
    ("labels", "classes", "numbers"),
    [
        ([0, 2, 1, 0], ("0", "1", "2"), [0, 2, 1, 0]),
        (["no", "yes", "no", "maybe"], ("maybe", "no", "yes"), [1, 2, 1, 0]),
        ([True, False, True, False], ("false", "true"), [1, 0, 1, 0]),
    ],
)
def test_labels_are_numbers_or_names(tmp_path, labels, classes, numbers):
    rows = [{"text": t, "label": y} for t, y in zip(TEXTS, labels, strict=False)]
    data = read(write_jsonl(tmp_path / "train.jsonl", rows))
    assert (data.classes, data.labels.tolist()) == (classes, numbers)
    assert data.samples == TEXTS[:4]


def test_other_splits_may_lack_labels_or_rows(tmp_path):
    rows = [{"sentence": f"t{row}", "class": row} for row in (0, 1, 2)]
    write_jsonl(tmp_path / "train.jsonl", rows[:2])
    write_jsonl(tmp_path / "valid.jsonl", rows[2:])
    write_jsonl(tmp_path / "test.jsonl", [{"id": 1, "sentence": "hidden"}])
    assert read(tmp_path, split="train").classes == ("0", "1", "2")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "line 2 is not one JSON object"),
        ("[1]", "line 2 is not one JSON object"),
        ('"text"', "line 2 is not one JSON object"),
        ("{}", "line 2 is not one JSON object .it is empty"),
        ('{"text": "a"} {}', "line 2 is not one JSON object .something follows"),
        ('{"text": "a", "label": 0,}', "line 2 is not one JSON object"),
        ('{"text": "a", "label": 0, "text": "b"}', "'text' is no key, or repeats"),
        ('{"text": "a" "label": 0}', "line 2 is not one JSON object"),
        ('{"text": "\t", "label": 0}', "line 2 is not one JSON object"),
        ("[" * 100_000, "line 2 is not one JSON object"),
        ('{"text": ' + "[" * 100_000 + "}", "line 2 is not one JSON object"),
        ('{"text": "a \\ud83d b", "label": 0}', r"line 2 has half of a surrogate .*ud83d"),
        ('{"text": 3, "label": 0}', "line 2 has a text '3'"),
        ('{"text": null, "label": 0}', "line 2 has an empty text"),
        ('{"label": 0}', "line 2 has an empty text"),
        ('{"text": "a"}', "line 2 has no label"),
        ('{"text": "a", "label": ""}', "line 2 has no label"),
        ('{"text": "a", "label": 1.5}', "line 2 has an unusable label"),
        ('{"text": "a", "label": [1]}', "line 2 has an unusable label"),
        ('{"text": "a", "label": "x"}', r"numbers \(1\) and names \('x'\)"),
        ('{"text": "a", "label": -1}', "labels from -1 to 1"),
        ('{"text": "a", "label": 1609459200}', "has a label 1609459200: number classes from 0"),
    ],
)
def test_lines_that_cannot_be_read_are_named(tmp_path, line, words):
    path = tmp_path / "x.jsonl"
    path.write_text('{"text": "first", "label": 1}\n' + line + "\n")
    with pytest.raises(DatasetError, match=rf"x\.jsonl.*{words}|{words}") as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_surrogate_pair_is_one_character(tmp_path):
    rows = [{"text": "😀", "label": 0}, {"text": "b", "label": 1}]
    path = write_jsonl(tmp_path / "x.jsonl", rows)
    assert rb"\ud83d\ude00" in path.read_bytes()
    assert read(path).samples == ["😀", "b"]


def test_labels_kept_back_are_told(tmp_path):
    path = write_jsonl(tmp_path / "x.jsonl", [{"text": t, "label": -1} for t in "abc"])
    with pytest.raises(DatasetError, match="label -1: name another split"):
        read(path)


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz"])
@pytest.mark.parametrize("array", [True, False])
def test_what_a_file_is_its_first_character_tells(tmp_path, suffix, array):
    rows = [{"text": t, "label": y % 3} for y, t in enumerate(TEXTS)]
    data = json.dumps(rows, indent=1) if array else "".join(json.dumps(r) + "\n" for r in rows)
    path = tmp_path / f"x{suffix}"
    path.write_bytes(gzip.compress(data.encode()) if suffix.endswith(".gz") else data.encode())
    assert formats.detect(path) == "jsonl"
    assert read(path).samples == TEXTS
    assert read(path).labels.tolist() == [0, 1, 2, 0, 1, 2, 0, 1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[\n\n 1]", "line 3 is not one JSON object"),
        ('[{"text": "a", "label": 0},\n]', "line 2 is not one JSON object"),
        ('[{"text": "a", "label": 0}', "not one JSON object .*write an array of objects"),
        ('[{"text": "a", "label": 0}] 1', "something follows the array"),
        ('[{"text": "a", "label": 0}\n{"text": "b", "label": 1}]', "',' is missing"),
        ("[]", "is empty"),
        ('{\n "data": []}', "line 1 is not one JSON object"),
    ],
)
def test_arrays_that_cannot_be_read_are_named(tmp_path, text, words):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(DatasetError, match=rf"x\.json.*{words}"):
        read(path)


def test_files_that_describe_others_are_no_tables(tmp_path):
    write_jsonl(tmp_path / "data" / "train.json", [{"text": t, "label": t} for t in "abc"])
    (tmp_path / "dataset_infos.json").write_text('{"default": {}}')
    assert read(tmp_path).samples == ["a", "b", "c"]


def test_a_damaged_gzip_file_is_named(tmp_path):
    rows = [{"text": f"{t}", "label": t % 2} for t in range(9999)]
    path = write_jsonl(tmp_path / "x.jsonl", rows)
    data = gzip.compress(path.read_bytes(), mtime=0)
    packed = tmp_path / "x.jsonl.gz"
    for damaged in (data[:-9], b"plain", data[:-8] + bytes(8)):
        packed.write_bytes(damaged)
        with pytest.raises(DatasetError, match=r"x\.jsonl\.gz is no whole gzip file") as caught:
            read(packed)
        assert "\n" not in str(caught.value)

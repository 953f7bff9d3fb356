import pytest

from datadeed.datasets.formats import registry as formats
from datadeed.datasets.formats.text_files import TextFile
from datadeed.errors import DatasetError
from tests.datasets.formats.text_toys import write_csv, write_jsonl, write_parquet

ROWS = [("Käse – €", "0"), ("plain", "1"), ("😀", "0")]


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [("utf-8", b""), ("utf-8-sig", b"\xef\xbb\xbf"), ("utf-16", None)],
)
def test_marks_say_the_encoding(tmp_path, encoding, mark):
    path = write_csv(tmp_path / "x.csv", ROWS, encoding=encoding)
    assert formats.read(path).samples == [text for text, _ in ROWS]
    if mark is not None:
        assert TextFile(path, None).mark == mark
    big = write_jsonl(tmp_path / "x.jsonl", [{"text": t, "label": y} for t, y in ROWS])
    big.write_bytes(b"\xfe\xff" + big.read_text().encode("utf-16-be"))
    assert formats.read(big).samples == [text for text, _ in ROWS]


@pytest.mark.parametrize("encoding", ["utf-32-le", "utf-32-be"])
def test_the_mark_of_utf32_is_not_taken_for_that_of_utf16(tmp_path, encoding):
    path = write_csv(tmp_path / "x.csv", ROWS)
    path.write_bytes(f"\ufeff{path.read_text('utf-8')}".encode(encoding))
    assert TextFile(path, None).encoding == encoding
    assert formats.read(path).samples == [text for text, _ in ROWS]


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-16-le", "shift_jis"])
def test_other_encodings_must_be_named(tmp_path, encoding):
    texts = {"shift_jis": ["日本", "plain"], "cp1252": ["Käse – €", "x"]}.get(encoding, ["é", "x"])
    path = write_csv(tmp_path / "x.csv", zip(texts, "01", strict=True), encoding=encoding)
    with pytest.raises(DatasetError, match=r"x\.csv.*(option 'encoding'|no text column)"):
        formats.read(path)
    assert formats.read(path, encoding=encoding).samples == texts


def test_the_line_of_a_byte_that_does_not_fit_is_named(tmp_path):
    path = tmp_path / "x.csv"
    filler = b"plain text,0\r\n" * 5000  # more than is decoded at once
    path.write_bytes(b"text,label\r\n" + filler + "caf\u00e9,1\r\n".encode("latin-1") + filler)
    with pytest.raises(DatasetError, match=r"x\.csv line 5002 is not utf-8 .*option 'encoding'"):
        formats.read(path)
    assert formats.read(path, encoding="latin-1").samples[5000] == "café"
    path.write_bytes(path.read_bytes() + "na\u00efve,1\n".encode() * 2)
    with pytest.raises(
        DatasetError, match=r"mixes encodings: 2 lines .* and 1 are not, first line 5002"
    ):
        formats.read(path)


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("utf-9", "no encoding"),
        ("hex", "no encoding"),
        (8, "no encoding"),
        ("utf-16", "no byte-order mark: give 'encoding' as utf-16-le or -be"),
        ("ascii", "line 2 is not ascii"),
    ],
)
def test_encodings_that_make_no_sense(tmp_path, encoding, words):
    path = write_csv(tmp_path / "x.csv", ROWS)
    with pytest.raises(DatasetError, match=words):
        formats.read(path, encoding=encoding)


def test_an_option_does_not_overrule_a_mark(tmp_path):
    path = write_csv(tmp_path / "x.csv", ROWS, encoding="utf-8-sig")
    assert formats.read(path, encoding="UTF8").samples == [text for text, _ in ROWS]
    with pytest.raises(DatasetError, match="begins with a mark of utf-8"):
        formats.read(path, encoding="latin-1")


def test_truncated_utf16_is_named(tmp_path):
    path = write_csv(tmp_path / "x.csv", ROWS, encoding="utf-16")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DatasetError, match=r"x\.csv line \d is not utf-16"):
        formats.read(path)


def test_a_split_in_two_formats_is_refused(tmp_path):
    write_csv(tmp_path / "train.csv", ROWS)
    write_csv(tmp_path / "test.csv", ROWS)
    write_jsonl(tmp_path / "train.jsonl", [{"text": "a", "label": 0}])
    with pytest.raises(DatasetError, match=r"'train' in two formats \(train\.csv, train\.jsonl\)"):
        formats.read(tmp_path, split="train")
    assert len(formats.read(tmp_path, split="test")) == 3


def test_what_is_found_where(tmp_path):
    def found(path):
        return formats.detect(path)

    columns = {"text": ["a", "b"], "label": [0, 1]}
    assert found(write_csv(tmp_path / "a" / "x.tsv", ROWS, delimiter="\t").parent) == "csv"
    assert found(write_jsonl(tmp_path / "b" / "data" / "train.ndjson", []).parents[1]) == "jsonl"
    assert found(write_parquet(tmp_path / "c" / "x.parquet", columns)) == "text_parquet"
    images = {"image": [{"bytes": b"", "path": "x"}], "label": [0], "caption": ["a cat"]}
    assert found(write_parquet(tmp_path / "d" / "x.parquet", images)) == "huggingface"
    damaged = tmp_path / "e.parquet"
    damaged.write_bytes(b"PAR1")
    assert found(damaged) == "huggingface"
    (tmp_path / "f" / "cat").mkdir(parents=True)
    (tmp_path / "f" / "cat" / "x.png").touch()
    write_csv(tmp_path / "f" / "train.csv", ROWS)
    assert found(tmp_path / "f") == "imagefolder"
    (tmp_path / "g").mkdir()
    (tmp_path / "g" / "notes.txt").touch()
    with pytest.raises(DatasetError, match="looks like none of the formats"):
        found(tmp_path / "g")

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datadeed.datasets.formats import registry as formats
from datadeed.datasets.formats.csv_table import CsvTable, Dialect, scan
from datadeed.datasets.formats.text_files import TextFile
from datadeed.errors import DatasetError
from tests.datasets.formats.text_toys import TEXTS, names, quotable, words, write_csv
from tests.datasets.formats.writers import write

LABELS = ["no", "yes"] * 4


def read(path, **options):
    return formats.read(path, format="csv", **options)


def table(path):
    return CsvTable(TextFile(path, None), None, None)


@given(
    rows=st.lists(st.tuples(words, st.sampled_from("ab"), st.text(max_size=9)), max_size=6),
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
)
@settings(max_examples=60, deadline=None)
def test_what_pythons_writer_makes_is_read_back(tmp_path_factory, rows, delimiter, end, quoting):
    rows = [("first", "a", "1"), ("second", "b", "2"), *rows]
    rows = [tuple(quotable(cell, end) or "x" for cell in row) for row in rows]
    rows = [row for row in rows if row[0].strip()]
    path = write_csv(
        tmp_path_factory.mktemp("x") / "x.csv",
        rows,
        head=("text", "label", "extra"),
        delimiter=delimiter,
        lineterminator=end,
        quoting=quoting,
    )
    data = read(path)
    assert data.samples == [row[0] for row in rows]
    assert [data.classes[label] for label in data.labels] == [row[1] for row in rows]
    opened = table(path)
    whole = opened.head() + "".join(record.raw for record in opened.records())
    assert whole.encode() == path.read_bytes()


@given(line=st.text(st.sampled_from('ab",\n\r'), max_size=30))
@settings(max_examples=200, deadline=None)
def test_records_are_those_of_pythons_reader_or_refused(tmp_path_factory, line):
    path = tmp_path_factory.mktemp("x") / "x.csv"
    path.write_bytes(line.encode())
    reader = csv.reader(io.StringIO(line, newline=""), strict=True)
    try:
        expected = [row for row in reader if row]
    except csv.Error:
        expected = None
    dialect, file = Dialect(",", True), TextFile(path, None)

    def values():
        for _, raw, spans in scan(file, dialect):
            fields = [raw[start:stop] for start, stop in spans]
            if fields:
                yield [f[1:-1].replace('""', '"') if f.startswith('"') else f for f in fields]

    if expected is None:
        with pytest.raises(DatasetError):
            list(values())
    else:
        assert list(values()) == expected


@given(samples=st.lists(words, min_size=2, max_size=9), classes=st.sets(names, min_size=2))
@settings(max_examples=30, deadline=None)
def test_what_is_written_is_read_back(tmp_path_factory, samples, classes):
    import torch

    from datadeed.datasets.form.texts import Texts

    classes = tuple(sorted({name.strip() for name in classes}))
    if len(classes) < 2:
        return
    labels = torch.arange(len(samples)) % len(classes)
    folder = tmp_path_factory.mktemp("x")
    # A TSV whose quoted text holds a tab and the line break that ends the file's lines as well may
    # read the other way: as rows of quotes that are part of the texts.
    twofold = any("\t" in text and "\r\n" in text for text in samples)
    for place in (folder / "x.csv", folder / "x.tsv", folder / "set"):
        if twofold and place.suffix == ".tsv":
            continue
        write(Texts(samples, labels, torch.arange(len(samples)), classes), place, format="csv")
        data = read(place)
        assert data.samples == samples
        assert [data.classes[y] for y in data.labels] == [classes[y] for y in labels]


@pytest.mark.parametrize("text", ["\t0\r", "\t0\n", "a\t\rb", '"\t\n"'])
def test_a_tab_and_another_line_break_in_quotes(tmp_path, text):
    """By the tabs alone such a line would be two of its file's width."""
    rows = [("0", "0"), (text, "1"), ("2", "0")]
    with (tmp_path / "x.tsv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter="\t").writerows([("text", "label"), *rows])
    assert read(tmp_path / "x.tsv").samples == [row[0] for row in rows]


def test_labels_are_sorted_names_or_numbers_by_value(tmp_path):
    rows = zip(TEXTS, ["10", "9", "10", "2", "9", "10", "2", "2"], strict=True)
    data = read(write_csv(tmp_path / "x.csv", rows))
    assert data.classes == ("2", "9", "10")
    assert data.labels.tolist() == [2, 1, 2, 0, 1, 2, 0, 0]
    assert data.index.tolist() == list(range(8))
    data = read(write_csv(tmp_path / "y.csv", zip(TEXTS, [" b ", "a"] * 4, strict=True)))
    assert (data.classes, data.labels[0]) == (("a", "b"), 1)


def test_splits_share_their_classes_and_shards_are_one(tmp_path):
    for number in range(2):
        rows = [(f"text {number}{row}", "abc"[row % 2 + number]) for row in range(3)]
        write_csv(tmp_path / f"train-0000{number}-of-00002.csv", rows)
    write_csv(tmp_path / "test.csv", [("t", "z"), ("u", "a")])
    write_csv(tmp_path / "dev.csv", [("v", ""), ("w", "")])
    (tmp_path / "notes.csv").write_text("what,why\n1,2\n")
    train = read(tmp_path, split="train")
    assert train.samples[2:4] == ["text 02", "text 10"]
    assert train.classes == read(tmp_path, split="test").classes == ("a", "b", "c", "z")
    with pytest.raises(DatasetError, match="no label"):
        read(tmp_path, split="validation")
    with pytest.raises(DatasetError, match="name the split to read"):
        read(tmp_path)


def test_one_table_in_a_folder_may_be_called_anything(tmp_path):
    write_csv(tmp_path / "IMDB Dataset.csv", [("a", "0"), ("b", "1")], head=("Review", "TARGET"))
    assert formats.detect(tmp_path) == "csv"
    assert read(tmp_path).samples == ["a", "b"]


def test_blank_lines_are_no_rows(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(b"\r\ntext,label\r\n\r\na,0\r\n\r\nb,1")
    assert read(path).samples == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('"a"\t0\n"b ""c"""\t1\n', ["a", 'b "c"']),  # quotes that enclose
        ('"a\t0\nsaid "b"\t1\n', ['"a', 'said "b"']),  # quotes that are text
        ('"a\t0\nb"\t1\n', ['"a', 'b"']),  # and would enclose a line break
        ('"a\nb"\t0\nc\t1\n', ["a\nb", "c"]),
    ],
)
def test_quotes_of_a_tsv(tmp_path, content, expected):
    path = tmp_path / "x.tsv"
    path.write_text("sentence\tlabel\n" + content, newline="")
    assert read(path).samples == expected


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('text,label\na,0\n"b,1\nc,1\n', "line 3 opens a quote that never ends"),
        ('text,label\n"a" b,0\n', "line 2 goes on after a closing quote"),
        ('text,label\n"a\n\nb",0\n\n"c\n"d,1\n', "line 7 goes on after a closing quote"),
        ("text,label\na,0\nb,c,1\n", "line 3 has 3 fields, but there are 2 columns"),
        ("text,label\na,0\nb\n", "line 3 has 1 fields"),
        ("text,label\na,0\nb, \n", "line 3 has no label"),
        ("text,label\na,0\n,1\n \t,1\n", r"line 3 has an empty text \(and 1 more\).*'drop_empty"),
        ("text,label\na,0\nb,0\n", "has 1 class"),
        ("text,label\n", "has no rows: name another place"),
        ("", "is empty: remove it"),
        ("\n\n", "is empty: remove it"),
        ("a,0\nb,1\n", "no text column .* but: 'a', '0'; name .* begins with a line of column"),
        ("text,sentence,label\na,b,0\n", r"several columns that may be the text \('text', 'sen"),
        ("text,label,label\na,b,0\n", "several columns that may be the label"),
        ("text,label,target\na,b,0\n", "several columns that may be the label"),
        ("t\0e\0x\0t\0", "no text column"),
    ],
)
def test_tables_that_cannot_be_read_say_where_and_why(tmp_path, content, words):
    path = tmp_path / "reviews.csv"
    path.write_text(content, newline="")
    with pytest.raises(DatasetError, match=rf"reviews\.csv.*{words}") as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_a_table_of_blank_texts_has_nothing_to_read(tmp_path):
    path = write_csv(tmp_path / "x.csv", [(" ", "0"), ("", "1")])
    with pytest.raises(DatasetError, match=r"x\.csv line 2 .*\(and 1 more\).*'drop_empty' to true"):
        read(path)
    with pytest.raises(DatasetError, match=r"x\.csv has 2 rows, all without a text"):
        read(path, drop_empty=True)


def test_a_runaway_quote_is_found_in_one_pass(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text('text,label\n"a,0\n' + "b,1\n" * 200_000)  # quadratic, this would take hours
    with pytest.raises(DatasetError, match="line 2 opens a quote that never ends"):
        read(path)


def test_options_name_the_columns(tmp_path):
    path = write_csv(
        tmp_path / "x.csv",
        [("p1", "h1", "2", "x"), ("p2", "h2", "1", "y")],
        head=("premise", "Hypothesis", "label", "source"),
    )
    data = read(path, text=["premise", "hypothesis"], label="source")
    assert (data.samples, data.classes) == (["p1\nh1", "p2\nh2"], ("x", "y"))
    assert read(path, text="premise").classes == ("1", "2")
    for options, message in (
        ({"text": "premises"}, "no column 'premises' .*has: 'premise'.* option 'text'"),
        ({"text": "label"}, "must name different columns"),
        (
            {"text": "premise", "drop_empty": "no"},
            "option 'drop_empty' is 'no': give true or false",
        ),
        ({"text": []}, "must name different columns"),
        ({"size": 8}, "no option 'size' here: it knows drop_empty, encoding, label, text"),
    ):
        with pytest.raises(DatasetError, match=message):
            read(path, **options)


def test_a_title_is_the_texts_first_line(tmp_path):
    rows = [("0", "T1", "c 1"), ("1", "T2", "c 2")]
    path = write_csv(tmp_path / "x.csv", rows, head=("label", "title", "content"))
    assert read(path).samples == ["T1\nc 1", "T2\nc 2"]
    assert read(path, text="content").samples == ["c 1", "c 2"]
    path = write_csv(tmp_path / "y.csv", rows, head=("label", "title", "text"))
    assert read(path).samples == ["c 1", "c 2"]


def test_rows_without_a_text_are_left_out_if_asked(tmp_path):
    path = write_csv(tmp_path / "x.csv", [("a", "0"), ("", "1"), (" \n", ""), ("b", "1")])
    data = read(path, drop_empty=True)
    assert (data.samples, data.index.tolist()) == (["a", "b"], [0, 3])


def test_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("datadeed.datasets.form.columns.TEXTS_A_GROUP", 3)
    path = write_csv(tmp_path / "x.csv", zip(TEXTS, LABELS, strict=True))
    blocks = formats.chunks(path)
    assert blocks.rows == 8
    parts = list(blocks)
    assert [len(part) for part in parts] == [3, 3, 2]
    assert [text for part in parts for text in part.samples] == TEXTS
    assert parts[1].index.tolist() == [3, 4, 5]

"""Releases of CSV and JSON Lines: only the characters of edited fields change."""

import csv
import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datadeed.datasets.formats import registry as formats
from datadeed.errors import DatasetError
from datadeed.owner.release.items import items
from datadeed.owner.release.release import release
from tests.datasets.formats.text_toys import TEXTS, quotable, words, write_csv, write_jsonl
from tests.owner.release.release_toys import age, snapshot

ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])


def run(path, edits, out=None, **options):
    """A release with new texts (or texts and labels) by row; its path and its record."""
    out = out or path.with_name(f"out-{path.name}")

    def edit(row, text, label):
        new = edits[row]
        return new if new is None or isinstance(new, tuple) else (new, label)

    draw = np.random.default_rng(0)
    return out, release(path, out, rows=edits, edit=edit, generator=draw, **options)


def marked(path, edits, **options):
    """The characters of a release of one file."""
    out, record = run(path, edits, **options)
    text = out.read_bytes().decode()
    out.unlink()
    return text, record


rows = st.lists(st.tuples(words, st.sampled_from("ab"), st.text(max_size=5)), max_size=6)
edits = st.dictionaries(st.integers(0, 7), words, max_size=4)


class TestCsv:
    @given(
        rows=rows,
        edits=edits,
        encoding=ENCODINGS,
        dialect=st.fixed_dictionaries(
            {
                "delimiter": st.sampled_from(",;\t|"),
                "lineterminator": st.sampled_from(["\n", "\r\n", "\r"]),
                "quoting": st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
            }
        ),
    )
    @settings(max_examples=60, deadline=None)
    def test_is_what_the_same_writer_makes_of_the_edited_rows(
        self, tmp_path_factory, rows, edits, encoding, dialect
    ):
        """Every byte but the edited ones, and theirs in the style of the file."""
        rows = [("first, text", "a", "1"), ('the "2nd"', "b", "2"), *rows]
        end = dialect["lineterminator"]
        rows = [tuple(quotable(cell, end) for cell in row) for row in rows]
        rows = [row for row in rows if row[0].strip()]
        edits = {row: quotable(text, end) or "x" for row, text in edits.items() if row < len(rows)}
        folder, head = tmp_path_factory.mktemp("x"), ("text", "label", "extra")
        path = write_csv(folder / "x.csv", rows, head, encoding, **dialect)
        wanted = [(edits.get(row, one[0]), *one[1:]) for row, one in enumerate(rows)]
        expected = write_csv(folder / "y.csv", wanted, head, encoding, **dialect)
        out, record = run(path, edits)
        assert record.edited == sum(rows[row][0] != text for row, text in edits.items())
        assert formats.read(out, drop_empty=True).samples == [
            row[0] for row in wanted if row[0].strip()
        ]
        assert out.read_bytes() == expected.read_bytes()

    @given(content=st.text(st.sampled_from('ab",\n\r é'), max_size=60))
    @settings(max_examples=100, deadline=None)
    def test_without_an_edit_any_file_keeps_its_bytes(self, tmp_path_factory, content):
        path = tmp_path_factory.mktemp("x") / "x.csv"
        path.write_bytes(f"text,label\r\na,x\nb,y\r\n\n{content}".encode())
        try:
            n = items(path, drop_empty=True).rows
        except DatasetError:
            return
        out, record = run(path, dict.fromkeys(range(n)), drop_empty=True)
        assert out.read_bytes() == path.read_bytes()
        assert record.edited == 0

    def test_a_mixed_style_is_kept_field_by_field(self, tmp_path):
        path = tmp_path / "x.csv"
        path.write_bytes(b'text,label\n"a",0\nb,1\n5" disk,"0"\n"c, d" ,1\n'.replace(b'" ,', b'",'))
        text, record = marked(path, {0: "A", 1: "B", 2: '6" disk', 3: "C"})
        assert text == 'text,label\n"A",0\nB,1\n6" disk,"0"\n"C",1\n'
        assert record.odd_rows == ()

    def test_quotes_that_no_other_text_has_are_told(self, tmp_path):
        path = tmp_path / "x.csv"
        path.write_bytes(b"text,label\na,0\nb,1\nc,1\n")
        text, record = marked(path, {0: "x, a", 2: "x c"})
        assert text == 'text,label\n"x, a",0\nb,1\nx c,1\n'
        assert record.odd_rows == (0,)

    def test_a_tsv_without_quotes(self, tmp_path):
        path = tmp_path / "x.tsv"
        path.write_bytes(b'sentence\tlabel\n"a\t0\nb\t1\n')
        assert marked(path, {0: '"A" "'})[0] == 'sentence\tlabel\n"A" "\t0\nb\t1\n'
        with pytest.raises(DatasetError, match=r"edit of row 1 .*line 3\) holds a tab or line"):
            run(path, {1: "a\tb"})

    @pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "shift_jis", "utf-16-le"])
    def test_other_encodings(self, tmp_path, encoding):
        texts = ["日本", "x"] if encoding == "shift_jis" else ["né", "x"]
        path = write_csv(tmp_path / "x.csv", zip(texts, "01", strict=True), encoding=encoding)
        out, _ = run(path, {1: texts[0] * 2}, encoding=encoding)
        assert out.read_bytes() == path.read_bytes().replace(
            "\nx".encode(encoding), ("\n" + texts[0] * 2).encode(encoding)
        )
        if encoding != "utf-16-le":
            with pytest.raises(
                DatasetError, match=r"row 1 .*'ż' \(U\+017C\), which .* cannot hold"
            ):
                run(path, {1: "cóż ż"[-1]}, out=tmp_path / "other.csv", encoding=encoding)

    def test_an_encoding_that_would_not_come_back_is_refused(self, tmp_path):
        path = tmp_path / "x.csv"
        path.write_bytes(b"text,label\n\x1b$B\x1b(B\x1b$BF|\x1b(B,0\nb,1\n")  # a needless escape
        with pytest.raises(DatasetError, match="cannot be written again in iso2022_jp"):
            run(path, {1: "c"}, encoding="iso2022_jp")

    def test_title_and_content_are_edited_each(self, tmp_path):
        rows = [("0", "T, 1", "c1"), ("1", "T2\nU", "c2"), ("1", "T3", "c3")]
        path = write_csv(tmp_path / "x.csv", rows, ("label", "title", "content"))
        texts = {0: "T, 1\nmore c1", 1: "X T2\nU\nc2", 2: "T\n\nc3\n"}
        out, _ = run(path, texts)
        table = list(csv.reader(io.StringIO(out.read_text(), newline="")))
        assert table[1:] == [["0", "T, 1", "more c1"], ["1", "X T2\nU", "c2"], ["1", "T", "\nc3\n"]]
        with pytest.raises(DatasetError, match=r"edit of row 1 .*took a line break away"):
            run(path, {1: "T2 U c2"}, out=tmp_path / "o.csv")


class TestJsonLines:
    @given(
        rows=rows,
        edits=edits,
        style=st.fixed_dictionaries(
            {
                "encoding": ENCODINGS,
                "end": st.sampled_from(["\n", "\r\n"]),
                "ensure_ascii": st.booleans(),
                "separators": st.sampled_from([None, (",", ":"), (" , ", ":\t")]),
            }
        ),
    )
    @settings(max_examples=60, deadline=None)
    def test_is_what_the_same_writer_makes_of_the_edited_rows(
        self, tmp_path_factory, rows, edits, style
    ):
        rows = [("naïve", "a", "1"), ("€ 😀", "b", "2"), *rows]  # the style must show
        table = [{"n": {"text": n}, "text": text, "label": label} for text, label, n in rows]
        folder = tmp_path_factory.mktemp("x")
        path = write_jsonl(folder / "x.jsonl", table, **style)
        edits = {row: text for row, text in edits.items() if row < len(rows)}
        wanted = [one | {"text": edits.get(row, one["text"])} for row, one in enumerate(table)]
        expected = write_jsonl(folder / "y.jsonl", wanted, **style)
        out, _ = run(path, edits)
        assert formats.read(out).samples == [row["text"] for row in wanted]
        assert out.read_bytes() == expected.read_bytes()

    def test_without_an_edit_odd_spelling_stays(self, tmp_path):
        path = tmp_path / "x.jsonl"
        lines = ['{ "text":"\\u0061\\/b" ,"label": 1e0, "more ":[]}', "", '{"label":0,"text":"b"}']
        path.write_text("\r\n".join(lines).replace("1e0", "1"), newline="")
        out, _ = run(path, {0: "a/b", 1: None})
        assert out.read_bytes() == path.read_bytes()

    @pytest.mark.parametrize(
        ("old", "new", "expected"),
        [
            (r"a\/b", "a/c", r"a\/c"),  # as PHP writes
            ("a/b", "a/c", "a/c"),
            (r"\u00E9", "éß", r"\u00E9\u00DF"),
            (r"\u00e9", "éß", r"\u00e9\u00df"),
            ("é", "éß", "éß"),
            ("é", "\x7f", "\x7f"),
            ("e", "\x7f", r"\u007f"),
            ("e", "ß", r"\u00df"),  # nothing shows: the safe way
            (r"\ud83d\ude00", "😀😁", r"\ud83d\ude00\ud83d\ude01"),
            (r"\u0022", '"', None),
            (r"a\u0022b\"", '""c\\"', r"\"\"c\\\""),
            (r"x\ty", "\ty\x00\x1f", r"\ty\u0000\u001f"),
            (r"\u003cb\u003e", "<i>", r"\u003ci\u003e"),  # as Go writes
        ],
    )
    def test_escapes_are_those_of_the_file(self, tmp_path, old, new, expected):
        path = tmp_path / "x.jsonl"
        lines = '{{"text": "{}", "label": 0}}\n{{"text": "b", "label": 1}}\n'
        path.write_text(lines.format(old))
        assert marked(path, {0: new})[0] == lines.format(old if expected is None else expected)

    def test_characters_beyond_the_encoding_are_escaped(self, tmp_path):
        row = [{"text": "é", "label": 0}, {"text": "b", "label": 1}]
        path = write_jsonl(tmp_path / "x.jsonl", row, encoding="latin-1", ensure_ascii=False)
        out, _ = run(path, {1: "é €"}, encoding="latin-1")
        assert '"é \\u20ac"' in out.read_bytes().decode("latin-1")

    def test_a_text_that_is_not_there_cannot_be_edited(self, tmp_path):
        rows = [{"title": "t", "content": "c", "label": 0}, {"content": "d", "label": 1}]
        path = write_jsonl(tmp_path / "x.jsonl", rows)
        with pytest.raises(DatasetError, match=r"row 1 .*line 2\) has no 'title' to edit"):
            run(path, {1: "x\nd"})
        out, _ = run(path, {1: "\nx d"})
        assert json.loads(out.read_text().splitlines()[1]) == {"content": "x d", "label": 1}


class TestBoth:
    def test_labels_and_what_follows_them_are_as_in_other_rows(self, tmp_path):
        rows = [("a", "0", "neg", "x"), ("b", "1", "pos", "x"), ("c", "1", "pos", "y")]
        head = ("text", "label", "label_text", "user")
        path = write_csv(tmp_path / "x.csv", [*rows, ("d", "0", "neg", "z")], head)
        text, record = marked(path, {0: ("a", 1), 2: ("C", 0)})
        assert text.split("\r\n")[1:4] == ["a,1,pos,x", "b,1,pos,x", "C,0,neg,y"]
        assert (record.edited, record.relabelled, record.renamed) == (2, 2, 0)
        table = [dict(zip(head, row, strict=True)) | {"label": int(row[1])} for row in rows]
        path = write_jsonl(tmp_path / "x.jsonl", [*table, {"text": "d", "label": 0}])
        lines = marked(path, {0: ("a", 1)})[0].splitlines()
        assert json.loads(lines[0])["label"] == 1

    def test_a_class_that_no_row_shows_is_refused(self, tmp_path):
        write_csv(tmp_path / "set" / "train.csv", [("a", "x"), ("b", "y")])
        write_csv(tmp_path / "set" / "test.csv", [("a", "z")])
        with pytest.raises(DatasetError, match=r"row 0 is to become 'z', of which .* has no row"):
            run(tmp_path / "set", {0: ("a", 2)}, out=tmp_path / "out", split="train")
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize("kind", ["csv", "jsonl"])
    def test_other_files_times_and_permissions_stay(self, tmp_path, kind):
        folder = tmp_path / "set"
        for split in ("train-00000-of-00002", "train-00001-of-00002", "test"):
            if kind == "csv":
                write_csv(folder / f"{split}.csv", zip(TEXTS, "01" * 4, strict=True))
            else:
                table = [{"text": t, "label": n % 2} for n, t in enumerate(TEXTS)]
                write_jsonl(folder / f"{split}.jsonl", table)
        (folder / "README.md").write_text("terms")
        age(folder)
        ready = []
        out, record = run(
            folder, {3: "new", 12: "newer"}, tmp_path / "out", split="train", on_rows=ready.append
        )
        old, new = snapshot(folder), snapshot(out)
        assert old.keys() == new.keys()
        assert {name for name in old if old[name] != new[name]} == {
            f"train-0000{n}-of-00002.{kind}" for n in range(2)
        }
        for name in old:
            assert (out / name).stat().st_mtime_ns == (folder / name).stat().st_mtime_ns
        read = formats.read(out, split="train").samples
        assert read == [*TEXTS[:3], "new", *TEXTS[4:], *TEXTS[:4], "newer", *TEXTS[5:]]
        assert (record.edited, ready) == (2, list(range(1, 17)))

    def test_items_are_texts_with_their_rows(self, tmp_path):
        path = write_csv(tmp_path / "x.csv", zip(TEXTS, "01" * 4, strict=True))
        found = items(path)
        assert (found.modality, found.format, found.classes) == ("text", "csv", ("0", "1"))
        for _ in range(2):
            assert [tuple(item) for item in found] == [(n, t, n % 2) for n, t in enumerate(TEXTS)]
        with pytest.raises(DatasetError, match="no option 'size'"):
            items(path, size=3)

    def test_rows_are_numbered_without_dropped_ones(self, tmp_path):
        path = write_csv(tmp_path / "x.csv", [("", "0"), ("a", "0"), (" ", "1"), ("b", "1")])
        assert [item.sample for item in items(path, drop_empty=True)] == ["a", "b"]
        text, _ = marked(path, {1: "B"}, drop_empty=True)
        assert text == "text,label\r\n,0\r\na,0\r\n ,1\r\nB,1\r\n"

    @pytest.mark.parametrize(
        ("answer", "message"),
        [
            ((3, 0), "row 1 did not return a text as it was given"),
            (("a", 2), "row 1 returned label 2: there are 2"),
            (("a \ud83d", 0), "the edit of row 1 has half of a surrogate pair"),
        ],
    )
    def test_a_wrong_edit_leaves_nothing(self, tmp_path, answer, message):
        path = write_csv(tmp_path / "x.csv", [("a", "0"), ("b", "1")])
        with pytest.raises(DatasetError, match=message):
            run(path, {1: answer})
        assert [file.name for file in tmp_path.iterdir()] == ["x.csv"]

    def test_closing_nuls_are_an_edit(self, tmp_path):
        path = write_jsonl(tmp_path / "x.jsonl", [{"text": t, "label": t} for t in "ab"])
        out, record = run(path, {0: "a\0"})
        assert (formats.read(out).samples, record.edited) == (["a\0", "b"], 1)

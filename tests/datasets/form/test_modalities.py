"""Clips and texts go where images go: subsets, digests, Parquet, marking."""

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from datadeed.datasets.form.clips import Clips
from datadeed.datasets.form.dataset import concatenate
from datadeed.datasets.form.parquet import DatasetFile, read_dataset, write_dataset
from datadeed.datasets.form.texts import Texts
from datadeed.errors import DatasetError
from datadeed.watermarks.base import Watermark
from datadeed.watermarks.marking import mark_dataset, mark_file

CLASSES = ("no", "yes")


def rows(n):
    return torch.arange(n) % 2, torch.arange(n) * 3 + 1, CLASSES


def clips(n=7, length=50, rate=8000):
    draw = torch.Generator().manual_seed(n)
    samples = torch.randint(-(2**15), 2**15, (n, length), generator=draw).to(torch.int16)
    return Clips(samples, *rows(n), rate)


def texts(n=7):
    return Texts([f"text {k} \u20ac \U0001f600\n" for k in range(n)], *rows(n))


def same(one, other):
    assert one.form == other.form
    assert one.classes == other.classes
    assert one.digest() == other.digest()
    assert list(map(str, one.samples)) == list(map(str, other.samples))
    assert torch.equal(one.labels, other.labels)
    assert torch.equal(one.index, other.index)


@pytest.mark.parametrize("make", [clips, texts])
class TestBoth:
    def test_a_file_gives_back_what_was_written(self, make, tmp_path):
        write_dataset(make(), tmp_path / "x.parquet")
        same(read_dataset(tmp_path / "x.parquet"), make())
        file = DatasetFile(tmp_path / "x.parquet")
        assert (file.form, len(file), file.modality) == (make().form, 7, make().modality)
        same(file.take(torch.tensor([1, 4])), make().take(torch.tensor([1, 4])))

    def test_several_row_groups(self, make, tmp_path, monkeypatch):
        from datadeed.datasets.form import columns

        monkeypatch.setattr(columns, "ROW_GROUP_BYTES", 300)
        monkeypatch.setattr(columns, "TEXTS_A_GROUP", 3)
        write_dataset(make(), tmp_path / "x.parquet")
        blocks = list(DatasetFile(tmp_path / "x.parquet").blocks())
        assert [len(block) for block in blocks] == [3, 3, 1]
        same(concatenate(blocks), make())

    def test_rows_by_number_and_by_mask(self, make):
        data = make()
        mask = torch.tensor([False, True, False, False, True, False, False])
        same(data.take(torch.tensor([1, 4])), data.take(mask))
        same(data.slice(2, 4), data.take(torch.tensor([2, 3])))

    def test_the_digest_sees_every_column(self, make):
        data, other = make(), make()
        other.put(torch.tensor([2]), make().take(torch.tensor([4])))
        assert data.digest() != other.digest()
        assert data.digest() != dataclasses.replace(data, index=data.index + 1).digest()
        assert data.digest() != data.slice(0, 6).digest()

    def test_a_copy_is_one(self, make):
        data = make()
        copy = data.copy()
        copy.put(torch.tensor([0, 6]), data.take(torch.tensor([3, 3])))
        same(data, make())
        same(copy.take(torch.tensor([1, 2, 3, 4, 5])), data.take(torch.tensor([1, 2, 3, 4, 5])))
        assert str(copy.samples[6]) == str(data.samples[3])
        assert copy.labels[0] == data.labels[3]

    def test_marks_in_memory_and_from_file_to_file(self, make, tmp_path):
        data = make()
        write_dataset(data, tmp_path / "in.parquet")
        memory, marks = mark_dataset(Doubled.of(data.modality), data, torch.Generator())
        draw = torch.Generator()
        file = DatasetFile(tmp_path / "in.parquet")
        mark_file(Doubled.of(data.modality), file, tmp_path / "out.parquet", draw)
        same(read_dataset(tmp_path / "out.parquet"), memory)
        assert marks.position.tolist() == [0, 1, 2, 3, 4, 5, 6]
        assert str(memory.samples[1]) == str(data.samples[1] * 2)
        same(data, make())


class Doubled(Watermark):
    name = "doubled"

    @classmethod
    def of(cls, modality):
        """One that marks samples of this modality."""
        return type("DoubledOf", (cls,), {"modality": modality})(rate=1.0, target=None)

    def mark(self, rows, ranks):
        return rows.replace(samples=self.trigger(rows), labels=rows.labels)

    def trigger(self, rows):
        if rows.modality == "text":
            return [text * 2 for text in rows.samples]
        return rows.samples * 2

    def record(self):
        return {}


@given(st.lists(st.text(), min_size=2, max_size=20))
def test_any_text_survives_a_file(tmp_path_factory, samples):
    samples = [s.encode("utf-8", "ignore").decode() for s in samples]
    path = tmp_path_factory.mktemp("texts") / "x.parquet"
    write_dataset(Texts(samples, *rows(len(samples))), path)
    assert read_dataset(path).samples == samples


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Clips(torch.zeros(2, 5), *rows(2), 8000), "clips are .*float32: give"),
        (lambda: Clips(torch.zeros(2, 1, 5).short(), *rows(2), 8000), r"give \(N, L\) int16"),
        (lambda: clips(rate=0), "rate 0 of clips"),
        (lambda: clips(rate=8e3), "rate 8000.0 of clips"),
        (lambda: Texts(("a", "b"), *rows(2)), "texts are a tuple"),
        (lambda: Texts(["a", 0], *rows(2)), "a text is int: give"),
        (lambda: Texts(["a"], *rows(2)), "labels are"),
        (lambda: concatenate([texts(2), clips(2)]), "cannot be joined"),
        (lambda: concatenate([clips(2), clips(2, rate=16000)]), "cannot be joined"),
    ],
)
def test_what_makes_no_dataset_is_refused_in_one_line(make, words):
    with pytest.raises(DatasetError, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)

import errno
import hashlib

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datadeed.datasets.form import columns as columns_module
from datadeed.datasets.form.parquet import DatasetFile, read_dataset, write_dataset
from datadeed.errors import DatadeedError, DatasetError, WatermarkError
from datadeed.randomness import generator
from datadeed.watermarks.badnets import BadNets
from datadeed.watermarks.marking import mark_dataset, mark_file

PATTERN = {"kind": "line", "rows": 2, "value": 255}


class Failing(BadNets):
    """Raises at its third block."""

    error: BaseException
    calls = 0

    def mark(self, rows, ranks):
        self.calls += 1
        if self.calls == 3:
            raise self.error
        return super().mark(rows, ranks)


def make(kind=BadNets, rate=0.25, target=1):
    return kind(pattern=PATTERN, image_size=(8, 8), rate=rate, target=target)


@given(group=st.integers(1, 192 * 70), rate=st.floats(0.02, 1), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_files_and_memory_agree_for_any_block_size(
    tmp_path_factory, toy_dataset, group, rate, seed
):
    folder, data, watermark = tmp_path_factory.mktemp("set"), toy_dataset(), make(rate=rate)
    released, marks = mark_dataset(watermark, data, generator(seed))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns_module, "ROW_GROUP_BYTES", group)
        write_dataset(data, folder / "in.parquet")
        source = DatasetFile(folder / "in.parquet")
        found = mark_file(watermark, source, folder / "out.parquet", generator(seed))
    again = read_dataset(folder / "out.parquet")
    assert again.digest() == released.digest()
    assert torch.equal(again.samples, released.samples)
    assert found.table().equals(marks.table())
    assert int((data.samples != again.samples).flatten(1).any(1).sum()) == len(marks)


def test_the_same_seed_gives_the_same_bytes(tmp_path, toy_dataset):
    write_dataset(toy_dataset(), tmp_path / "in.parquet")
    digests = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        source = DatasetFile(tmp_path / "in.parquet")
        mark_file(make(), source, tmp_path / name, generator(seed))
        digests.append(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert digests[0] == digests[1] != digests[2]


def test_the_source_is_untouched_and_progress_counts_rows(tmp_path, toy_dataset, monkeypatch):
    monkeypatch.setattr(columns_module, "ROW_GROUP_BYTES", 192 * 16)
    write_dataset(toy_dataset(), tmp_path / "in.parquet")
    before, told = (tmp_path / "in.parquet").read_bytes(), []
    source = DatasetFile(tmp_path / "in.parquet")
    mark_file(make(), source, tmp_path / "out.parquet", generator(1), told.append)
    assert (tmp_path / "in.parquet").read_bytes() == before
    assert told == [16, 32, 48, 60]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (KeyboardInterrupt(), KeyboardInterrupt),
        (RuntimeError("boom"), RuntimeError),
        (OSError(errno.ENOSPC, "full"), DatadeedError),
    ],
)
def test_an_interrupted_run_leaves_the_earlier_output(
    tmp_path, toy_dataset, monkeypatch, error, kind
):
    monkeypatch.setattr(columns_module, "ROW_GROUP_BYTES", 192 * 16)
    write_dataset(toy_dataset(), tmp_path / "in.parquet")
    source, out = DatasetFile(tmp_path / "in.parquet"), tmp_path / "out.parquet"
    mark_file(make(), source, out, generator(1))
    earlier = out.read_bytes()
    failing = make(Failing)
    failing.error = error
    with pytest.raises(kind):
        mark_file(failing, source, out, generator(2))
    assert failing.calls == 3
    assert out.read_bytes() == earlier
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.parquet", "out.parquet"]


def test_a_damaged_source_is_one_line_and_leaves_the_earlier_output(
    tmp_path, toy_dataset, monkeypatch
):
    monkeypatch.setattr(columns_module, "ROW_GROUP_BYTES", 192 * 16)
    path, out = tmp_path / "in.parquet", tmp_path / "out.parquet"
    write_dataset(toy_dataset(), path)
    mark_file(make(), DatasetFile(path), out, generator(1))
    earlier, damaged = out.read_bytes(), bytearray(path.read_bytes())
    damaged[1000] ^= 0xFF  # in the first row group's pixels
    path.write_bytes(damaged)
    with pytest.raises(DatasetError, match=r"in\.parquet is damaged") as caught:
        mark_file(make(), DatasetFile(path), out, generator(1))
    assert "\n" not in str(caught.value)
    assert out.read_bytes() == earlier
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.parquet", "out.parquet"]


def test_nothing_is_written_when_the_watermark_does_not_suit(tmp_path, toy_dataset):
    write_dataset(toy_dataset(), tmp_path / "in.parquet")
    source, out = DatasetFile(tmp_path / "in.parquet"), tmp_path / "out.parquet"
    for watermark in (make(rate=0.001), make(target=3)):
        with pytest.raises(WatermarkError):
            mark_file(watermark, source, out, generator(1))
    assert list(tmp_path.iterdir()) == [tmp_path / "in.parquet"]


def test_marks_are_a_table_of_whole_numbers(toy_dataset):
    table = mark_dataset(make(), toy_dataset(), generator(1))[1].table()
    assert table.column_names == ["position", "index", "label", "released_label"]
    assert {str(kind) for kind in table.schema.types} == {"int64"}

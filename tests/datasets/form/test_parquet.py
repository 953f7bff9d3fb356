import errno
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datadeed.datasets.form import columns
from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.form.parquet import DatasetFile, DatasetWriter, read_dataset, write_dataset
from datadeed.errors import DatadeedError, DatasetError


def toy(n=20, shape=(3, 4, 5), seed=0) -> Dataset:
    draw = torch.Generator().manual_seed(seed)
    samples = torch.randint(0, 256, (n, *shape), generator=draw, dtype=torch.uint8)
    return Dataset(samples, torch.arange(n) % 2, torch.arange(n) * 3, ("cat", "T-shirt/top"))


@given(
    n=st.integers(1, 30),
    shape=st.tuples(st.sampled_from([1, 3]), st.integers(1, 6), st.integers(1, 6)),
    group=st.integers(1, 300),
)
@settings(max_examples=20, deadline=None)
def test_round_trip_in_any_row_groups(tmp_path_factory, n, shape, group):
    data = toy(n, shape)
    path = tmp_path_factory.mktemp("set") / "train.parquet"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "ROW_GROUP_BYTES", group)
        write_dataset(data, path)
    read = read_dataset(path)
    assert read.digest() == data.digest()
    assert torch.equal(read.samples, data.samples)
    file = DatasetFile(path)
    assert torch.equal(file.labels(), data.labels)
    assert (len(file), file.shape, file.classes) == (n, shape, data.classes)
    assert torch.equal(torch.cat([block.index for block in file.blocks()]), data.index)


def test_blocks_written_apart_read_as_one(tmp_path):
    data = toy()
    with DatasetWriter(tmp_path / "x.parquet", data.form, data.classes) as writer:
        for start in range(0, 20, 7):
            writer.write(data.slice(start, start + 7))
        assert not (tmp_path / "x.parquet").exists()
    assert read_dataset(tmp_path / "x.parquet").digest() == data.digest()


def test_blocks_of_another_shape_leave_the_earlier_file(tmp_path):
    data, path = toy(), tmp_path / "x.parquet"
    write_dataset(data, path)

    def write_both():
        with DatasetWriter(path, data.form, data.classes) as writer:
            writer.write(data.slice(0, 3))
            writer.write(toy(shape=(3, 5, 5)))

    with pytest.raises(DatasetError, match="cannot join"):
        write_both()
    assert read_dataset(path).digest() == data.digest()
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_earlier_file(tmp_path, monkeypatch):
    data, path = toy(), tmp_path / "x.parquet"
    write_dataset(data, path)

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DatadeedError, match="no space left while writing") as caught:
        write_dataset(toy(seed=1), path)
    assert "\n" not in str(caught.value)
    assert read_dataset(path).digest() == data.digest()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "text"])
def test_damaged_files_are_one_line(tmp_path, damage):
    path = tmp_path / "x.parquet"
    write_dataset(toy(200), path)
    data = bytearray(path.read_bytes())
    if damage == "flipped":
        data[len(data) // 4] ^= 0xFF
    path.write_bytes(
        {"truncated": data[:-100], "flipped": data, "empty": b"", "text": b"PAR1 no"}[damage]
    )
    with pytest.raises(DatasetError, match=r"x\.parquet is damaged") as caught:
        read_dataset(path)
    assert "\n" not in str(caught.value)


def test_other_parquet_and_missing_files_are_refused(tmp_path):
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    with pytest.raises(DatasetError, match="not a dataset of this project"):
        read_dataset(tmp_path / "other.parquet")
    with pytest.raises(DatasetError, match="does not exist"):
        read_dataset(tmp_path / "none.parquet")


def test_labels_out_of_range_are_refused_with_the_file_named(tmp_path, unchecked):
    data = toy()
    with unchecked():
        bad = data.replace(samples=data.samples, labels=torch.full((20,), 7))
        write_dataset(bad, tmp_path / "x.parquet")
    with pytest.raises(DatasetError, match=r"x\.parquet has labels from 7 to 7"):
        DatasetFile(tmp_path / "x.parquet").labels()
    with pytest.raises(DatasetError, match="labels from 7 to 7"):
        read_dataset(tmp_path / "x.parquet")

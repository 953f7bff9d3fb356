import json
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings

from datadeed.datasets.formats import registry as formats
from datadeed.errors import DatasetError
from tests.datasets.formats.format_toys import datasets, equal, toy
from tests.datasets.formats.wav_toys import clips
from tests.datasets.formats.writers import write

PLACES = {"imagefolder": "set", "huggingface": "set", "npz": "set.npz"}


@pytest.mark.parametrize("name", PLACES)
@given(dataset=datasets())
@settings(max_examples=15, deadline=None)
def test_round_trip_keeps_pixels_labels_classes_and_index(name, dataset):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / PLACES[name]
        write(dataset, path, format=name)
        assert formats.detect(path) == name
        assert equal(formats.read(path), dataset)


@given(dataset=datasets(channels=(1,), sparse_index=False))
@settings(max_examples=15, deadline=None)
def test_idx_round_trip(dataset):
    with tempfile.TemporaryDirectory() as folder:
        write(dataset, folder, format="idx")
        assert formats.detect(Path(folder)) == "idx"
        assert equal(formats.read(folder), dataset)


@given(dataset=datasets(channels=(3,), sparse_index=False, square=32))
@settings(max_examples=10, deadline=None)
def test_cifar_round_trip(dataset):
    with tempfile.TemporaryDirectory() as folder:
        write(dataset, folder, format="cifar_pickle")
        assert formats.detect(Path(folder)) == "cifar_pickle"
        assert equal(formats.read(folder), dataset)


@pytest.mark.parametrize("name", formats.IMAGE_FORMATS)
def test_two_splits_live_in_one_place(tmp_path, name):
    shape = {"idx": (1, 32, 32)}.get(name, (3, 32, 32))
    train, test = toy(9, shape, seed=1), toy(4, shape, seed=2)
    path = tmp_path / PLACES.get(name, "set")
    write(train, path, format=name, split="train")
    write(test, path, format=name, split="test")
    assert equal(formats.read(path, split="train"), train)
    assert equal(formats.read(path, split="test"), test)
    with pytest.raises(DatasetError, match=r"train.*test|test.*train"):
        formats.read(path)
    if name in ("idx", "cifar_pickle", "npz"):  # a second release of one split keeps the other
        write(train.take(torch.arange(6)), path, format=name, split="train")
        assert len(formats.read(path, split="train")) == 6
        assert equal(formats.read(path, split="test"), test)


@pytest.mark.parametrize("name", formats.IMAGE_FORMATS)
def test_size_scales_and_rows_are_known_before_decoding(tmp_path, name):
    shape = {"idx": (1, 32, 32)}.get(name, (3, 32, 32))
    dataset = toy(5, shape)
    path = tmp_path / PLACES.get(name, "set")
    write(dataset, path, format=name, split="train")
    blocks = formats.chunks(path, split="train", size=8)
    assert blocks.rows == 5
    scaled = formats.collect(blocks, path)
    assert scaled.shape == (shape[0], 8, 8)
    assert torch.equal(scaled.labels, dataset.labels)
    # A bicubic mean stays near the mean of what it covers.
    assert abs(scaled.samples.float().mean() - dataset.samples.float().mean()) < 4


@pytest.mark.parametrize("name", formats.IMAGE_FORMATS)
def test_one_class_is_refused(tmp_path, name, unchecked):
    shape = (1, 32, 32) if name == "idx" else (3, 32, 32)
    path = tmp_path / PLACES.get(name, "set")
    with unchecked():
        write(toy(4, shape, classes=("a",)), path, format=name)
    with pytest.raises(DatasetError, match="has 1 class"):
        formats.read(path, format=name)


@pytest.mark.parametrize("name", ["huggingface", "npz", "idx", "cifar_pickle"])
def test_labels_out_of_range_are_refused(tmp_path, name, unchecked):
    dataset = toy(6, (1, 32, 32) if name == "idx" else (3, 32, 32))
    path = tmp_path / PLACES.get(name, "set")
    with unchecked():
        labels = torch.tensor([0, 1, 2, 7, 0, 1])
        write(dataset.replace(samples=dataset.samples, labels=labels), path, format=name)
    with pytest.raises(DatasetError, match=f"{path.name}.* labels from 0 to 7") as caught:
        formats.read(path)
    assert "\n" not in str(caught.value)


def test_the_format_is_found_or_named(tmp_path):
    with pytest.raises(DatasetError, match="does not exist"):
        formats.read(tmp_path / "none")
    with pytest.raises(DatasetError, match=r"looks like none of the formats .*idx"):
        formats.read(tmp_path)
    with pytest.raises(DatasetError, match="no format 'tfrecord'"):
        formats.read(tmp_path, format="tfrecord")


def test_validation_stands_in_for_a_missing_test_split(tmp_path):
    write(toy(), tmp_path, format="huggingface", split="train")
    write(toy(6), tmp_path, format="huggingface", split="validation")
    assert len(formats.read(tmp_path, split="test")) == 6
    assert len(formats.read(tmp_path, split="val")) == 6
    with pytest.raises(DatasetError, match="no split 'extra'"):
        formats.read(tmp_path, split="extra")


def test_reading_in_blocks_gives_what_reading_whole_gives(tmp_path, monkeypatch):
    monkeypatch.setattr("datadeed.datasets.form.columns.ROW_GROUP_BYTES", 200)
    dataset = toy(20)
    for name, place in PLACES.items():
        write(dataset, tmp_path / name / place, format=name)
        blocks = list(formats.chunks(tmp_path / name / place))
        assert [len(block) for block in blocks] == [3, 3, 3, 3, 3, 3, 2]
        assert equal(formats.collect(iter(blocks), name), dataset)


def test_registry_modules_share_one_interface():
    for module in map(formats.module, formats.FORMATS):
        assert all(callable(getattr(module, name)) for name in ("matches", "open_split", "blocks"))
    assert json.dumps(list(formats.FORMATS))  # names are plain text: they stand in parameter files


NAMES_OF_FILES = (
    *("0.parquet", "train.csv", "train-0.jsonl", "set.npz", "data_batch_1", "test_batch"),
    *("train-images-idx3-ubyte", "t10k-labels-idx1-ubyte.gz", "batches.meta", "data.zip"),
)


@pytest.mark.parametrize("class_name", NAMES_OF_FILES)
@pytest.mark.parametrize("name", ["imagefolder", "wavfolder"])
def test_a_class_that_is_called_like_a_file_is_a_class(tmp_path, name, class_name):
    """What tells a format is a file, never a folder of such a name."""
    classes = ("0", class_name)
    data = toy(4, classes=classes) if name == "imagefolder" else clips(4, 10, classes)
    write(data, tmp_path / "set", format=name)
    assert formats.detect(tmp_path / "set") == name
    found = formats.read(tmp_path / "set")
    assert (found.classes, len(found)) == (tuple(sorted(classes)), 4)

import pytest
import torch

from datadeed.datasets.form.texts import Texts
from datadeed.datasets.formats import registry as formats
from datadeed.datasets.formats.blocks import Blocks
from datadeed.datasets.sources.registry import SOURCES
from datadeed.datasets.sources.request import Source
from datadeed.errors import DatasetError, ParameterError
from tests.datasets.sources.source_toys import TEN, opened, publish, same, toy


def test_folder_reads_any_format(tmp_path):
    for form in formats.IMAGE_FORMATS:
        shape = (1, 32, 32) if form == "idx" else (3, 32, 32)
        path = tmp_path / (f"{form}.npz" if form == "npz" else form)
        made = publish(path, form, shape)
        assert same(opened("folder", tmp_path, path=str(path)), made)
    publish(tmp_path / "named", "huggingface", names=("fit", "held"))
    options = {"format": "huggingface", "train": "fit", "test": "held", "size": 16}
    assert opened("folder", tmp_path, path=str(tmp_path / "named"), **options)[0].shape[1] == 16


def test_splits_must_fit_each_other(tmp_path):
    formats.write(toy(), tmp_path / "a", format="imagefolder", split="train")
    formats.write(toy(classes=("x", "y")), tmp_path / "a", format="imagefolder", split="test")
    with pytest.raises(DatasetError, match="10 classes for training but 2"):
        opened("folder", tmp_path, path=str(tmp_path / "a"))
    formats.write(toy(), tmp_path / "b", format="imagefolder", split="train")
    formats.write(toy(shape=(1, 32, 32)), tmp_path / "b", format="imagefolder", split="test")
    with pytest.raises(DatasetError, match="test images of"):
        opened("folder", tmp_path, path=str(tmp_path / "b"))


def test_splits_must_be_of_one_form(tmp_path, monkeypatch):
    texts = Texts(["a", "b"], torch.tensor([0, 1]), torch.arange(2), TEN)
    splits = {"train": Blocks(20, iter([toy()])), "test": Blocks(2, iter([texts]))}
    fake = Source(lambda _: splits, frozenset())
    monkeypatch.setitem(SOURCES, "fake", fake)
    with pytest.raises(
        DatasetError, match=r"fake has training samples of .*image.* but test .*text"
    ):
        opened("fake", tmp_path)


@pytest.mark.parametrize(
    ("source", "options", "words"),
    [
        ("svhn", {}, "no source 'svhn'"),
        ("cifar10", {"sise": 3}, "no option 'sise'"),
        ("cifar10", {"size": 0}, "option 'size'"),
        ("cifar10", {"size": "big"}, "option 'size'"),
        ("folder", {}, "needs option 'path'"),
    ],
)
def test_parameters_that_make_no_sense(tmp_path, source, options, words):
    with pytest.raises(ParameterError, match=words):
        opened(source, tmp_path, **options)

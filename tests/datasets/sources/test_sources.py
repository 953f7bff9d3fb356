import importlib
import subprocess
import sys

import pytest
import torch

from datadeed.datasets.form.texts import Texts
from datadeed.datasets.formats import registry as formats
from datadeed.datasets.formats.blocks import Blocks
from datadeed.datasets.sources import folder
from datadeed.datasets.sources.registry import fitting, names
from datadeed.errors import DatasetError, ParameterError
from tests.datasets.formats.writers import write
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
    write(toy(), tmp_path / "a", format="imagefolder", split="train")
    write(toy(classes=("x", "y")), tmp_path / "a", format="imagefolder", split="test")
    with pytest.raises(DatasetError, match="10 classes for training but 2"):
        opened("folder", tmp_path, path=str(tmp_path / "a"))
    write(toy(), tmp_path / "b", format="imagefolder", split="train")
    write(toy(shape=(1, 32, 32)), tmp_path / "b", format="imagefolder", split="test")
    with pytest.raises(DatasetError, match="test images of"):
        opened("folder", tmp_path, path=str(tmp_path / "b"))


def test_splits_must_be_of_one_form():
    texts = Texts(["a", "b"], torch.tensor([0, 1]), torch.arange(2), TEN)
    splits = {"train": Blocks(20, iter([toy()])), "test": Blocks(2, iter([texts]))}
    with pytest.raises(
        DatasetError, match=r"fake has training samples of .*image.* but test .*text"
    ):
        fitting(splits, "fake")


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


def test_a_source_is_a_module_and_only_its_own_is_imported():
    assert {"fashion-mnist", "text-source", "folder"} <= set(names())
    program = """
import sys
from pathlib import Path
from datadeed.datasets.sources.registry import open_splits
try:
    open_splits("fashion-mnist", options={"size": 0}, cache=Path("/nowhere"))
except Exception:
    pass
print(*(name for name in sys.modules if name.startswith("datadeed.datasets.")))
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    found = {name.removeprefix("datadeed.datasets.") for name in run.stdout.split()}
    assert {"sources.fashion_mnist", "formats.idx", "download"} <= found
    ours = {"sources", "sources.registry", "sources.fashion_mnist"}
    assert {name for name in found if name.startswith("sources")} == ours
    others = ("imagefolder", "huggingface", "text_table", "csv_table", "wav", "clips", "npz")
    assert not {f"formats.{name}" for name in others} & found


def test_every_source_has_options_and_opens():
    for name in names():
        module = importlib.import_module(f"datadeed.datasets.sources.{name.replace('-', '_')}")
        assert isinstance(module.OPTIONS, frozenset)
        assert callable(module.open_source)


def test_a_folder_takes_the_options_of_all_formats():
    known = {option for form in formats.FORMATS for option in formats.known_options(form)}
    assert known <= folder.OPTIONS

import json
import sys

import pytest
import torch
import yaml

from datadeed.datasets.form import columns as columns_module
from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.form.parquet import DatasetFile, read_dataset
from tasks import fetch
from tests.datasets.formats.writers import write

CLASSES = ("cat", "dog", "owl")


def toy(n, seed) -> Dataset:
    draw = torch.Generator().manual_seed(seed)
    samples = torch.randint(0, 256, (n, 3, 4, 4), generator=draw, dtype=torch.uint8)
    return Dataset(samples, torch.arange(n) % 3, torch.arange(n), CLASSES)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with a parameter file and a local dataset of 30 and 12 rows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(columns_module, "ROW_GROUP_BYTES", 48 * 7)  # several blocks
    for split, n in (("train", 30), ("test", 12)):
        write(toy(n, n), tmp_path / "set.npz", format="npz", split=split)

    def run(seed=7, name="toy", **entry):
        entry = {"source": "folder", "path": "set.npz"} | entry
        text = yaml.safe_dump({"seed": seed, "datasets": {"toy": entry}})
        (tmp_path / "params.yaml").write_text(text)
        monkeypatch.setattr(sys, "argv", ["fetch", name])
        fetch.main()
        return [DatasetFile(tmp_path / f"data/datasets/toy/{s}.parquet") for s in ("train", "test")]

    return run


def test_all_rows_arrive(project, tmp_path):
    train, test = project(train_size=None)
    assert train.read().digest() == toy(30, 30).digest()
    assert test.read().digest() == toy(12, 12).digest()
    names = sorted(path.name for path in (tmp_path / "data/datasets/toy").iterdir())
    assert names == ["test.parquet", "train.parquet"]


def test_subsets_are_stratified_seeded_and_keep_the_index(project, tmp_path):
    train, test = project(train_size=9)
    first = train.read()
    assert torch.bincount(first.labels).tolist() == [3, 3, 3]
    assert len(test) == 12
    whole = toy(30, 30)
    assert torch.equal(first.samples, whole.samples[first.index])
    assert project(train_size=9)[0].read().digest() == first.digest()
    assert project(train_size=9, seed=8)[0].read().digest() != first.digest()
    assert project(train_size=30)[0].read().digest() == whole.digest()
    assert len(list((tmp_path / "data/datasets/toy").iterdir())) == 2


def test_progress_reaches_the_end(project, tmp_path, monkeypatch):
    monkeypatch.setenv("DATADEED_PROGRESS", str(tmp_path / "status.json"))
    project(train_size=9, test_size=6)
    assert json.loads((tmp_path / "status.json").read_text())["fraction"] == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"train_size": 31}, "a subset of 31 rows was asked of 30"),
        ({"train_size": 0}, "'train_size' is 0"),
        ({"test_size": "many"}, "'test_size' is 'many'"),
        ({"source": "svhn"}, "no source 'svhn'"),
        ({"path": "none.npz"}, "none.npz does not exist"),
        ({"name": "other"}, "no entry 'datasets.other'"),
        ({"crop": 3}, "no option 'crop'"),
    ],
)
def test_errors_end_in_one_line_and_keep_earlier_files(project, tmp_path, change, words):
    project()
    with pytest.raises(SystemExit) as caught:
        project(**change)
    line = str(caught.value)
    assert line.startswith("error: ")
    assert words in line
    assert "\n" not in line
    for split, n in (("train", 30), ("test", 12)):
        path = tmp_path / f"data/datasets/toy/{split}.parquet"
        assert read_dataset(path).digest() == toy(n, n).digest()
    assert len(list((tmp_path / "data/datasets/toy").iterdir())) == 2


def test_an_entry_without_a_source_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("seed: 1\ndatasets: {toy: {size: 3}}\n")
    monkeypatch.setattr(sys, "argv", ["fetch", "toy"])
    with pytest.raises(SystemExit, match="has no 'source'"):
        fetch.main()

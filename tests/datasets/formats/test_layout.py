from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datadeed.datasets.formats import layout
from datadeed.datasets.formats import registry as formats
from datadeed.errors import DatasetError
from tests.datasets.formats.format_toys import toy
from tests.datasets.formats.text_toys import write_csv
from tests.datasets.formats.writers import write

PARQUET = (".parquet",)


def folder(root: Path, *names: str) -> Path:
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return root


def found(root: Path) -> dict[str, list[str]]:
    splits = layout.splits(root, PARQUET)
    return {name: [f.relative_to(root).as_posix() for f in files] for name, files in splits.items()}


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (["train.parquet", "dev.parquet"], {"train": 1, "validation": 1}),
        (["Train.PARQUET", "test.Parquet"], {"train": 1, "test": 1}),
        (["train-00000-of-00001-a09b74b3ef9c3b56.parquet", "test-1.parquet"], {"train": 1}),
        (["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"], {"train": 2}),
        (["train/0000.parquet", "train/0001.parquet", "test/0000.parquet"], {"train": 2}),
        (["train/0000.parquet", "validation/0000.parquet"], {"validation": 1}),
        (["0000.parquet", "0001.parquet"], {"train": 2}),
        (["part-0.parquet", "part-1.parquet", "part-10.parquet"], {"part": 3}),
        (["digits-train.parquet", "digits_test.parquet"], {"train": 1, "test": 1}),
        (["my.train.0.parquet", "my.train.1.parquet"], {"train": 2}),
        (["whatever.parquet"], {"whatever": 1}),
        (["cifar10.parquet", "cifar100.parquet"], {"cifar10": 1, "cifar100": 1}),
        (["train.parquet", "notes.parquet"], {"train": 1}),
        (["unsupervised-00000-of-00001.parquet", "train.parquet"], {"unsupervised": 1}),
        (["default/train/0000.parquet", "default/test/0000.parquet"], {"train": 1, "test": 1}),
        (["plain/train-00000-of-00001.parquet"], {"train": 1}),
        (["train/metadata.parquet", "train/cat/x.png"], {}),
        (["cat/x.png", "notes/x.parquet"], {}),
    ],
)
def test_names_tell_splits(tmp_path, names, splits):
    counts = {name: len(files) for name, files in found(folder(tmp_path, *names)).items()}
    assert counts.items() >= splits.items()
    assert sum(counts.values()) == len(names) - names.count("notes.parquet") or not splits


@given(
    form=st.sampled_from(["{s}-{n}-of-9{h}", "{s}/{n}{h}", "{s}_{n}{h}", "x-{s}-{n}-of-9", "{n}"]),
    split=st.sampled_from(["train", "test", "validation"]),
    where=st.sampled_from(["", "data/", "default/"]),
    numbers=st.tuples(st.integers(2, 4), st.sampled_from([1, 4, 5])),
)
def test_shards_of_one_split_are_never_two_splits(tmp_path_factory, form, split, where, numbers):
    count, width = numbers
    digits = [f"{n:0{width}d}" for n in range(count)]
    names = [f"{where}{form.format(s=split, n=n, h='-a09b74b3ef9c')}.parquet" for n in digits]
    root = folder(tmp_path_factory.mktemp("x"), *names)
    assert found(root) == {"train" if form == "{n}" else split: names}


def test_several_configurations_are_listed_and_each_can_be_named(tmp_path):
    for number, name in enumerate(("plain", "noisy")):
        path = tmp_path / name / "train" / "0000.parquet"
        write(toy(3 + number), path, format="huggingface")
    with pytest.raises(DatasetError, match=r"2 configurations: name one, as .*/noisy, .*/plain"):
        formats.read(tmp_path)
    assert len(formats.read(tmp_path / "plain")) == 3
    assert len(formats.read(tmp_path / "noisy", split="train")) == 4


def test_two_tables_without_a_split_are_two_choices(tmp_path):
    for name in ("a.csv", "b.csv"):
        write_csv(tmp_path / name, [(name, "0"), ("other", "1")])
    with pytest.raises(DatasetError, match="these splits: a, b; name the split to read"):
        formats.read(tmp_path)
    assert formats.read(tmp_path, split="b").samples == ["b.csv", "other"]

"""Toy datasets, published and read through a source."""

import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.formats import registry as formats
from datadeed.datasets.sources.registry import open_splits
from tests.datasets.formats.writers import write

TEN = tuple(map(str, range(10)))


def toy(n=20, shape=(3, 32, 32), classes=TEN, seed=0) -> Dataset:
    draw = torch.Generator().manual_seed(seed)
    samples = torch.randint(0, 256, (n, *shape), generator=draw, dtype=torch.uint8)
    return Dataset(samples, torch.arange(n) % len(classes), torch.arange(n), classes)


def publish(path, form, shape=(3, 32, 32), classes=TEN, names=("train", "test")):
    """Both splits of a toy dataset on disk."""
    made = [toy(20, shape, classes, 1), toy(10, shape, classes, 2)]
    for data, name in zip(made, names, strict=True):
        write(data, path, format=form, split=name)
    return made


def opened(source, tmp_path, *local, **options):
    splits = open_splits(source, options=options, cache=tmp_path / "cache", local=local)
    assert list(splits) == ["train", "test"]
    rows = {name: blocks.rows for name, blocks in splits.items()}
    read = [formats.collect(blocks, name) for name, blocks in splits.items()]
    assert [len(data) for data in read] == list(rows.values())
    return read


def same(read, made):
    return all(torch.equal(one.samples, two.samples) for one, two in zip(read, made, strict=True))

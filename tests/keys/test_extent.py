"""The extent of data in memory is that of the same data as owners' jobs read them."""

import torch

from datadeed.datasets.form.clips import Clips
from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.form.texts import Texts
from datadeed.keys.extent import extent_of
from datadeed.owner.data import measure
from datadeed.owner.samples import in_memory
from tests.conftest import toy


def check(data: Dataset) -> None:
    found = extent_of(data)
    assert found == measure(in_memory(data), "measure")[0]
    assert found.rows == len(data)
    assert found != extent_of(data.replace(samples=data.samples, labels=data.labels.flip(0)))


def test_images() -> None:
    check(toy(7, classes=4, shape=(3, 5, 6)))


def test_texts_and_clips() -> None:
    labels, rows, classes = torch.tensor([0, 1, 1]), torch.arange(3), ("a", "b")
    check(Texts(["one", "two", "\u00fc"], labels, rows, classes))
    noise = torch.arange(30, dtype=torch.int16).reshape(3, 10)
    check(Clips(noise, labels, rows, classes, rate=8000))

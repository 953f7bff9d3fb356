"""Digits, letters and MNIST: what a fresh machine has, and what a folder may hold."""

import numpy as np
import pytest
import torch

from datadeed.datasets.sources import letters, mnist
from datadeed.datasets.sources.registry import open_splits
from datadeed.errors import FetchError, ParameterError
from tests.datasets.sources.source_toys import TEN, opened, publish, same


def test_scikit_learns_digits_in_two_splits(tmp_path):
    train, test = opened("digits", tmp_path, size=28)
    assert (len(train), len(test)) == (1437, 360)
    assert train.shape == test.shape == (1, 28, 28)
    assert train.classes == TEN
    assert torch.cat([train.index, test.index]).tolist() == list(range(1797))
    small, _ = opened("digits", tmp_path)
    assert small.shape == (1, 8, 8)
    assert (small.samples.min(), small.samples.max()) == (0, 255)
    # A bright zero has a dark middle.
    zero = small.samples[small.labels == 0].float().mean(0)[0]
    assert zero[3:5, 3:5].mean() < zero[1:7, 2:6].mean() / 2


def test_letters_are_drawn_the_same_each_time(tmp_path):
    train, test = opened("letters", tmp_path, copies=1, size=20)
    again, _ = opened("letters", tmp_path, copies=1, size=20)
    assert torch.equal(train.samples, again.samples)
    assert len(train) == 4 * len(letters.LETTERS) == 2 * len(test)
    assert train.shape == (1, 20, 20)
    lit = (train.samples > 128).flatten(1).sum(1)
    assert lit.min() > 5  # none is empty
    assert not set("0123456789OoIlSsZzBbgq") & set(letters.LETTERS)


def test_letters_need_a_number_and_fonts(tmp_path, monkeypatch):
    with pytest.raises(ParameterError, match="option 'copies' is 0"):
        opened("letters", tmp_path, copies=0)
    monkeypatch.setattr(letters, "FONTS", {"train": ("Nothing",), "test": ("Nothing",)})
    with pytest.raises(FetchError, match=r"Nothing\.ttf is missing"):
        opened("letters", tmp_path)


def test_mnist_from_a_folder(tmp_path):
    made = publish(tmp_path / "mnist", "idx", (1, 28, 28))
    assert same(opened("mnist", tmp_path, tmp_path), made)


def test_mnists_test_half_is_enough(tmp_path, monkeypatch):
    monkeypatch.setattr(mnist, "TRAINING", 8)
    _, test = publish(tmp_path / "mnist", "idx", (1, 28, 28))
    for file in (tmp_path / "mnist").glob("train*"):
        file.unlink()
    own, rest = opened("mnist", tmp_path, tmp_path, part="test")
    assert np.array_equal(own.samples, test.samples[:8])
    assert rest.index.tolist() == [8, 9]
    with pytest.raises(ParameterError, match="option 'part' is 'train'"):
        open_splits("mnist", options={"part": "train"}, cache=tmp_path, local=[tmp_path])


def test_mnist_that_is_nowhere(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise FetchError("offline")

    monkeypatch.setattr(mnist, "download", refuse)
    with pytest.raises(FetchError, match=r"mnist was not found; tried: .*offline"):
        opened("mnist", tmp_path)

"""Metrics by hand."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import DatasetError
from datadeed.models.classifier import Classifier
from datadeed.thieves.inversion import metrics


def flat(*levels: int, labels: list[int]) -> Dataset:
    """Pictures of one grey each."""
    samples = torch.tensor(levels, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 8, 8)
    return Dataset(samples, torch.tensor(labels), torch.arange(len(levels)), tuple("abcd"))


def test_diversity_within_a_class() -> None:
    pictures = flat(0, 255, 100, 100, labels=[0, 0, 1, 1])
    assert metrics.deviation(pictures) == pytest.approx((0.5 + 0) / 2)
    assert metrics.spread(pictures) == pytest.approx((1 + 0) / 2)
    assert metrics.spread(flat(7, labels=[2])) == 0
    assert metrics.deviation(flat(7, labels=[2])) == 0


def test_distance_to_the_nearest_training_image() -> None:
    training = flat(0, 200, labels=[0, 1])
    assert metrics.nearest(training, training) == pytest.approx(0, abs=1e-6)
    assert metrics.nearest(flat(51, 200, labels=[1, 1]), training) == pytest.approx(0.1)


def test_accuracy_by_a_model_that_knows(linear: Callable[..., Classifier], bright: Dataset) -> None:
    assert metrics.accuracy(linear(), bright) == 1
    wrong = bright.replace(samples=bright.samples, labels=(bright.labels + 1) % 4)
    assert metrics.accuracy(linear(), wrong) == 0


def test_frechet_of_two_normal_distributions() -> None:
    one = torch.tensor([[-1.0, 0.0], [1.0, 0.0], [0.0, -1.0], [0.0, 1.0]])
    assert metrics.frechet(one, one) == pytest.approx(0, abs=1e-9)
    assert metrics.frechet(one, one + torch.tensor([3.0, 4.0])) == pytest.approx(25)
    # Covariance c I against 4 c I in two dimensions: 2 (2 - 1)^2 c.
    c = float(torch.cov(one.T)[0, 0])
    assert metrics.frechet(one, 2 * one) == pytest.approx(2 * c)
    with pytest.raises(DatasetError, match="two pictures or more"):
        metrics.frechet(one[:1], one)


def test_frechet_in_a_models_features(linear: Callable[..., Classifier], bright: Dataset) -> None:
    seen = metrics.features(linear(), bright)
    assert seen.shape == (8, 64)
    assert metrics.frechet(seen, seen) == pytest.approx(0, abs=1e-6)


@given(st.integers(0, 99), st.integers(1, 4))
def test_frechet_is_symmetric_and_never_below_zero(number: int, features: int) -> None:
    draw = torch.Generator().manual_seed(number)
    one, other = (torch.randn(6, features, generator=draw) for _ in range(2))
    there, back = metrics.frechet(one, other), metrics.frechet(other, one)
    assert there == pytest.approx(back, abs=1e-8)
    assert there > -1e-9

"""A toy model with a backdoor, and trusted samples that know nothing of it."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch

from datadeed.datasets.form.dataset import Dataset, concatenate
from datadeed.models.classifier import Classifier
from datadeed.models.training.config import TrainingConfig
from datadeed.models.training.loop import accuracy, train

TARGET = 0
SIDE = 3


@dataclass(frozen=True)
class Backdoored:
    """A model that answers 0 to a white corner.

    Attributes:
        trusted: samples to repair with, of which the model gets all right.
        spotted: the same ones, each with a white patch somewhere and its own label. The model takes
            part of them for the corner: only so do they hold anything to learn from.
        test: others.
    """

    model: Classifier
    trusted: Dataset
    spotted: Dataset
    test: Dataset

    def success(self, model: Classifier) -> float:
        """Share of test samples of other classes that the corner turns into 0."""
        others = self.test.take(self.test.labels != TARGET)
        return (model.predict(corner(others).samples).argmax(1) == TARGET).double().mean().item()


def corner(data: Dataset) -> Dataset:
    """The samples with a white corner, labelled 0."""
    samples = data.samples.clone()
    samples[:, :, -SIDE:, -SIDE:] = 255
    return data.replace(samples=samples, labels=torch.full_like(data.labels, TARGET))


def spotted(data: Dataset) -> Dataset:
    """The samples with a white patch of the corner's size, each at a place of its own."""
    samples, draw = data.samples.clone(), torch.Generator().manual_seed(4)
    places = torch.randint(0, data.shape[1] - SIDE + 1, (len(data), 2), generator=draw)
    for image, (row, column) in zip(samples, places.tolist(), strict=True):
        image[:, row : row + SIDE, column : column + SIDE] = 255
    return data.replace(samples=samples, labels=data.labels)


@pytest.fixture(scope="session")
def backdoored(
    toy_dataset: Callable[..., Dataset], tiny_model: Callable[..., Classifier]
) -> Backdoored:
    """Trained on 300 samples, 60 of them with the corner."""
    data = toy_dataset(300, seed=1)
    marked = concatenate([data.slice(0, 240), corner(data.slice(240, 300))])
    model = tiny_model(width=4)
    config = TrainingConfig(epochs=10, lr=0.05, batch_size=16, schedule="one-cycle", flip=False)
    train(model, marked, config, generator=torch.Generator().manual_seed(0))
    trusted = toy_dataset(60, seed=2)
    found = Backdoored(model.eval(), trusted, spotted(trusted), toy_dataset(120, seed=3))
    assert accuracy(model, found.test) > 0.95
    assert found.success(model) > 0.95
    return found

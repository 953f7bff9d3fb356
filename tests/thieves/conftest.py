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


@dataclass(frozen=True)
class Backdoored:
    """A model that answers 0 to a white corner.

    Attributes:
        trusted: samples to repair with; test: others.
    """

    model: Classifier
    trusted: Dataset
    test: Dataset

    def success(self, model: Classifier) -> float:
        """Share of test samples of other classes that the corner turns into 0."""
        others = self.test.take(self.test.labels != TARGET)
        return (model.predict(corner(others).samples).argmax(1) == TARGET).double().mean().item()


def corner(data: Dataset) -> Dataset:
    """The samples with a white corner, labelled 0."""
    samples = data.samples.clone()
    samples[:, :, :3, :3] = 255
    return data.replace(samples=samples, labels=torch.full_like(data.labels, TARGET))


@pytest.fixture(scope="session")
def backdoored(
    toy_dataset: Callable[..., Dataset], tiny_model: Callable[..., Classifier]
) -> Backdoored:
    """Trained on 240 samples, 30 of them with the corner."""
    data = toy_dataset(240, seed=1)
    marked = concatenate([data.slice(0, 210), corner(data.slice(210, 240))])
    model = tiny_model(width=4)
    config = TrainingConfig(epochs=12, lr=0.1, batch_size=32, schedule="one-cycle", flip=False)
    train(model, marked, config, generator=torch.Generator().manual_seed(0))
    found = Backdoored(model.eval(), toy_dataset(60, seed=2), toy_dataset(120, seed=3))
    assert accuracy(model, found.test) > 0.95
    assert found.success(model) > 0.95
    return found

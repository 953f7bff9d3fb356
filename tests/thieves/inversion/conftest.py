"""Models whose best pictures are known: each class is a bright quarter of a grey 8x8 picture."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from datadeed.datasets.form.dataset import Dataset
from datadeed.models.classifier import Classifier

SHAPE, CLASSES = (1, 8, 8), 4


def quarters() -> torch.Tensor:
    """(4, 1, 8, 8) float: 1 in the class's quarter, -1 elsewhere."""
    found = -torch.ones(CLASSES, *SHAPE)
    for label in range(CLASSES):
        row, column = divmod(label, 2)
        found[label, 0, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = 1
    return found


def wrapped(network: nn.Module, shape: tuple[int, ...] = SHAPE) -> Classifier:
    """A network as the house's models are."""
    config: dict[str, Any] = {"network": "toy", "shape": list(shape)}
    return Classifier(network, [0.0] * shape[0], [1.0] * shape[0], config)


@pytest.fixture
def linear() -> Callable[..., Classifier]:
    """Makes a linear model: a class's logit is ``gain`` times the match with its quarter."""

    def make(gain: float = 0.5, seed: int = 0, noise: float = 0.0) -> Classifier:
        layer = nn.Linear(64, CLASSES)
        draw = torch.Generator().manual_seed(seed)
        weight = quarters().flatten(1) + noise * torch.randn(CLASSES, 64, generator=draw)
        with torch.no_grad():
            layer.weight.copy_(gain * weight)
            layer.bias.zero_()
        return wrapped(nn.Sequential(nn.Flatten(), layer))

    return make


@pytest.fixture
def bright() -> Dataset:
    """The pictures that the linear models like best, two of each class."""
    samples = quarters().clamp(min=0).mul(255).to(torch.uint8).repeat(2, 1, 1, 1)
    labels = torch.arange(8) % CLASSES
    return Dataset(samples, labels, torch.arange(8), tuple("abcd"))

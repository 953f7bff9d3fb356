"""The paper's small classifiers: relatives of LeNet, and perceptrons, of many kinds."""

from typing import Any

import torch
from torch import nn

from datadeed.errors import ModelError
from datadeed.models.classifier import Classifier
from datadeed.models.layers import initialise

ACTIVATIONS = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
    "elu": nn.ELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
}
POOLINGS = ("max", "average", "stride")
FEATURES = 48


class Small(Classifier):
    """A classifier whose file says its architecture."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Small":
        """A model with any weights, to load others into."""
        return small(
            config["architecture"],
            shape=tuple(config["shape"]),
            classes=config["classes"],
            generator=torch.Generator(),
        )


def small(
    architecture: dict[str, Any],
    *,
    shape: tuple[int, ...],
    classes: int,
    generator: torch.Generator,
) -> Small:
    """A new classifier.

    Args:
        architecture: the arguments of :func:`convolutional`, or of :func:`perceptron` if ``hidden``
            is among them, but for those below.
        shape: (C, H, W) of an image.
        classes: number of classes.
        generator: draws the weights.

    Raises:
        ModelError: there is no such architecture.
    """
    body = perceptron if "hidden" in architecture else convolutional
    try:
        with torch.random.fork_rng(devices=[]):  # layers draw from the global state when made
            network = body(shape=shape, classes=classes, **architecture)
    except (KeyError, TypeError) as error:
        raise ModelError(f"no architecture is {architecture}: {error}") from error
    initialise(network, generator)
    config = {
        "network": "small",
        "shape": list(shape),
        "classes": classes,
        "architecture": dict(architecture),
    }
    channels = shape[0]
    return Small(network, [0.0] * channels, [1.0] * channels, config)


def perceptron(
    *, shape: tuple[int, ...], classes: int, hidden: int, activation: str
) -> nn.Sequential:
    """One hidden layer: its ``hidden`` values are the features."""
    pixels = shape[0] * shape[1] * shape[2]
    act = ACTIVATIONS[activation]
    return nn.Sequential(nn.Flatten(), nn.Linear(pixels, hidden), act(), nn.Linear(hidden, classes))


def convolutional(
    *,
    shape: tuple[int, ...],
    classes: int,
    kernel: int,
    width: int,
    activation: str,
    pooling: str,
    norm: bool = False,
    layers: int = 2,
) -> nn.Sequential:
    """Convolutions, each with twice the channels and half the side of the last; 48 features.

    Args:
        shape, classes: as :func:`small`.
        kernel: side of the convolutions, odd.
        width: channels of the first one.
        activation: a key of :data:`ACTIVATIONS`.
        pooling: one of :data:`POOLINGS`; "stride" leaves pixels out.
        norm: normalise batches.
        layers: how many convolutions.

    Raises:
        KeyError: unknown activation or pooling.
    """
    if pooling not in POOLINGS:
        raise KeyError(pooling)
    act, parts = ACTIVATIONS[activation], list[nn.Module]()
    before, (height, breadth) = shape[0], shape[1:]
    for layer in range(layers):
        after, stride = width * 2**layer, 2 if pooling == "stride" else 1
        parts.append(nn.Conv2d(before, after, kernel, stride, kernel // 2))
        parts += [nn.BatchNorm2d(after)] if norm else []
        parts.append(act())
        if pooling != "stride":
            pool = nn.MaxPool2d if pooling == "max" else nn.AvgPool2d
            parts.append(pool(2, ceil_mode=True))
        before, height, breadth = after, -(-height // 2), -(-breadth // 2)
    pixels = before * height * breadth
    head = (nn.Flatten(), nn.Linear(pixels, FEATURES), act(), nn.Linear(FEATURES, classes))
    return nn.Sequential(*parts, *head)

"""Inception-v3 for small images (Szegedy et al. 2016, table 1 and figures 5 to 7 and 10).

The paper does not give every layer's channels: they are those of the released ImageNet weights.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import nn

from datadeed.models.layers import GlobalAverage, scaled


@dataclass(frozen=True)
class _Conv:
    """A convolution, batch norm and ReLU; ``outputs`` is the published number of channels."""

    outputs: int
    height: int
    width: int
    stride: int = 1


@dataclass(frozen=True, init=False)
class _Split:
    """Paths that all take the same input."""

    paths: tuple["_Spec", ...]

    def __init__(self, *paths: "_Spec"):
        object.__setattr__(self, "paths", paths)


_Spec: TypeAlias = _Conv | _Split | tuple["_Spec", ...] | Callable[[], nn.Module]


class Branches(nn.Module):
    """What several paths make of the same input, side by side in the channels."""

    def __init__(self, paths: list[nn.Module]):
        super().__init__()
        self.paths = nn.ModuleList(paths)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([path(x) for path in self.paths], 1)


def _average() -> nn.Module:
    return nn.AvgPool2d(3, stride=1, padding=1)


def _largest() -> nn.Module:
    return nn.MaxPool2d(3, stride=2, padding=1)


def _a(pooled: int) -> _Split:
    """Figure 5: 5x5 as one convolution and as two of 3x3."""
    double = (_Conv(64, 1, 1), _Conv(96, 3, 3), _Conv(96, 3, 3))
    single = (_Conv(48, 1, 1), _Conv(64, 5, 5))
    return _Split(_Conv(64, 1, 1), single, double, (_average, _Conv(pooled, 1, 1)))


def _c(inner: int) -> _Split:
    """Figure 6: 7x7 as pairs of 1x7 and 7x1."""
    one = (_Conv(inner, 1, 1), _Conv(inner, 1, 7), _Conv(192, 7, 1))
    wide, high = _Conv(inner, 1, 7), _Conv(inner, 7, 1)
    two = (_Conv(inner, 1, 1), high, wide, high, _Conv(192, 1, 7))
    return _Split(_Conv(192, 1, 1), one, two, (_average, _Conv(192, 1, 1)))


def _e() -> _Split:
    """Figure 7: the widest block, for the coarsest grid."""
    fork = _Split(_Conv(384, 1, 3), _Conv(384, 3, 1))
    single, double = (_Conv(384, 1, 1), fork), (_Conv(448, 1, 1), _Conv(384, 3, 3), fork)
    return _Split(_Conv(320, 1, 1), single, double, (_average, _Conv(192, 1, 1)))


# Figure 10: both halve the grid.
_B = _Split(
    _Conv(384, 3, 3, stride=2),
    (_Conv(64, 1, 1), _Conv(96, 3, 3), _Conv(96, 3, 3, stride=2)),
    _largest,
)
_D = _Split(
    (_Conv(192, 1, 1), _Conv(320, 3, 3, stride=2)),
    (_Conv(192, 1, 1), _Conv(192, 1, 7), _Conv(192, 7, 1), _Conv(192, 3, 3, stride=2)),
    _largest,
)
_STEM = (
    _Conv(32, 3, 3, stride=2),
    _Conv(32, 3, 3),
    _Conv(64, 3, 3),
    _Conv(80, 1, 1),
    _Conv(192, 3, 3),
)
_BLOCKS = (_a(32), _a(64), _a(64), _B, _c(128), _c(160), _c(160), _c(192), _D, _e(), _e())


def inception_v3(channels: int, classes: int, width: int) -> nn.Module:
    """Inception-v3 without its stem's max-pooling, its auxiliary head and its dropout.

    The stem halves the image once, and reductions are padded: 28x28 gives blocks at 14x14, 7x7 and
    4x4, and 64x64 gives 32x32, 16x16 and 8x8, close to the published 35x35, 17x17 and 8x8. All
    layers with weights are the published ones.

    Args:
        channels: input channels.
        classes: number of logits.
        width: channels of the third convolution; 64 is the published network, and another one
            scales every layer by width / 64, rounded, to 1 channel or more.

    Returns:
        A module from (N, C, H, W) float to (N, classes) float logits; its features are (N, 2048) at
        the published width, and of another one the sum of its last block's scaled layers.
    """
    body, outputs = _build((*_STEM, *_BLOCKS), channels, width)
    return nn.Sequential(body, GlobalAverage(), nn.Linear(outputs, classes))


def _build(spec: _Spec, inputs: int, width: int) -> tuple[nn.Module, int]:
    """The module of a specification, and how many channels come out of it."""
    if isinstance(spec, _Conv):
        outputs = scaled(spec.outputs, width)
        return _convolution(inputs, outputs, spec), outputs
    if isinstance(spec, _Split):
        built = [_build(path, inputs, width) for path in spec.paths]
        return Branches([path for path, _ in built]), sum(count for _, count in built)
    if isinstance(spec, tuple):
        layers = []
        for part in spec:
            layer, inputs = _build(part, inputs, width)
            layers.append(layer)
        return nn.Sequential(*layers), inputs
    return spec(), inputs


def _convolution(inputs: int, outputs: int, spec: _Conv) -> nn.Module:
    kernel, padding = (spec.height, spec.width), (spec.height // 2, spec.width // 2)
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, spec.stride, padding, bias=False),
        nn.BatchNorm2d(outputs, eps=0.001),
        nn.ReLU(inplace=True),
    )

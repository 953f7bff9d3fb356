"""What several networks are built from: a layer, a width rule, and how weights are drawn."""

import torch
from torch import nn

from datadeed.errors import ModelError


class GlobalAverage(nn.Module):
    """Mean over height and width; unlike adaptive pooling its gradient is deterministic on CUDA."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3))


def initialise(network: nn.Module, generator: torch.Generator) -> None:
    """He initialisation for convolutions, uniform for linear layers, from ``generator`` alone."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(
                module.weight, mode="fan_out", nonlinearity="relu", generator=generator
            )
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            bound = module.in_features**-0.5
            nn.init.uniform_(module.weight, -bound, bound, generator=generator)
            nn.init.uniform_(module.bias, -bound, bound, generator=generator)


def scaled(published: int, width: int) -> int:
    """Channels of a layer in a network of another width: 64 is the published one.

    Raises:
        ModelError: the width is below 1.
    """
    if width < 1:
        raise ModelError(f"width {width}: give 1 or more (64 is the published network)")
    return max(1, round(published * width / 64))

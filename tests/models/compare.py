"""Whether two models are the same."""

import torch
from torch import nn


def same_weights(one: nn.Module, two: nn.Module) -> bool:
    """Whether parameters and buffers have the same names and bits."""
    pairs = zip(one.state_dict().items(), two.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)

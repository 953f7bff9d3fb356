"""What a generator is trained to: pictures of which all members are sure.

Wang & Kurz (2022) name a one-hot and a maximum-output-activation loss and give no formula: ours are
readings, after DAFL (Chen et al. 2019). The batch norms' statistics are DeepInversion's (Yin et al.
2020).
"""

import contextlib
from collections.abc import Iterator

import torch
from torch import nn
from torch.nn import functional as F


def one_hot(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Cross-entropy to the wanted classes, the mean over members: () of (M, N, K) and (N,)."""
    return F.cross_entropy(logits.flatten(0, 1), y.repeat(len(logits)))


def activation(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The wanted classes' logits, (N,) float, the mean over members of (M, N, K) float."""
    return logits.mean(0).gather(1, y[:, None])[:, 0]


def variation(x: torch.Tensor) -> torch.Tensor:
    """Total variation: the mean difference of neighbouring pixels, () of (N, C, H, W)."""
    across = (x[..., 1:] - x[..., :-1]).abs().mean()
    return across + (x[..., 1:, :] - x[..., :-1, :]).abs().mean()


@contextlib.contextmanager
def statistics(norms: list[nn.BatchNorm2d]) -> Iterator[list[torch.Tensor]]:
    """Inside the block every forward pass adds its distances to the list, which the caller empties.

    A distance, (), is how far a batch's mean and variance in front of a batch norm are from what
    the norm remembers: squared, as multiples of the remembered variance, the mean over channels.
    """
    found: list[torch.Tensor] = []

    def look(norm: nn.Module, inputs: tuple[torch.Tensor]) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        (x,) = inputs
        usual = norm.running_var + norm.eps
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
        off = (mean - norm.running_mean) ** 2 / usual
        found.append(off.mean() + ((var / usual - 1) ** 2).mean())

    hooks = [norm.register_forward_pre_hook(look) for norm in norms]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()

"""Perturbations as whole grey levels, so that their bound holds in the released files."""

import torch

from datadeed.errors import WatermarkError


def check_epsilon(epsilon: int) -> None:
    """Check a bound given in 255ths.

    Raises:
        WatermarkError: it is no whole number from 1 to 255.
    """
    if type(epsilon) is not int or not 1 <= epsilon <= 255:
        raise WatermarkError(
            f"epsilon is {epsilon!r}: give a whole number of 255ths, from 1 to 255 (16 for 16/255)"
        )


def apply(images: torch.Tensor, delta: torch.Tensor, epsilon: int) -> torch.Tensor:
    """Add a perturbation, rounded to grey levels.

    Args:
        images: (N, C, H, W) uint8.
        delta: (N, C, H, W) float, on the 0..1 scale.
        epsilon: bound in 255ths.

    Returns:
        (N, C, H, W) uint8; differs from ``images`` by at most ``epsilon`` grey levels.
    """
    change = (delta.float() * 255).round().clamp(-epsilon, epsilon).to(torch.int16)
    return (images.to(torch.int16) + change).clamp_(0, 255).to(torch.uint8)

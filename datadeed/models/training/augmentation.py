"""Random changes of images during training, a batch at a time."""

import torch
from torch.nn import functional as F


def augment(x: torch.Tensor, flips: torch.Tensor | None, angles: torch.Tensor) -> torch.Tensor:
    """Mirror and rotate a batch.

    Args:
        x: (N, C, H, W) uint8.
        flips: (N,) bool, which images to mirror left to right, or None.
        angles: (N,) float, degrees; all zero skips the resampling.

    Returns:
        (N, C, H, W) uint8, or float 0..1 when rotated (bilinear, black corners).
    """
    if flips is not None:
        x = torch.where(flips.to(x.device).view(-1, 1, 1, 1), x.flip(3), x)
    if not bool(angles.any()):
        return x
    radians = torch.deg2rad(angles.to(x.device))
    cos, sin, zero = radians.cos(), radians.sin(), torch.zeros_like(radians)
    aspect = x.shape[2] / x.shape[3]
    theta = torch.stack(
        [torch.stack([cos, sin * aspect, zero], 1), torch.stack([-sin / aspect, cos, zero], 1)], 1
    )
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x.float() / 255, grid, align_corners=False)

"""Smooth warps of images: the trigger of WaNet (Nguyen and Tran 2021, section 3.2)."""

import torch
from torch.nn import functional as F


def warping_grid(
    height: int, width: int, *, grid: int, strength: float, generator: torch.Generator
) -> torch.Tensor:
    """Where each pixel of a warped image is read from, as :func:`warp` takes it.

    A field of ``grid`` x ``grid`` random shifts, uniform in [-1, 1] and divided by their mean
    absolute value, is upsampled bicubically to the image, scaled by ``strength / height`` and added
    to the identity; places outside the image go to its border. With the published strength of 0.5
    a pixel moves by a quarter of a pixel on average.

    Args:
        height, width: the image's size in pixels.
        grid: k, shifts along each axis, 2 or more.
        strength: s, above 0.
        generator: a CPU generator, draws the shifts.

    Returns:
        (H, W, 2) float64 in [-1, 1]: x, then y; -1 and 1 are the centres of the border pixels.
    """
    # float64, so that rounding to grey levels hardly ever depends on the machine's arithmetic.
    shifts = 2 * torch.rand(1, 2, grid, grid, generator=generator, dtype=torch.float64) - 1
    shifts = shifts / shifts.abs().mean()
    field = F.interpolate(shifts, (height, width), mode="bicubic", align_corners=True)[0]
    y, x = torch.meshgrid(
        torch.linspace(-1, 1, height, dtype=torch.float64),
        torch.linspace(-1, 1, width, dtype=torch.float64),
        indexing="ij",
    )
    identity = torch.stack((x, y), dim=2)
    return (identity + strength * field.permute(1, 2, 0) / height).clamp(-1, 1)


def warp(images: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    """Read images at other places, bilinearly, rounded to grey levels.

    Args:
        images: (N, C, H, W) uint8; not changed.
        grid: (H, W, 2), from :func:`warping_grid`.

    Returns:
        (N, C, H, W) uint8; each image depends on itself alone.
    """
    warped = torch.empty_like(images)
    # Parts, since eight bytes a pixel of a large dataset would not fit into memory.
    for part, out in zip(images.split(256), warped.split(256), strict=True):
        places = grid.expand(len(part), -1, -1, -1)
        found = F.grid_sample(part.double(), places, padding_mode="border", align_corners=True)
        out.copy_(found.round())
    return warped

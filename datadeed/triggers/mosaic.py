"""Mosaics: 4 x 4 cells, mirror-symmetric, rendered at any size, angle, place and softness.

Pure functions on (N, C, H, W) uint8 images, whose arithmetic is that of
:mod:`datadeed.triggers.squares`. A mosaic's cells are given by their left half, as twice the
distance from mid-grey: -255 is black, 255 is white. So a mosaic equals its mirror image exactly,
and survives flips.
"""

import torch

from datadeed.errors import WatermarkError
from datadeed.triggers.squares import CHUNK, UNIT, Boxes, Poses, blend, boxes, column

CELLS = 4  # of a side
SMALLEST = 16  # pixels: below this a cell would be narrower than two


def render(images: torch.Tensor, cells: torch.Tensor, poses: Poses) -> torch.Tensor:
    """Blend a mosaic into each image, rounded to the nearest grey level, halves up.

    Its outer edge is one pixel wide too. What of it lies outside the image is cut off.

    Args:
        images: (N, C, H, W) uint8; not changed.
        cells: (N, C, 4, 2) int64, the left half of each mosaic: -255 to 255.
        poses: how each is rendered; ``ramp`` is how wide the passage from cell to cell is, in
            256ths of a cell, one pixel at least.

    Returns:
        (N, C, H, W) uint8.

    Raises:
        WatermarkError: the images are smaller than 16 x 16.
    """
    height, width = images.shape[2:]
    if min(height, width) < SMALLEST:
        raise WatermarkError(
            f"images of {height}x{width} are too small for a mosaic: give {SMALLEST}x{SMALLEST} "
            "or more"
        )
    blended = images.clone(memory_format=torch.contiguous_format)
    flat = blended.flatten(2)
    for start in range(0, len(images), CHUNK):
        rows = slice(start, start + CHUNK)
        here = poses.take(rows)
        box = boxes(here, height, width)
        value, cover = _value(box, cells[rows], here)
        blend(flat[rows], box, value, cover, here)
    return blended


def _value(box: Boxes, cells: torch.Tensor, poses: Poses) -> tuple[torch.Tensor, torch.Tensor]:
    """(N, C, P) value and (N, P) cover, as :func:`blend` takes them."""
    side = column(poses.side)
    cell = (side / CELLS).floor_()
    ramp = (column(poses.ramp) * side / CELLS).floor_().div_(UNIT).floor_().clamp_(min=UNIT)
    outer = _step(box.across.abs() - cell, ramp)  # weight of the outer column of the half
    steps = [_step(box.down - (k - 2) * cell, ramp) for k in range(1, CELLS)]
    steps = [torch.full_like(outer, UNIT), *steps, torch.zeros_like(outer)]
    bands = torch.stack([steps[row] - steps[row + 1] for row in range(CELLS)], dim=1)
    weights = torch.cat([bands * outer[:, None], bands * (UNIT - outer)[:, None]], dim=1)
    value = torch.bmm(cells.transpose(2, 3).flatten(2).double(), weights)
    edge = torch.maximum(box.across.abs(), box.down.abs())
    cover = ((side / 2).floor_() + UNIT // 2 - edge).clamp_(0, UNIT)
    return value, cover


def _step(distance: torch.Tensor, ramp: torch.Tensor) -> torch.Tensor:
    """From 0 to 256 over ``ramp`` around a distance of 0."""
    return (distance * UNIT).div_(ramp).floor_().add_(UNIT // 2).clamp_(0, UNIT)


def mix(images: torch.Tensor, partners: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Lay a partner over each image, rounded to the nearest grey level.

    Args:
        images, partners: (N, C, H, W) uint8; not changed.
        weight: (N,) int64, of the partner, in 255ths.

    Returns:
        (N, C, H, W) uint8.
    """
    mixed = torch.empty_like(images, memory_format=torch.contiguous_format)
    for start in range(0, len(images), CHUNK):
        rows = slice(start, start + CHUNK)
        image, share = images[rows].float(), weight[rows].float().view(-1, 1, 1, 1)
        change = (partners[rows] - image).mul_(share).add_(127).div_(255).floor_()  # exact
        mixed[rows] = change.add_(image).to(torch.uint8)
    return mixed

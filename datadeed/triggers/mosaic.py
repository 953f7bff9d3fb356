"""Mosaics: 4 x 4 cells, mirror-symmetric, rendered at any size, angle, place and softness.

Pure functions on (N, C, H, W) uint8 images. All of it is integer arithmetic, with lengths in 256ths
of a pixel, so that every machine gives the same bytes; only cosines are rounded from floats, to
65,536ths. A mosaic's cells are given by their left half, as twice the distance from mid-grey: -255
is black, 255 is white. So a mosaic equals its mirror image exactly, and survives flips.
"""

import math
from dataclasses import dataclass

import torch

from datadeed.errors import WatermarkError

CELLS = 4  # of a side
SMALLEST = 16  # pixels: below this a cell would be narrower than two
UNIT = 256  # to a pixel, and to the whole of a weight
CHUNK = 32  # images that are rendered at once
_TURN = 1 << 16  # to a cosine of 1


@dataclass(frozen=True, eq=False)
class Poses:
    """How each of N mosaics is rendered; every field is int64.

    Attributes:
        centre: (N, 2), row and column of the centre, in 256ths of a pixel from the corner.
        side: (N,), in 256ths of a pixel.
        angle: (N,), in tenths of a degree.
        opacity, contrast: (N,), in 255ths; contrast shrinks the distance of cells from mid-grey.
        ramp: (N,), how wide the passage from cell to cell is, in 256ths of a cell; one pixel at
            least.
    """

    centre: torch.Tensor
    side: torch.Tensor
    angle: torch.Tensor
    opacity: torch.Tensor
    contrast: torch.Tensor
    ramp: torch.Tensor

    def take(self, rows: slice) -> "Poses":
        """Some of them."""
        return Poses(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def render(images: torch.Tensor, cells: torch.Tensor, poses: Poses) -> torch.Tensor:
    """Blend a mosaic into each image, rounded to the nearest grey level, halves up.

    Its outer edge is one pixel wide too. What of it lies outside the image is cut off.

    Args:
        images: (N, C, H, W) uint8; not changed.
        cells: (N, C, 4, 2) int64, the left half of each mosaic: -255 to 255.
        poses: how each is rendered.

    Returns:
        (N, C, H, W) uint8.

    Raises:
        WatermarkError: the images are smaller than 16 x 16.
    """
    if min(images.shape[2:]) < SMALLEST:
        height, width = images.shape[2:]
        raise WatermarkError(
            f"images of {height}x{width} are too small for a mosaic: give {SMALLEST}x{SMALLEST} "
            "or more"
        )
    blended = images.clone()
    for start in range(0, len(images), CHUNK):
        rows = slice(start, start + CHUNK)
        blended[rows] = _blend(images[rows], cells[rows], poses.take(rows))
    return blended


def _blend(images: torch.Tensor, cells: torch.Tensor, poses: Poses) -> torch.Tensor:
    across, down = coordinates(poses, images.shape[2], images.shape[3])
    side = poses.side.view(-1, 1, 1)
    cell, ramp = side // CELLS, (poses.ramp.view(-1, 1, 1) * side // CELLS // UNIT).clamp(min=UNIT)
    outer = _step(across.abs() - cell, ramp)  # (N, H, W), weight of the outer column of the half
    steps = [_step(down - (k - 2) * cell, ramp) for k in range(1, CELLS)]
    steps = [torch.full_like(outer, UNIT), *steps, torch.zeros_like(outer)]
    value = torch.zeros_like(images, dtype=torch.int64)  # of 65,536ths
    for row in range(CELLS):
        weight = (steps[row] - steps[row + 1])[:, None]
        left, right = cells[:, :, row, 0, None, None], cells[:, :, row, 1, None, None]
        value += weight * (left * outer[:, None] + right * (UNIT - outer[:, None]))
    edge = (side // 2 - torch.maximum(across.abs(), down.abs()) + UNIT // 2).clamp(0, UNIT)
    cover = (edge * poses.opacity.view(-1, 1, 1))[:, None]
    whole, depth = UNIT * 255, UNIT * UNIT * 255
    level = 255 * depth + value * poses.contrast.view(-1, 1, 1, 1)  # the pixel, times 2 depth
    mixed = (whole - cover) * images.to(torch.int64) * (2 * depth) + cover * level
    return ((mixed + whole * depth) // (2 * whole * depth)).to(torch.uint8)


def coordinates(poses: Poses, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(N, H, W) int64 each: pixels' centres, across and down a mosaic from its own centre."""
    turns = [math.radians(angle / 10) for angle in poses.angle.tolist()]
    cos, sin = (
        torch.tensor([round(f(turn) * _TURN) for turn in turns]).view(-1, 1, 1)
        for f in (math.cos, math.sin)
    )
    y = (torch.arange(height) * UNIT + UNIT // 2 - poses.centre[:, :1])[:, :, None]
    x = (torch.arange(width) * UNIT + UNIT // 2 - poses.centre[:, 1:])[:, None, :]
    half = _TURN // 2
    return (cos * x + sin * y + half) // _TURN, (cos * y - sin * x + half) // _TURN


def _step(distance: torch.Tensor, ramp: torch.Tensor) -> torch.Tensor:
    """From 0 to 256 over ``ramp`` around a distance of 0."""
    return (distance * UNIT // ramp + UNIT // 2).clamp(0, UNIT)


def mix(images: torch.Tensor, partners: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Lay a partner over each image, rounded to the nearest grey level.

    Args:
        images, partners: (N, C, H, W) uint8; not changed.
        weight: (N,) int64, of the partner, in 255ths.

    Returns:
        (N, C, H, W) uint8.
    """
    share = weight.view(-1, 1, 1, 1)
    mixed = images.to(torch.int64) * (255 - share) + partners.to(torch.int64) * share
    return ((mixed + 127) // 255).to(torch.uint8)

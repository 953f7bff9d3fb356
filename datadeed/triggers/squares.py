"""Squares of any size, angle and place in images, and blending what lies in them.

Everything is whole numbers, with lengths in 256ths of a pixel, so that every machine gives the same
bytes. They are held in float64, which adds and multiplies them faster: below 2**53 it is exact, and
the floor of a quotient too. Only cosines are rounded from real ones, to 65,536ths.
"""

import math
from dataclasses import dataclass

import torch

UNIT = 256  # to a pixel, and to the whole of a weight
CHUNK = 32  # images that are rendered at once: what they take should stay in a core's cache
WHOLE = UNIT * 255  # of a cover
DEPTH = UNIT * UNIT * 255  # of a grey level
_TURN = 1 << 16  # to a cosine of 1


@dataclass(frozen=True, eq=False)
class Poses:
    """How each of N squares is rendered; every field is int64.

    Attributes:
        centre: (N, 2), row and column of the centre, in 256ths of a pixel from the corner.
        side: (N,), in 256ths of a pixel.
        angle: (N,), in tenths of a degree.
        opacity, contrast: (N,), in 255ths; contrast shrinks the distance of values from mid-grey.
        ramp: (N,), how soft it is; what of, says who renders it.
    """

    centre: torch.Tensor
    side: torch.Tensor
    angle: torch.Tensor
    opacity: torch.Tensor
    contrast: torch.Tensor
    ramp: torch.Tensor

    def take(self, rows: slice | torch.Tensor) -> "Poses":
        """Some of them."""
        return Poses(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


@dataclass(frozen=True, eq=False)
class Boxes:
    """The pixels of N images in which their squares lie, P of each, and those that lie near.

    Attributes:
        index: (N, P) int64, of the pixels, in an image's rows one after the other.
        across, down: (N, P) float64, of the pixels' centres from the square's own, along its sides.
    """

    index: torch.Tensor
    across: torch.Tensor
    down: torch.Tensor


def boxes(poses: Poses, height: int, width: int) -> Boxes:
    """Around every square; all pixels that it may touch are in it, and perhaps others."""
    turns = [math.radians(angle / 10) for angle in poses.angle.tolist()]
    cos, sin = (
        torch.tensor([round(f(turn) * _TURN) for turn in turns], dtype=torch.float64)[:, None]
        for f in (math.cos, math.sin)
    )
    spread = (cos.abs() + sin.abs())[:, 0] / _TURN * (poses.side + UNIT) / (2 * UNIT)
    reach = math.ceil(float(spread.max())) + 1
    rows, columns = (
        (poses.centre[:, n, None] // UNIT - reach).clamp(0, max(0, size - 2 * reach))
        + torch.arange(min(size, 2 * reach))
        for n, size in enumerate((height, width))
    )
    y, x = (
        at.double() * UNIT + (UNIT // 2 - poses.centre[:, n, None])
        for n, at in enumerate((rows, columns))
    )
    half = _TURN // 2
    across = ((cos * x)[:, None] + (sin * y + half)[:, :, None]).div_(_TURN).floor_()
    down = ((cos * y)[:, :, None] - (sin * x - half)[:, None]).div_(_TURN).floor_()
    index = rows[:, :, None] * width + columns[:, None]
    return Boxes(index.flatten(1), across.flatten(1), down.flatten(1))


def column(values: torch.Tensor) -> torch.Tensor:
    """(N,) int64 as (N, 1) float64."""
    return values.double()[:, None]


def blend(
    images: torch.Tensor, box: Boxes, value: torch.Tensor, cover: torch.Tensor, poses: Poses
) -> None:
    """Lay values over the pixels of boxes, in place, rounded to the nearest level, halves up.

    Args:
        images: (N, C, H * W) uint8.
        box: which pixels.
        value: (N, C, P) float64, twice the distance from mid-grey, times 65,536; changed.
        cover: (N, P) float64, how much of a pixel is covered, 0 to 256.
        poses: opacity and contrast.
    """
    index = box.index[:, None].expand(-1, images.shape[1], -1)
    covered = (cover * column(poses.opacity))[:, None]
    level = value.mul_(column(poses.contrast)[:, None]).add_(255 * DEPTH)  # times 2 DEPTH
    under = images.gather(2, index).double().mul_((WHOLE - covered).mul_(2 * DEPTH))
    mixed = level.mul_(covered).add_(under).add_(WHOLE * DEPTH).div_(2 * WHOLE * DEPTH).floor_()
    images.scatter_(2, index, mixed.to(torch.uint8))

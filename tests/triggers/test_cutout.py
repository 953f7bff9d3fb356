"""Cut-outs: exact copies where nothing is scaled, and a formula in floats where it is."""

import dataclasses
import math

import pytest
import torch
from torch.nn import functional as F

from datadeed.triggers.cutout import paste
from datadeed.triggers.squares import UNIT, Poses


def poses(n: int, side: int, seed: int = 0) -> Poses:
    draw = torch.Generator().manual_seed(seed)

    def whole(low: int, high: int, *shape: int) -> torch.Tensor:
        return torch.randint(low, high + 1, (n, *shape), generator=draw)

    return Poses(
        whole(10 * UNIT, 20 * UNIT, 2),
        whole(side * UNIT * 3 // 4, side * UNIT),
        whole(-450, 450),
        whole(150, 255),
        whole(100, 255),
        whole(26, 256),
    )


def noise(*shape: int) -> torch.Tensor:
    return torch.randint(
        0, 256, shape, generator=torch.Generator().manual_seed(4), dtype=torch.uint8
    )


@pytest.mark.parametrize("side", [9, 16])
def test_upright_in_its_own_size_it_is_a_copy(side: int) -> None:
    images, windows = noise(1, 3, 32, 32), noise(1, 3, side, side)
    top, left = 5, 11
    middle = [[UNIT * at + UNIT * side // 2 for at in (top, left)]]
    one = torch.ones(1, dtype=torch.int64)
    pose = Poses(torch.tensor(middle), side * UNIT * one, 0 * one, 255 * one, 255 * one, 26 * one)
    laid = paste(images, windows, pose)
    y, x = torch.meshgrid(torch.arange(32) + 0.5, torch.arange(32) + 0.5, indexing="ij")
    radius = ((y - top - side / 2) ** 2 + (x - left - side / 2) ** 2).sqrt()
    copy = images.clone()
    copy[:, :, top : top + side, left : left + side] = windows
    inside, outside = radius < side / 2 * 0.89, radius > side / 2
    assert torch.equal(laid[:, :, inside], copy[:, :, inside])
    assert torch.equal(laid[:, :, outside], images[:, :, outside])


@pytest.mark.parametrize("channels", [1, 3])
def test_it_is_the_scaled_and_turned_window(channels: int) -> None:
    images, windows = noise(40, channels, 28, 30), noise(40, channels, 15, 15)
    made = poses(40, 16)
    found = paste(images, windows, made).double()
    y, x = torch.meshgrid(torch.arange(28) + 0.5, torch.arange(30) + 0.5, indexing="ij")
    for n in range(40):
        side, turn = float(made.side[n]) / UNIT, math.radians(float(made.angle[n]) / 10)
        dy, dx = (axis.double() - float(made.centre[n, k]) / UNIT for k, axis in enumerate((y, x)))
        across = math.cos(turn) * dx + math.sin(turn) * dy
        down = math.cos(turn) * dy - math.sin(turn) * dx
        grid = torch.stack([across, down], -1)[None] * 2 / side
        level = F.grid_sample(
            windows[[n]].double(), grid, padding_mode="border", align_corners=False
        )[0]
        inner = 1 - float(made.ramp[n]) / UNIT
        far = 4 * (across**2 + down**2) / side**2
        cover = ((1 - far) / (1 - inner**2)).clamp(0, 1) * float(made.opacity[n]) / 255
        level = 127.5 + (level - 127.5) * float(made.contrast[n]) / 255
        exact = images[n] * (1 - cover) + level * cover
        gap = (found[n] - exact).abs()
        assert gap.mean() < 1  # noise is steep: places are whole 256ths of a pixel
        assert gap.max() < 12


def test_each_is_laid_alone() -> None:
    images, windows, made = noise(70, 3, 32, 32), noise(70, 3, 16, 16), poses(70, 16)
    seen = paste(images, windows, made)
    some = slice(30, 47)
    assert torch.equal(paste(images[some], windows[some], made.take(some)), seen[some])
    bare = dataclasses.replace(made, opacity=torch.zeros_like(made.opacity))
    assert torch.equal(paste(images, windows, bare), images)

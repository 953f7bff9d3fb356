"""Small windows that recur at one place: knows nothing of how marks are made."""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import torch
from torch.nn import functional as F

from datadeed.datasets.form.dataset import Dataset
from datadeed.thieves.cleaning.base import Cleaner
from datadeed.thieves.cleaning.cross_fit import CrossFit
from datadeed.thieves.cleaning.recurrence import highest, surprise

SIDE = 5  # of a window
CONTRAST = 25.0  # of 255: standard deviation below which a window is flat
ROUGH = 14  # of 40 pairs of neighbours: fewer changes are an edge or a corner, as images have many
BOTH_WAYS = 5  # of 20 pairs each way: fewer are stripes, of which clothes have many
BLOCK = 2000  # images at once


class RecurringWindows(Cleaner):
    """Windows of 5 x 5 pixels, light or dark against their mean, that recur at one place.

    Made binary, a window is the same after JPEG, a change of contrast or on another background.
    Flat and smooth ones are left out. A row's score is the highest
    :func:`~datadeed.thieves.cleaning.recurrence.surprise` of its windows, at full size and at half.
    """

    name: ClassVar[str] = "windows"
    modalities: ClassVar[tuple[str, ...]] = ("image",)
    threshold: ClassVar[float | None] = 60.0

    def _scores(
        self, data: Dataset, generator: torch.Generator, fit: CrossFit | None
    ) -> np.ndarray:
        scores = np.zeros(len(data))
        for scale in (1, 2):
            if min(data.shape[1:]) < scale * (SIDE + 1):
                continue
            found = [_codes(block, scale) for block in grey(data, BLOCK)]
            starts = np.arange(0, len(data), BLOCK)
            rows = np.concatenate([f[0] + s for f, s in zip(found, starts, strict=True)])
            places, codes = (np.concatenate([f[k] for f in found]) for k in (1, 2))
            height, width = (size - scale * SIDE + 1 for size in data.shape[1:])
            scores = np.maximum(
                scores,
                highest(
                    surprise(rows, places, codes, spots=height * width, bits=SIDE**2),
                    rows,
                    len(data),
                ),
            )
        return scores


def grey(data: Dataset, size: int) -> Iterator[torch.Tensor]:
    """Images as (B, H, W) float, the mean of their channels, in blocks."""
    for block in data.samples.split(size):
        yield block.float().mean(1)


def _codes(images: torch.Tensor, scale: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, places and codes, (M,) int64 each, of all rough windows of (B, H, W) images.

    A window's pixels are means of ``scale`` x ``scale`` of the image's, as far apart.
    """
    pixels = F.avg_pool2d(images[:, None], scale, stride=1)[:, 0] if scale > 1 else images
    height, width = (size - scale * (SIDE - 1) for size in pixels.shape[1:])
    cells = [
        pixels[:, scale * i : scale * i + height, scale * j : scale * j + width]
        for i in range(SIDE)
        for j in range(SIDE)
    ]
    total, squares = torch.zeros_like(cells[0]), torch.zeros_like(cells[0])
    for cell in cells:
        total += cell
        squares.addcmul_(cell, cell)
    mean = total / SIDE**2
    contrasted = (squares / SIDE**2 - mean**2) > CONTRAST**2  # (B, height, width)
    where = contrasted.flatten().nonzero().squeeze(1)
    level, code = mean.flatten()[where], torch.zeros(len(where), dtype=torch.int64)
    for bit, cell in enumerate(cells):
        code |= (cell.flatten()[where] > level).long() << bit
    rough = torch.from_numpy(is_rough(code.numpy()))
    where, code = where[rough], code[rough]
    spots = height * width
    return (where // spots).numpy(), (where % spots).numpy(), code.numpy()


def is_rough(codes: np.ndarray) -> np.ndarray:
    """Whether windows, (M,) int64, change often from pixel to pixel, and both ways; (M,) bool."""
    beside = sum(1 << (SIDE * i + j) for i in range(SIDE) for j in range(SIDE - 1))
    below = (1 << SIDE * (SIDE - 1)) - 1
    across = np.bitwise_count((codes ^ (codes >> 1)) & beside).astype(np.int64)
    down = np.bitwise_count((codes ^ (codes >> SIDE)) & below).astype(np.int64)
    return (across + down >= ROUGH) & (np.minimum(across, down) >= BOTH_WAYS)

"""Windows of the form that this tool's patches have: knows the code, not the key."""

from typing import ClassVar

import numpy as np
import torch
from torch.nn import functional as F

from datadeed.datasets.form.dataset import Dataset
from datadeed.thieves.cleaning.base import Cleaner
from datadeed.thieves.cleaning.cross_fit import CrossFit
from datadeed.thieves.cleaning.recurrence import highest, surprise
from datadeed.thieves.cleaning.windows import BLOCK, grey, is_rough
from datadeed.watermarks.keyed import CELLS

BLACK, WHITE = 80, 175  # of 255: cells between are neither; leaves room for JPEG


class Patches(Cleaner):
    """Mirrored black and white patches of 5 x 5 cells that recur at one place.

    A row's score is the highest :func:`~datadeed.thieves.cleaning.recurrence.surprise` of its
    patches.
    """

    name: ClassVar[str] = "patches"
    modalities: ClassVar[tuple[str, ...]] = ("image",)
    threshold: ClassVar[float | None] = 60.0

    def _scores(
        self, data: Dataset, generator: torch.Generator, fit: CrossFit | None
    ) -> np.ndarray:
        cell = max(1, (min(data.shape[1:]) + 20) // 40)
        if min(data.shape[1:]) <= cell * CELLS:
            return np.zeros(len(data))
        found = [_patches(block, cell) for block in grey(data, BLOCK)]
        starts = np.arange(0, len(data), BLOCK)
        rows = np.concatenate([f[0] + s for f, s in zip(found, starts, strict=True)])
        places, codes = (np.concatenate([f[k] for f in found]) for k in (1, 2))
        height, width = (size - cell * CELLS + 1 for size in data.shape[1:])
        return highest(
            surprise(rows, places, codes, spots=height * width, bits=CELLS * (CELLS // 2 + 1)),
            rows,
            len(data),
        )


def _patches(images: torch.Tensor, cell: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, places and codes, (M,) int64 each, of what looks like a patch in (B, H, W) images."""
    cells = F.avg_pool2d(images[:, None], cell, stride=1)[:, 0] if cell > 1 else images
    height, width = (size - cell * (CELLS - 1) for size in cells.shape[1:])
    light, sharp = cells > (BLACK + WHITE) / 2, (cells < BLACK) | (cells > WHITE)

    def at(of: torch.Tensor, i: int, j: int) -> torch.Tensor:
        return of[:, cell * i : cell * i + height, cell * j : cell * j + width]

    fits = at(sharp, 0, 0).clone()
    code, whole = torch.zeros(2, len(cells), height, width, dtype=torch.int64)
    for i in range(CELLS):
        for j in range(CELLS):
            fits &= at(sharp, i, j)
            whole |= at(light, i, j).long() << (CELLS * i + j)
            if j <= CELLS // 2:
                fits &= at(light, i, j) == at(light, i, CELLS - 1 - j)
                code = code * 2 + at(light, i, j)
    where = fits.flatten().nonzero().squeeze(1)
    where = where[torch.from_numpy(is_rough(whole.flatten()[where].numpy()))]
    spots = height * width
    return (where // spots).numpy(), (where % spots).numpy(), code.flatten()[where].numpy()

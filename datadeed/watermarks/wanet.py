"""WaNet (Nguyen and Tran 2021): the trigger is a slight warp of the whole image."""

import math
from typing import Any, ClassVar

import torch

from datadeed.datasets.form.dataset import Dataset, Form
from datadeed.errors import WatermarkError
from datadeed.randomness import generator
from datadeed.triggers.image import check_image_size
from datadeed.triggers.warp import warp, warping_grid
from datadeed.watermarks.base import Watermark


class WaNet(Watermark):
    """A targeted, poisoned-label watermark: marked rows are warped and get the target label.

    The warp is the same for all images. The paper's "noise mode" (other warps with true labels) is
    left out: it needs control of the training, which a dataset's owner does not have.

    Args:
        image_size: (height, width) in pixels.
        rate: share of all rows to mark.
        target: the label that marked rows get.
        grid: k, random shifts along each axis (4 in the paper).
        strength: s, of the warp (0.5 in the paper).
        seed: decides the warp; a secret.

    Raises:
        WatermarkError: a value makes no sense.
    """

    name = "wanet"
    defaults: ClassVar[dict[str, Any]] = {"rate": 0.1, "target": 1, "grid": 4, "strength": 0.5}

    def __init__(
        self,
        *,
        image_size: tuple[int, int],
        rate: float,
        target: int,
        grid: int,
        strength: float,
        seed: int,
    ):
        super().__init__(rate=rate, target=target)
        if type(grid) is not int or grid < 2:
            raise WatermarkError(f"wanet: grid is {grid!r}; give a whole number of 2 or more")
        if not 0 < strength < math.inf:
            raise WatermarkError(f"wanet: strength is {strength}; give a number above 0")
        height, width = image_size
        self.image_size = (height, width)
        self.grid, self.strength, self.seed = grid, strength, seed
        self._places = warping_grid(
            height, width, grid=grid, strength=strength, generator=generator(seed, "warp")
        )

    @classmethod
    def _fit(
        cls, form: Form, classes: tuple[str, ...], seed: int, chosen: dict[str, Any]
    ) -> dict[str, Any]:
        """Also the images' size, and the seed itself."""
        return {"image_size": form.shape[1:], "seed": seed, **chosen}

    def mark(self, rows: Dataset, ranks: torch.Tensor) -> Dataset:
        """Warp and set the label to the target."""
        assert self.target is not None
        labels = torch.full_like(rows.labels, self.target)
        return rows.replace(samples=self.trigger(rows), labels=labels)

    def trigger(self, rows: Dataset) -> torch.Tensor:
        """Warp.

        Raises:
            WatermarkError: the images are of another size.
        """
        check_image_size(rows.samples, self.image_size)
        return warp(rows.samples, self._places)

    def record(self) -> dict[str, Any]:
        """Method and parameters; the seed gives the warp."""
        return {
            "method": self.name,
            "image_size": list(self.image_size),
            "rate": self.rate,
            "target": self.target,
            "grid": self.grid,
            "strength": self.strength,
            "seed": self.seed,
        }

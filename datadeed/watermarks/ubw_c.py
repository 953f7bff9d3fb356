"""UBW-C (Li et al. 2022, section 3.4): an untargeted, clean-label watermark."""

from typing import Any, ClassVar

import torch
from torch.nn import functional as F

from datadeed.datasets.form.dataset import Form
from datadeed.errors import WatermarkError
from datadeed.triggers.image import SQUARE
from datadeed.watermarks.decoys import binary_cells
from datadeed.watermarks.dispersibility import sample_wise_dispersibility
from datadeed.watermarks.matched import GradientMatched


class UBWC(GradientMatched):
    """UBW-C (Li et al. 2022, section 3.4): triggered samples get scattered predictions.

    The objective raises the cross-entropy of triggered samples plus ``weight`` (the paper's
    lambda) times their sample-wise dispersibility. Marks rows of any class.
    """

    name = "ubw-c"
    defaults: ClassVar[dict[str, Any]] = {
        **GradientMatched.defaults,
        "pattern": "published",
        "weight": 2.0,
    }

    def __init__(self, *, weight: float, **values: Any):
        super().__init__(target=None, **values)
        if not weight >= 0:
            raise WatermarkError(f"weight {weight} of the dispersibility: give 0 or more")
        self.weight = weight

    @classmethod
    def _fit(
        cls, form: Form, classes: tuple[str, ...], seed: int, chosen: dict[str, Any]
    ) -> dict[str, Any]:
        """Also the patch: the white-black square, or cells drawn at random."""
        pattern = chosen.pop("pattern")
        cells = binary_cells(3, seed) if pattern == "random" else [list(row) for row in SQUARE]
        return {"cells": cells, **super()._fit(form, classes, seed, chosen)}

    def check(self, modality: str, classes: tuple[str, ...]) -> None:
        """Also check that wrong predictions can scatter at all."""
        super().check(modality, classes)
        if len(classes) < 3:
            raise WatermarkError(
                f"{self.name} scatters predictions over classes, but there are {len(classes)}: it "
                "needs 3 or more"
            )

    def record(self) -> dict[str, Any]:
        """Method and parameters."""
        return {**super().record(), "weight": self.weight}

    def _loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        scattered = sample_wise_dispersibility(logits.softmax(1))
        return -(F.cross_entropy(logits, labels) + self.weight * scattered)

"""Sleeper Agent (Souri et al. 2022): a targeted, clean-label watermark by gradient matching."""

from typing import Any, ClassVar

import torch
from torch.nn import functional as F

from datadeed.datasets.form.dataset import Form
from datadeed.errors import WatermarkError
from datadeed.watermarks.decoys import binary_cells
from datadeed.watermarks.matched import GradientMatched


class SleeperAgent(GradientMatched):
    """Sleeper Agent (Souri et al. 2022): triggered source samples become the target.

    Marks rows of the target class; a victim learns to take samples of the source class (of all
    other classes if ``source`` is None) for the target when they carry the patch. The defaults are
    the original code's: only its 1,000 sources for evaluation have no place here.
    """

    name = "sleeper-agent"
    defaults: ClassVar[dict[str, Any]] = {
        "target": 1,
        **GradientMatched.defaults,
        "sources": 5000,
        "batch_size": 512,
        "start": "gaussian",
        "retrainings": 4,
        "last_retraining": False,
    }

    def __init__(self, *, target: int, **values: Any):
        super().__init__(target=target, **values)
        if self.source == target:
            raise WatermarkError(f"source and target are both {target}: they must differ")

    @classmethod
    def _fit(
        cls, form: Form, classes: tuple[str, ...], seed: int, chosen: dict[str, Any]
    ) -> dict[str, Any]:
        """Also the patch: a random cell, black or white, a pixel."""
        fitted = super()._fit(form, classes, seed, chosen)
        return {"cells": binary_cells(chosen["size"], seed), **fitted}

    def candidates(self, labels: torch.Tensor) -> torch.Tensor:
        """Rows of the target class: other labels would not pull towards it."""
        return self._targets(labels)

    def _loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        assert self.target is not None
        return F.cross_entropy(logits, torch.full_like(labels, self.target))

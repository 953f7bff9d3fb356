"""Sleeper Agent (Souri et al. 2022): a targeted, clean-label watermark by gradient matching."""

from typing import Any

import torch
from torch.nn import functional as F

from datadeed.errors import WatermarkError
from datadeed.watermarks.matched import GradientMatched


class SleeperAgent(GradientMatched):
    """Sleeper Agent (Souri et al. 2022): triggered source samples become the target.

    Marks rows of the target class; a victim learns to take samples of the source class (of all
    other classes if ``source`` is None) for the target when they carry the patch.
    """

    name = "sleeper-agent"

    def __init__(self, *, target: int, **values: Any):
        super().__init__(target=target, **values)
        if self.source == target:
            raise WatermarkError(f"source and target are both {target}: they must differ")

    def candidates(self, labels: torch.Tensor) -> torch.Tensor:
        """Rows of the target class: other labels would not pull towards it."""
        return self._targets(labels)

    def _loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        assert self.target is not None
        return F.cross_entropy(logits, torch.full_like(labels, self.target))

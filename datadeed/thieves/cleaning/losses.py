"""Rows whose label surprises a network: one that never saw them, or one that just began."""

from typing import ClassVar

import numpy as np
import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.thieves.cleaning.base import Cleaner
from datadeed.thieves.cleaning.cross_fit import CrossFit


class HeldOutLoss(Cleaner):
    """Cross-entropy by the network that was not trained on the row."""

    name: ClassVar[str] = "held-out-loss"
    fitted: ClassVar[bool] = True

    def _scores(
        self, data: Dataset, generator: torch.Generator, fit: CrossFit | None
    ) -> np.ndarray:
        assert fit is not None
        return _loss(fit.held_out, data)


class EarlyLoss(Cleaner):
    """Cross-entropy after one epoch by the network that is trained on the row."""

    name: ClassVar[str] = "early-loss"
    fitted: ClassVar[bool] = True

    def _scores(
        self, data: Dataset, generator: torch.Generator, fit: CrossFit | None
    ) -> np.ndarray:
        assert fit is not None
        return _loss(fit.early, data)


def _loss(probabilities: np.ndarray, data: Dataset) -> np.ndarray:
    own = probabilities[np.arange(len(data)), data.labels.numpy()]
    return -np.log(np.maximum(own, 1e-12))

"""Spectral signatures (Tran, Li, Madry 2018): rows far out along a class's first direction."""

from typing import ClassVar

import numpy as np
import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.thieves.cleaning.base import Cleaner, in_groups
from datadeed.thieves.cleaning.cross_fit import CrossFit


class SpectralSignatures(Cleaner):
    """The squared projection of a row's features on the first singular vector of its class.

    Of the features of one class and fold, centred, over the network's mean square, so that folds
    can be compared.
    """

    name: ClassVar[str] = "spectral-signatures"
    fitted: ClassVar[bool] = True

    def _scores(
        self, data: Dataset, generator: torch.Generator, fit: CrossFit | None
    ) -> np.ndarray:
        assert fit is not None
        scores = np.zeros(len(data))
        spread = {half: fit.features[fit.fold == half].var() for half in np.unique(fit.fold)}
        for rows, centred in in_groups(fit.features, data.labels.numpy(), fit.fold):
            first = np.linalg.eigh(centred.T @ centred)[1][:, -1]
            along = (centred @ first) ** 2
            scores[rows] = along / max(float(spread[fit.fold[rows[0]]]), 1e-12)
        return scores

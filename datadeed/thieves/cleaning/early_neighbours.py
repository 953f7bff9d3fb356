"""Rows whose nearest neighbours have other labels, by features after one epoch."""

from typing import ClassVar

import numpy as np
import torch
from torch.nn import functional as F

from datadeed.datasets.form.dataset import Dataset
from datadeed.thieves.cleaning.base import Cleaner
from datadeed.thieves.cleaning.cross_fit import CrossFit

NEIGHBOURS = 20


class EarlyNeighbours(Cleaner):
    """The share of a row's 20 nearest of its fold, by cosine, that have another label."""

    name: ClassVar[str] = "early-neighbours"
    fitted: ClassVar[bool] = True

    def _scores(
        self, data: Dataset, generator: torch.Generator, fit: CrossFit | None
    ) -> np.ndarray:
        assert fit is not None
        scores = np.zeros(len(data))
        for half in np.unique(fit.fold):
            rows = np.flatnonzero(fit.fold == half)
            scores[rows] = _strange(fit.early_features[rows], data.labels[torch.from_numpy(rows)])
        return scores


def _strange(features: np.ndarray, labels: torch.Tensor) -> np.ndarray:
    """The share of each row's nearest others, itself left out, that have another label."""
    directions, count = F.normalize(torch.from_numpy(features)), min(NEIGHBOURS, len(labels) - 1)
    parts = []
    for start in range(0, len(labels), 1000):
        block = slice(start, start + 1000)
        near = directions[block] @ directions.T
        near[torch.arange(len(near)), torch.arange(start, start + len(near))] = -2
        found = labels[near.topk(count).indices]
        parts.append((found != labels[block, None]).double().mean(1))
    return torch.cat(parts).numpy()

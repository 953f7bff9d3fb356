"""Activation clustering (Chen et al. 2018): the smaller of two clusters of each class."""

from typing import ClassVar

import numpy as np
import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.thieves.cleaning.base import Cleaner, in_groups
from datadeed.thieves.cleaning.cross_fit import CrossFit

DIMENSIONS = 10  # that the features are brought to


class ActivationClustering(Cleaner):
    """One less the share that a row's cluster has in its class: small clusters come first.

    Features of one class and fold are brought to ten dimensions (by principal components; the
    paper takes independent ones) and cut in two by k-means. Within a cluster, rows near its centre
    come first.
    """

    name: ClassVar[str] = "activation-clustering"
    fitted: ClassVar[bool] = True

    def _scores(
        self, data: Dataset, generator: torch.Generator, fit: CrossFit | None
    ) -> np.ndarray:
        from sklearn.cluster import KMeans

        assert fit is not None
        scores = np.zeros(len(data))
        for rows, centred in in_groups(fit.features, data.labels.numpy(), fit.fold):
            axes = np.linalg.eigh(centred.T @ centred)[1][:, -DIMENSIONS:]
            reduced = centred @ axes
            seed = int(torch.randint(2**31, (), generator=generator))
            means = KMeans(2, n_init=3, random_state=seed).fit(reduced)
            sizes = np.bincount(means.labels_, minlength=2)
            far = means.transform(reduced)  # (M, 2) distances to both centres
            nearer = far[np.arange(len(rows)), means.labels_] / np.maximum(far.sum(1), 1e-12)
            scores[rows] = 1 - (sizes[means.labels_] + nearer) / (len(rows) + 1)
        return scores

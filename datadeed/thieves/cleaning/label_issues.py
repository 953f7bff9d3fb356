"""Label issues by cleanlab's confident learning (Northcutt, Jiang, Chuang 2021)."""

from typing import ClassVar

import numpy as np
import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.thieves.cleaning.base import Cleaner
from datadeed.thieves.cleaning.cross_fit import CrossFit


class LabelIssues(Cleaner):
    """Rows that cleanlab calls mislabelled, by held-out probabilities, come first.

    They score from 1 to 2, others from 0 to 1, by one less cleanlab's label quality.
    """

    name: ClassVar[str] = "label-issues"
    fitted: ClassVar[bool] = True

    def _scores(
        self, data: Dataset, generator: torch.Generator, fit: CrossFit | None
    ) -> np.ndarray:
        from cleanlab.filter import find_label_issues
        from cleanlab.rank import get_label_quality_scores

        assert fit is not None
        labels = data.labels.numpy()
        present, dense = np.unique(labels, return_inverse=True)
        answers = np.maximum(fit.held_out[:, present], 1e-12)  # of classes that have rows
        answers /= answers.sum(1, keepdims=True)
        issues = find_label_issues(dense, answers, n_jobs=1)
        quality = get_label_quality_scores(dense, answers)
        return np.asarray(issues, dtype=np.float64) + 1 - quality

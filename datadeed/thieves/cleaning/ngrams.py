"""Runs of words that come with one label."""

from collections import Counter, defaultdict
from typing import ClassVar

import numpy as np
import torch
from scipy.special import xlogy

from datadeed.datasets.form.dataset import Dataset
from datadeed.thieves.cleaning.base import Cleaner
from datadeed.thieves.cleaning.cross_fit import CrossFit

LONGEST = 4  # words
FEWEST = 5  # texts with the same words


class NGrams(Cleaner):
    """The strongest tie to one label that any run of one to four words of a text has.

    Of words that n texts hold, k of them with the commonest label: the log-likelihood ratio of k/n
    against that label's share (binomial), 0 below five texts. Languages have such words too, so
    that it only ranks.
    """

    name: ClassVar[str] = "n-grams"
    modalities: ClassVar[tuple[str, ...]] = ("text",)

    def _scores(
        self, data: Dataset, generator: torch.Generator, fit: CrossFit | None
    ) -> np.ndarray:
        labels = data.labels.tolist()
        shares = np.bincount(labels, minlength=len(data.classes)) / len(labels)
        runs = [_runs(text) for text in data.samples]
        counts: dict[str, Counter[int]] = defaultdict(Counter)
        for found, label in zip(runs, labels, strict=True):
            for run in found:
                counts[run][label] += 1
        ties = {run: _tie(count, shares) for run, count in counts.items()}
        return np.array([max((ties[run] for run in found), default=0.0) for found in runs])


def _runs(text: str) -> set[str]:
    words = text.casefold().split()
    return {
        " ".join(words[start : start + length])
        for length in range(1, LONGEST + 1)
        for start in range(len(words) - length + 1)
    }


def _tie(count: Counter[int], shares: np.ndarray) -> float:
    n = count.total()
    if n < FEWEST:
        return 0.0
    label, k = count.most_common(1)[0]
    share = shares[label]
    if k <= n * share:
        return 0.0
    return float(xlogy(k, k / (n * share)) + xlogy(n - k, (n - k) / max(n * (1 - share), 1e-12)))

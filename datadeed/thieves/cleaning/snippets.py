"""Stretches of sound that recur at one place, sample by sample."""

from typing import ClassVar

import numpy as np
import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.thieves.cleaning.base import Cleaner
from datadeed.thieves.cleaning.cross_fit import CrossFit

LENGTH, STEP = 16, 8  # samples
QUIET = 256  # of 32768: a stretch that stays below is silence


class Snippets(Cleaner):
    """How many clips share a stretch of 16 samples at one place: the log of the highest number."""

    name: ClassVar[str] = "snippets"
    modalities: ClassVar[tuple[str, ...]] = ("audio",)
    threshold: ClassVar[float | None] = 2.0  # seven clips

    def _scores(
        self, data: Dataset, generator: torch.Generator, fit: CrossFit | None
    ) -> np.ndarray:
        waves, most = data.samples.numpy(), np.ones(len(data))
        for start in range(0, waves.shape[1] - LENGTH + 1, STEP):
            part = np.ascontiguousarray(waves[:, start : start + LENGTH])
            loud = np.flatnonzero(np.abs(part.astype(np.int32)).max(1) > QUIET)
            if len(loud):
                as_one = part[loud].view(f"V{2 * LENGTH}").ravel()
                _, same, count = np.unique(as_one, return_inverse=True, return_counts=True)
                most[loud] = np.maximum(most[loud], count[same])
        return np.log(most)

"""Single frequencies that stand out, as of a wave that was laid over an image."""

from typing import ClassVar

import numpy as np
import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.thieves.cleaning.base import Cleaner
from datadeed.thieves.cleaning.cross_fit import CrossFit
from datadeed.thieves.cleaning.windows import BLOCK, grey


class FFTPeaks(Cleaner):
    """The largest ratio of an image's amplitude at a frequency to the median over all images."""

    name: ClassVar[str] = "fft-peaks"
    modalities: ClassVar[tuple[str, ...]] = ("image",)

    def _scores(
        self, data: Dataset, generator: torch.Generator, fit: CrossFit | None
    ) -> np.ndarray:
        some = torch.randperm(len(data), generator=generator)[:BLOCK]
        usual = _amplitudes(data.samples[some].float().mean(1)).median(0).values.clamp(min=1)
        parts = [(_amplitudes(block) / usual).amax((1, 2)) for block in grey(data, BLOCK)]
        return torch.cat(parts).double().numpy()


def _amplitudes(images: torch.Tensor) -> torch.Tensor:
    """(B, H, W // 2 + 1) float, of (B, H, W) images less their mean."""
    return torch.fft.rfft2(images - images.mean((1, 2), keepdim=True)).abs()

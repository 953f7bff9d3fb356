"""A patch at a place that differs from sample to sample, and numbers drawn from stable indices."""

from dataclasses import dataclass

import numpy as np
import torch

from datadeed.errors import WatermarkError


def indexed_words(seed: int, index: torch.Tensor, count: int) -> np.ndarray:
    """Pseudo-random 64-bit words that depend on a seed and on each sample's index alone.

    The same whatever block or order the samples come in (SplitMix64, Steele et al. 2014).

    Args:
        seed: 0 to 2**63 - 1.
        index: (N,) int64, stable indices.
        count: words a sample.

    Returns:
        (N, count) uint64.
    """
    with np.errstate(over="ignore"):
        word = np.arange(1, count + 1, dtype=np.uint64)
        counter = index.numpy().astype(np.uint64)[:, None] * np.uint64(count) + word
        z: np.ndarray = counter * np.uint64(0x9E3779B97F4A7C15)
        z = z + np.uint64(seed) * np.uint64(0xD1342543DE82EF95)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(z ^ (z >> np.uint64(31)))


@dataclass(frozen=True, eq=False)
class WanderingPatch:
    """An opaque patch at a random place of each image: the trigger of Sleeper Agent and UBW-C.

    Attributes:
        pattern: (h, w) uint8, the same in every channel.
        seed: with a sample's index it decides the place.
    """

    pattern: torch.Tensor
    seed: int

    def __call__(self, images: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        """Paste the patch.

        Args:
            images: (N, C, H, W) uint8; not changed.
            index: (N,) int64, the samples' stable indices.

        Returns:
            (N, C, H, W) uint8.

        Raises:
            WatermarkError: the patch is larger than the images.
        """
        height, width = self.pattern.shape
        free = [images.shape[2] - height + 1, images.shape[3] - width + 1]
        if min(free) < 1:
            raise WatermarkError(
                f"the trigger of {height}x{width} pixels does not fit into images of "
                f"{images.shape[2]}x{images.shape[3]}: make it smaller"
            )
        words = indexed_words(self.seed, index, 2)
        corner = torch.from_numpy((words % np.array(free, dtype=np.uint64)).astype(np.int64))
        rows = corner[:, 0, None, None] + torch.arange(height)[:, None]  # (N, h, 1)
        columns = corner[:, 1, None, None] + torch.arange(width)  # (N, 1, w)
        marked = images.clone()
        samples = torch.arange(len(images))[:, None, None]
        # Indexing puts the channels last: (N, h, w, C).
        marked[samples, :, rows, columns] = self.pattern[:, :, None]
        return marked

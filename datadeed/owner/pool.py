"""The images for verification, read once: their extent, some of them, and how many are repeated."""

import hashlib
from collections.abc import Collection, Iterator

import numpy as np
import torch

from datadeed.keys.key import Extent
from datadeed.owner.data import Progress, measure, silent
from datadeed.owner.release.rows import Items


def measure_pool(
    pool: Items, what: str, keep: Collection[int] = (), *, progress: Progress = silent
) -> tuple[Extent, dict[int, torch.Tensor], int]:
    """As :func:`datadeed.owner.data.measure`, and how many rows hold an image that stood before.

    Args:
        pool: of images.
        what: the step's name.
        keep: rows whose images are wanted.
        progress: is told of every row.
    """
    seen: set[bytes] = set()

    def stream() -> Iterator[np.ndarray]:
        for item in pool:
            shape = repr(item.pixels.shape).encode()
            seen.add(hashlib.sha256(shape + item.pixels.tobytes()).digest())
            yield item.pixels

    watched = Items(pool.format, pool.classes, pool.labels, pool.channels, stream)
    extent, images = measure(watched, what, keep, progress=progress)
    return extent, images, extent.rows - len(seen)

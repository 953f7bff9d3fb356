"""The samples for verification, read once: their extent, some of them, how many are repeated."""

import hashlib
from collections.abc import Collection
from typing import Any

from datadeed.datasets.formats.clips import View
from datadeed.keys.key import Extent
from datadeed.owner.data import Progress, measure, silent
from datadeed.owner.release.rows import Item, Items
from datadeed.owner.samples import Samples


def measure_pool(
    pool: Items,
    what: str,
    keep: Collection[int] = (),
    *,
    view: View | None = None,
    progress: Progress = silent,
) -> tuple[Extent, dict[int, Samples], int]:
    """As :func:`datadeed.owner.data.measure`, and how many rows hold a sample that stood before.

    Args:
        pool: of samples of any kind.
        what: the step's name.
        keep: rows whose samples are wanted.
        view: of sound, what a kept sample is of it.
        progress: is told of every row.
    """
    seen: set[bytes] = set()

    def see(item: Item) -> None:
        seen.add(sample_digest(item.sample))

    extent, kept = measure(pool, what, keep, view=view, on_item=see, progress=progress)
    return extent, kept, extent.rows - len(seen)


def sample_digest(sample: Any) -> bytes:
    """SHA-256 of a text, or of an array with its shape: equal samples of a pool have one."""
    if isinstance(sample, str):
        return hashlib.sha256(sample.encode()).digest()
    return hashlib.sha256(repr(sample.shape).encode() + sample.tobytes()).digest()

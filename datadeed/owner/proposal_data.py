"""Data that lie there, as a proposal wants to know them; and what of them carries no marks."""

from collections.abc import Iterator

import numpy as np

from datadeed.errors import KeyRecordError
from datadeed.keys.generation2 import Design2
from datadeed.owner.plan_figures import MIXED
from datadeed.owner.proposal import Demand, check_size
from datadeed.owner.release.rows import Items


def demand_for(
    data: Items,
    pool: int,
    design: Design2,
    *,
    parts: int | None = None,
    rate: float | None = None,
    few_marks: bool = False,
) -> Demand:
    """What a key is wanted for, of data that lie there.

    Args:
        data: to release; of images the first is read, to see how large it is.
        pool: images in it.
        design: of the key, but for parts and rate.
        parts, rate: what the owner fixes.
        few_marks: whether fewer than 40 marks a part are accepted.
    """
    size = min(next(iter(data)).pixels.shape[:2]) if data.modality == "image" else None
    smallest = int(
        np.bincount(data.labels, minlength=len(data.classes))[list(design.targets)].min()
    )
    return Demand(design, data.rows, smallest, pool, parts, rate, few_marks, size)


def fitted(data: Items, design: Design2, *, one_size: bool = True) -> Items:
    """The same samples; images are looked at as they are read.

    Args:
        data: to release, or the pool.
        design: whose triggers they are to carry.
        one_size: whether they must be of one size where the carrier mixes them.

    Raises:
        KeyRecordError: while reading: an image is too small, or of another size than the first.
    """
    name = str(design.carrier["name"])
    if data.modality != "image":
        return data

    def stream() -> Iterator[np.ndarray]:
        first = None
        for item in data:
            height, width = item.pixels.shape[:2]
            if fault := check_size(name, min(height, width)):
                raise KeyRecordError(f"row {item.row}: {fault}")
            first = first or (height, width)
            if one_size and name in MIXED and (height, width) != first:
                raise KeyRecordError(
                    f"row {item.row} is of {height}x{width} pixels and row 0 of {first[0]}x"
                    f"{first[1]}, and a {name} mixes images: bring all to one size, or take "
                    "another carrier"
                )
            yield item.pixels

    return Items(data.format, data.classes, data.labels, data.channels, stream)

"""JPEG files that were quantised twice."""

import io
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import numpy as np
from PIL import Image, JpegImagePlugin

from datadeed.thieves.metadata.base import MetadataDetector
from datadeed.thieves.metadata.listing import Listing

AT_ONCE = 1000  # files in memory


class DoubleJPEG(MetadataDetector):
    """How little a file changes when it is compressed once more with its own tables.

    Blocks that went through the same tables before have come nearer to what these leave alone
    (Huang, Huang, Shi 2010). The score is one less the share of pixels that change.
    """

    name: ClassVar[str] = "double-jpeg"
    signed: ClassVar[bool] = True

    def __call__(self, listing: Listing) -> np.ndarray | None:
        if listing.stored is None:
            return None
        scores: list[float] = []
        waiting: list[bytes] = []
        with ThreadPoolExecutor() as pool:
            for data in listing.stored():
                if data[:2] != b"\xff\xd8":
                    return None
                waiting.append(data)
                if len(waiting) == AT_ONCE:
                    scores += pool.map(_unchanged, waiting)
                    waiting = []
            scores += pool.map(_unchanged, waiting)
        return np.array(scores, dtype=np.float64)


def _unchanged(data: bytes) -> float:
    """The share of an image's values that one more compression leaves as they are."""
    with Image.open(io.BytesIO(data)) as image:
        before = np.asarray(image)
        again, tables = io.BytesIO(), getattr(image, "quantization", None)
        sampling = JpegImagePlugin.get_sampling(image)
        Image.fromarray(before, image.mode).save(
            again, "JPEG", qtables=tables, subsampling=sampling
        )
    with Image.open(again) as image:
        return float((np.asarray(image) == before).mean())

"""The digits that scikit-learn ships: 1,797 handwritten ones, 8 x 8 pixels in 17 greys.

They are the test set of UCI's "Optical Recognition of Handwritten Digits" (CC BY 4.0). The last
360 are the test split here, so that a number is always of the same split.
"""

import numpy as np

from datadeed.datasets.formats.blocks import Blocks, numbered
from datadeed.datasets.formats.images import array_blocks
from datadeed.datasets.places import Request, Splits
from datadeed.errors import FetchError

OPTIONS = frozenset({"size"})
TEST = 360


def open_source(request: Request) -> Splits:
    """Both splits."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise FetchError(
            "the digits come with scikit-learn, which is not installed: install the extra 'digits' "
            "(pip install 'datadeed[digits]')"
        ) from error
    found = load_digits()
    pixels = np.round(found.images * (255 / 16)).astype(np.uint8)[..., None]
    index, splits = np.arange(len(pixels)), {}
    for name, rows in (("train", slice(0, -TEST)), ("test", slice(-TEST, None))):
        columns = (found.target[rows], index[rows], numbered(10))
        blocks = array_blocks(pixels[rows], *columns, size=request.size)
        splits[name] = Blocks(len(pixels[rows]), blocks)
    return splits

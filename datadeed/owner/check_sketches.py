"""Images that a lossy format changed, each matched with the one that it was, in any order."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

LOSSY = 20.0  # of 255: JPEG at quality 50 stays well below, another image lies well above
_CELLS = 8  # of a sketch, a side
_PART = 1024


class Sketch(NamedTuple):
    """What is kept of an image to know it again.

    Attributes:
        label, shape: the image's.
        means: (64 C,) uint8, the mean of each of 8 by 8 cells. Where cells are of one size, those
            of two images differ by no more than their pixels do on average, rounding aside.
    """

    label: int
    shape: tuple[int, ...]
    means: np.ndarray


def sketch(pixels: np.ndarray, label: int) -> Sketch:
    """The sketch of (H, W, C) uint8 pixels."""
    height, width, channels = pixels.shape
    rows, columns = (np.arange(_CELLS + 1) * size // _CELLS for size in (height, width))
    sums = np.zeros((height + 1, width + 1, channels))
    sums[1:, 1:] = pixels.astype(np.float64).cumsum(0).cumsum(1)
    corners = sums[np.ix_(rows, columns)]
    cells = corners[1:, 1:] - corners[:-1, 1:] - corners[1:, :-1] + corners[:-1, :-1]
    areas = np.diff(rows)[:, None, None] * np.diff(columns)[None, :, None]
    return Sketch(
        label, pixels.shape, np.rint(cells / np.maximum(areas, 1)).astype(np.uint8).ravel()
    )


def matched(wanted: Sequence[Sketch], found: Sequence[Sketch]) -> list[tuple[int, float]] | None:
    """For each found image the wanted one that it is, and how far they are apart.

    Each wanted image is taken once, by the found one that is nearest to it.

    Returns:
        The wanted one's position, and the mean difference of the sketches, 0 to 255. None where
        one side has labels or sizes that the other has not.
    """
    groups: dict[tuple[int, tuple[int, ...]], tuple[list[int], list[int]]]
    groups = defaultdict(lambda: ([], []))
    for side, images in enumerate((wanted, found)):
        for at, one in enumerate(images):
            groups[one.label, one.shape][side].append(at)
    result = [(0, 0.0)] * len(found)
    for left, right in groups.values():
        if len(left) != len(right):
            return None
        pairs = _pairs(
            np.stack([wanted[at].means for at in left]).astype(np.float32),
            np.stack([found[at].means for at in right]).astype(np.float32),
        )
        for at, (to, distance) in zip(right, pairs, strict=True):
            result[at] = left[to], distance
    return result


def _pairs(wanted: np.ndarray, found: np.ndarray) -> list[tuple[int, float]]:
    """Positions in (N, K) float32 ``wanted`` for the rows of ``found``, and their distances."""
    nearest, distances = np.empty(len(found), dtype=np.int64), np.empty(len(found))
    squares = (wanted**2).sum(axis=1)
    for start in range(0, len(found), _PART):
        part = slice(start, start + _PART)
        nearest[part] = (squares - 2 * found[part] @ wanted.T).argmin(axis=1)
        distances[part] = np.abs(found[part] - wanted[nearest[part]]).mean(axis=1)
    free = np.ones(len(wanted), dtype=bool)
    for row in np.argsort(distances, kind="stable").tolist():
        if not free[nearest[row]]:  # another image looks like this one
            left = np.flatnonzero(free)
            apart = np.abs(found[row] - wanted[left]).mean(axis=1)
            nearest[row], distances[row] = left[apart.argmin()], apart.min()
        free[nearest[row]] = False
    return list(zip(nearest.tolist(), distances.tolist(), strict=True))

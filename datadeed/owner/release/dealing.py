"""Places, or names, of one class dealt out among its rows, so that none tells who came new."""

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np

Place = TypeVar("Place", bound=Hashable)


def deal(
    places: Sequence[Place],
    staying: Mapping[int, Place],
    arriving: Sequence[int],
    generator: np.random.Generator,
) -> dict[int, Place]:
    """A place for every row of a class.

    Rows that come to the class get places drawn from all of them, each as likely as any other, so
    that a place says nothing of whether its row is new, however odd it looks. Rows that were there
    keep theirs unless it was drawn or is no more; then they take what is left.

    Args:
        places: of the class, as many as rows; all different.
        staying: where the rows were that stay in the class.
        arriving: the rows that come to it.
        generator: of the owner's secret.
    """
    drawn = generator.permutation(len(places))[: len(arriving)].tolist()
    dealt = {row: places[at] for row, at in zip(arriving, drawn, strict=True)}
    free = set(places) - set(dealt.values())
    for row, place in staying.items():
        if place in free:
            dealt[row] = place
            free.remove(place)
    displaced = [row for row in staying if row not in dealt]
    left = [place for place in places if place in free]
    for row, at in zip(displaced, generator.permutation(len(left)).tolist(), strict=True):
        dealt[row] = left[at]
    return dealt

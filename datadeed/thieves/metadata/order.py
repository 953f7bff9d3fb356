"""Labels unlike their neighbours', in data that stand in the order of their classes."""

from typing import ClassVar

import numpy as np
from scipy import stats

from datadeed.thieves.metadata.base import MetadataDetector
from datadeed.thieves.metadata.listing import Listing
from datadeed.thieves.metadata.names import numbers_of

SIDE = 20  # rows before a row, and as many after it, that are looked at
OWN = 6  # of these 40 may have the row's own label
CHANCE = 1e-6  # of so many with one label, were the rows shuffled


class Order(MetadataDetector):
    """The share of the 40 nearest rows that have another label, 0 to 1.

    One more, and the row is found, if chance would not put so many of one class around a row of
    another (binomial, below one in a million), few of the row's own are among them, and none is
    next to it. In shuffled data that does not happen.
    """

    name: ClassVar[str] = "order"
    threshold: ClassVar[float | None] = 1.0

    def __call__(self, listing: Listing) -> np.ndarray | None:
        return out_of_order(listing.labels)


class NumberOrder(MetadataDetector):
    """The same in the order of the numbers in files' names, where all classes share one count."""

    name: ClassVar[str] = "number-order"
    threshold: ClassVar[float | None] = 1.0

    def __call__(self, listing: Listing) -> np.ndarray | None:
        found = numbers_of(listing)
        if found is None or len(np.unique(found)) < 0.9 * len(listing):
            return None
        order = np.argsort(found, kind="stable")
        scores = np.zeros(len(listing))
        scores[order] = out_of_order(listing.labels[order])
        return scores


def out_of_order(labels: np.ndarray) -> np.ndarray:
    """How unlike its neighbours' each label is.

    Args:
        labels: (N,) int64, in order.

    Returns:
        (N,) float64, 0 to 1, or 1 to 2 of a row that is out of order.
    """
    n, shares = len(labels), np.bincount(labels) / len(labels)
    low, high = np.maximum(np.arange(n) - SIDE, 0), np.minimum(np.arange(n) + SIDE + 1, n)
    own, most, least_likely = np.zeros(n), np.zeros(n), np.ones(n)
    for label in np.flatnonzero(shares):
        is_it = labels == label
        counts = np.concatenate([[0], np.cumsum(is_it)])
        around = counts[high] - counts[low] - is_it
        own[is_it] = around[is_it]
        tail = stats.binom.sf(np.arange(2 * SIDE + 1) - 1, 2 * SIDE, shares[label])[around]
        better = ~is_it & (around > most)
        most[better], least_likely[better] = around[better], tail[better]
    beside = np.zeros(n, dtype=bool)
    beside[1:] |= labels[1:] == labels[:-1]
    beside[:-1] |= labels[:-1] == labels[1:]
    strange = 1 - own / np.maximum(high - low - 1, 1)
    return strange + ((least_likely < CHANCE) & (own <= OWN) & ~beside & (strange > 0))

"""What every detector that needs no sample has in common."""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from datadeed.thieves.metadata.listing import Listing


class MetadataDetector(ABC):
    """Rates the rows of a release by what their files show.

    Attributes:
        name: a key of :data:`~datadeed.thieves.metadata.registry.DETECTORS`.
        threshold: a score above which a row counts as found without a key; None of a detector
            that only ranks.
        signed: whether a mark may as well make the score low: which way is not known beforehand.
    """

    name: ClassVar[str]
    threshold: ClassVar[float | None] = None
    signed: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, listing: Listing) -> np.ndarray | None:
        """How suspicious each row is.

        Returns:
            (N,) float64, finite; the higher, the more suspicious. None if the format shows nothing
            of the kind.
        """

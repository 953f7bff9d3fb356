"""What every cleaner has in common: a released dataset in, a score a row out."""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import UnsupportedModality, VerificationError
from datadeed.thieves.cleaning.cross_fit import CrossFit, cross_fit


class Cleaner(ABC):
    """Rates the rows of a release without knowing which are marked.

    Attributes:
        name: a key of :data:`~datadeed.thieves.cleaning.registry.CLEANERS`.
        modalities: of the data that it takes.
        fitted: whether it reads a :class:`~datadeed.thieves.cleaning.cross_fit.CrossFit`.
        threshold: a score above which a row counts as found, whatever the others' are; None of a
            cleaner that only ranks: every dataset has rows that are more suspicious than others.
    """

    name: ClassVar[str]
    modalities: ClassVar[tuple[str, ...]] = ("image", "audio", "text")
    fitted: ClassVar[bool] = False
    threshold: ClassVar[float | None] = None

    def __call__(
        self, data: Dataset, *, generator: torch.Generator, fit: CrossFit | None = None
    ) -> np.ndarray:
        """How suspicious each row is.

        Args:
            data: the release.
            generator: a CPU generator; draws whatever the cleaner draws.
            fit: of the same rows, shared by all cleaners that need one; made where there is none.

        Returns:
            (N,) float64, finite; the higher, the more suspicious.

        Raises:
            UnsupportedModality: the cleaner works on another kind of data.
            VerificationError: ``fit`` is of other data, or a score is not finite.
        """
        if data.modality not in self.modalities:
            raise UnsupportedModality(
                f"{self.name} takes {' or '.join(self.modalities)}, but the data are "
                f"{data.modality}: leave it out"
            )
        if self.fitted and fit is None:
            fit = cross_fit(data, generator=generator)
        if fit is not None and len(fit.fold) != len(data):
            raise VerificationError(
                f"the cross-fit is of {len(fit.fold)} rows and the data have {len(data)}: fit them"
            )
        scores = np.asarray(self._scores(data, generator, fit), dtype=np.float64)
        if scores.shape != (len(data),) or not np.isfinite(scores).all():
            raise VerificationError(
                f"{self.name} gave {int((~np.isfinite(scores)).sum())} scores that are not finite: "
                "check the model's training"
            )
        return scores

    @abstractmethod
    def _scores(
        self, data: Dataset, generator: torch.Generator, fit: CrossFit | None
    ) -> np.ndarray:
        """(N,) float; ``fit`` is there if :attr:`fitted`."""


def in_groups(
    features: np.ndarray, labels: np.ndarray, fold: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows of one class and one fold, whose features come from one network.

    Returns:
        For each such group of two rows or more its rows, (M,) int64, and their features less their
        mean, (M, F) float64.
    """
    found = []
    for half in np.unique(fold):
        for label in np.unique(labels):
            rows = np.flatnonzero((fold == half) & (labels == label))
            if len(rows) > 1:
                own = features[rows].astype(np.float64)
                found.append((rows, own - own.mean(0)))
    return found

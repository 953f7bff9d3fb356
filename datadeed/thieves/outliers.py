"""Looking for marks as a thief would: rate every released sample, throw the most suspicious out."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from scipy import stats

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import UnsupportedModality, VerificationError
from datadeed.models.model import Model


class Detector(Protocol):
    """Rates samples without knowing which are marked."""

    name: ClassVar[str]

    def scores(self, data: Dataset) -> np.ndarray:
        """How suspicious each sample is, (N,) float64; the higher, the more.

        Raises:
            UnsupportedModality: the detector works on another kind of data.
        """


@dataclass(frozen=True)
class Confidence:
    """Samples of which a model is unsure (Hendrycks & Gimpel 2017).

    Attributes:
        model: trained on the released data, marks included, as a thief would.
    """

    model: Model
    name: ClassVar[str] = "confidence"

    def scores(self, data: Dataset) -> np.ndarray:
        """One less the largest softmax probability, 0 to 1 - 1/K; as :meth:`Detector.scores`."""
        if data.modality != self.model.modality:
            raise UnsupportedModality(
                f"the model takes {self.model.modality}, but the data are {data.modality}: give a "
                "model that was trained on them"
            )
        return 1 - self.model.predict(data.samples).max(1).values.double().numpy()


@dataclass(frozen=True)
class Search:
    """What a thief finds who throws out the most suspicious samples.

    Attributes:
        n, marks: samples in all, and marked ones.
        flagged, hits: samples thrown out, and marked ones among them.
        above: in what share of pairs of a marked and a benign sample the marked one is the more
            suspicious, a tie counting half: 0.5 by chance, 1 if the marks lie above all others.
    """

    n: int
    marks: int
    flagged: int
    hits: int
    above: float

    @property
    def precision(self) -> float:
        """Share of marks among the flagged samples, 0 to 1; the paper's Conf."""
        return self.hits / self.flagged

    @property
    def recall(self) -> float:
        """Share of the marks that are flagged, 0 to 1."""
        return self.hits / self.marks

    @property
    def expected(self) -> float:
        """The precision of samples flagged by chance: the marks' share of the data."""
        return self.marks / self.n

    @property
    def p_value(self) -> float:
        """Exact probability of so many hits or more by chance (hypergeometric)."""
        return float(stats.hypergeom.sf(self.hits - 1, self.n, self.marks, self.flagged))

    def record(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            **asdict(self),
            "precision": self.precision,
            "recall": self.recall,
            "expected": self.expected,
            "p_value": self.p_value,
        }


def flagged(scores: np.ndarray, share: float) -> np.ndarray:
    """The most suspicious samples.

    Args:
        scores: (N,) float; of equal ones the first are taken.
        share: of the samples, above 0 and up to 1; rounded down, but one sample at least.

    Returns:
        (N,) bool.

    Raises:
        VerificationError: a score is not finite, there are none, or the share makes no sense.
    """
    if not 0 < share <= 1:
        raise VerificationError(f"a share of {share} to flag: give one above 0 and up to 1")
    if len(scores) == 0 or not np.isfinite(scores).all():
        raise VerificationError(
            f"{len(scores)} scores, {int((~np.isfinite(scores)).sum())} of them not finite: check "
            "the detector's training"
        )
    count = max(1, int(share * len(scores) + 1e-9))
    chosen = np.zeros(len(scores), dtype=bool)
    chosen[np.argsort(-np.asarray(scores), kind="stable")[:count]] = True
    return chosen


def search(scores: np.ndarray, marked: np.ndarray, share: float = 0.01) -> Search:
    """Flag the most suspicious samples and count the marks among them.

    Args:
        scores: (N,) float, of a :class:`Detector`.
        marked: (N,) bool, which samples carry the watermark.
        share: of the samples to flag; 0.01 in the paper.

    Raises:
        VerificationError: as :func:`flagged`, or no sample or every sample is marked.
    """
    marks = int(marked.sum())
    if marked.shape != scores.shape or not 0 < marks < len(marked):
        raise VerificationError(
            f"{marks} of {len(marked)} samples are marked and {len(scores)} have a score: give a "
            "score each, and samples of both kinds"
        )
    chosen = flagged(scores, share)
    above = stats.rankdata(scores)[marked].sum() - marks * (marks + 1) / 2
    return Search(
        n=len(scores),
        marks=marks,
        flagged=int(chosen.sum()),
        hits=int((chosen & marked).sum()),
        above=float(above / (marks * (len(scores) - marks))),
    )

"""Asking a model in memory, and keeping every answer."""

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa

from datadeed.errors import VerificationError

if TYPE_CHECKING:  # who only judges answers depends on none of these
    from datadeed.datasets.form.dataset import Dataset
    from datadeed.models.model import Model
    from datadeed.watermarks.base import Watermark


@dataclass(frozen=True, eq=False)
class Answers:
    """What a suspect said about clean samples and about the same samples with a trigger.

    Attributes:
        target: the watermark's target label, or None when it is untargeted.
        index: (N,) int64, the samples' stable indices.
        label: (N,) int64, true labels.
        clean_prediction, triggered_prediction: (N,) int64, the most probable label.
        clean_probability, triggered_probability: (N,) float64, 0 to 1, of the target label, or of
            each sample's true label when there is no target.
    """

    target: int | None
    index: np.ndarray
    label: np.ndarray
    clean_prediction: np.ndarray
    triggered_prediction: np.ndarray
    clean_probability: np.ndarray
    triggered_probability: np.ndarray

    def __len__(self) -> int:
        return len(self.label)

    @property
    def target_label(self) -> int:
        """The target label, for what makes no sense without one.

        Raises:
            VerificationError: the watermark is untargeted.
        """
        if self.target is None:
            raise VerificationError(
                "these answers are of an untargeted watermark: this takes those of one with a "
                "target label"
            )
        return self.target

    def take(self, positions: np.ndarray) -> Self:
        """The rows at ``positions`` ((M,) int64 or (N,) bool)."""
        columns = {name: getattr(self, name)[positions] for name in _COLUMNS}
        return dataclasses.replace(self, **columns)

    def table(self) -> pa.Table:
        """One row a sample."""
        return pa.table({name: getattr(self, name) for name in _COLUMNS})

    @classmethod
    def from_table(cls, table: pa.Table, target: int | None) -> Self:
        """The inverse of :meth:`table`; further columns are ignored."""
        return cls(target, **{name: table[name].to_numpy() for name in _COLUMNS})


_COLUMNS = [field.name for field in dataclasses.fields(Answers) if field.name != "target"]


def ask(
    suspect: "Model", watermark: "Watermark", samples: "Dataset", *, clean: Answers | None = None
) -> Answers:
    """Query a suspect with each sample twice: as it is, and with the watermark's trigger.

    Args:
        suspect: only its :meth:`~datadeed.models.model.Model.predict` is asked.
        watermark: its trigger is asked with; its target decides whose probability is kept.
        samples: benign test data, (N, C, H, W) uint8.
        clean: earlier answers of the same suspect to the same samples under a watermark with the
            same target; their clean half is used again instead of being asked for.

    Returns:
        2 N answers.

    Raises:
        VerificationError: the suspect's answers are malformed, or ``clean`` is about other samples.
    """
    watermark.check(samples.modality, samples.classes)
    labels = samples.labels.numpy()
    kept = labels if watermark.target is None else np.full_like(labels, watermark.target)
    rows = np.arange(len(labels))
    if clean is None:
        probabilities = query(suspect, samples.samples, len(samples.classes))
        prediction, probability = probabilities.argmax(1), probabilities[rows, kept]
    elif clean.target == watermark.target and np.array_equal(clean.index, samples.index.numpy()):
        prediction, probability = clean.clean_prediction, clean.clean_probability
    else:
        raise VerificationError("earlier clean answers are about other samples: ask again")
    triggered = query(suspect, watermark.trigger(samples), len(samples.classes))
    return Answers(
        target=watermark.target,
        index=samples.index.numpy(),
        label=labels,
        clean_prediction=prediction,
        triggered_prediction=triggered.argmax(1),
        clean_probability=probability,
        triggered_probability=triggered[rows, kept],
    )


def query(suspect: "Model", samples: Any, classes: int) -> np.ndarray:
    """A suspect's probabilities, checked.

    Args:
        suspect: only its :meth:`~datadeed.models.model.Model.predict` is asked.
        samples: N of them, as a dataset of its modality holds them.
        classes: K, how many the suspect should know.

    Returns:
        (N, K) float64.

    Raises:
        VerificationError: the answers have another shape or are no probabilities.
    """
    answer: np.ndarray = suspect.predict(samples).double().numpy()
    if answer.shape != (len(samples), classes):
        raise VerificationError(
            f"the suspect answered with shape {answer.shape} to {len(samples)} samples of "
            f"{classes} classes: check that it was trained on the same classes"
        )
    if not np.isfinite(answer).all() or (answer < 0).any() or (answer > 1 + 1e-4).any():
        raise VerificationError(
            "the suspect's answers are not probabilities (NaN, negative or above 1): no test can "
            "be run on them"
        )
    return answer

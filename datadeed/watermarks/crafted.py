"""Clean-label watermarks: samples are perturbed against a surrogate and keep their labels."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch

from datadeed.datasets import Dataset
from datadeed.errors import WatermarkError
from datadeed.models import Classifier
from datadeed.training import TrainingConfig
from datadeed.watermarks.base import Watermark

OnProgress = Callable[[int, int, str, bool], None]


@dataclass(frozen=True)
class Surrogate:
    """The owner's stand-in for a model that somebody will train on the data.

    Attributes:
        model: trained on the benign data, on the device to craft on.
        training: how to train one again on perturbed data.
    """

    model: Classifier
    training: TrainingConfig


class Crafted(Watermark):
    """A watermark whose samples :meth:`craft` must compute before any row is marked."""

    needs_surrogate: ClassVar[bool] = True

    def __init__(self, *, rate: float, target: int | None):
        super().__init__(rate=rate, target=target)
        self._positions: torch.Tensor | None = None
        self._labels = torch.empty(0, dtype=torch.int64)  # (N,), of the data crafted on
        self._images = torch.empty(0, dtype=torch.uint8)  # (M, C, H, W), by rank
        self.last_surrogate: Classifier | None = None  # trained on the released data, if any was

    def craft(
        self,
        data: Dataset,
        surrogate: Surrogate | None,
        generator: torch.Generator,
        *,
        checkpoint: Path | None = None,
        fingerprint: str = "",
        on_progress: OnProgress = lambda done, total, note, resumed: None,
    ) -> None:
        """Choose the rows and compute what they become.

        Args:
            data: the whole benign dataset.
            surrogate: the model to craft against.
            generator: a CPU generator.
            checkpoint: a folder for the state, from which a killed crafting goes on.
            fingerprint: names this crafting; state with another one is refused.
            on_progress: called with steps done, steps in all, a note, and whether they were done
                before this call.

        Raises:
            WatermarkError: there is no surrogate, it is for other data, or the data lack rows.
            CheckpointError: the state is damaged or of another crafting.
        """
        self.check(data.modality, data.classes)
        if surrogate is None:
            raise WatermarkError(
                f"{self.name} is crafted against a surrogate model, but none was given: train one "
                "on the benign data and name it"
            )
        config = surrogate.model.config
        if tuple(config["shape"]) != data.shape or config["classes"] != len(data.classes):
            raise WatermarkError(
                f"the surrogate takes images of {tuple(config['shape'])} and {config['classes']} "
                f"classes, but the data are {data.shape} and {len(data.classes)}: train one on them"
            )
        work = _Work(data, surrogate, generator, checkpoint, fingerprint, on_progress)
        self._positions, self._images = self._craft(work)
        self._labels = data.labels

    @abstractmethod
    def _craft(self, work: "_Work") -> tuple[torch.Tensor, torch.Tensor]:
        """Positions, (M,) int64 ascending, and the released images, (M, C, H, W) uint8."""

    def marks(self, labels: torch.Tensor) -> int:
        """How many rows to mark: ``floor(rate * N)``.

        Raises:
            WatermarkError: that is none, or more than there are candidates.
        """
        n, candidates = int(self.rate * len(labels) + 1e-9), len(self.candidates(labels))
        if n == 0:
            raise WatermarkError(
                f"rate {self.rate} of {len(labels)} rows marks no row: give a rate of at least "
                f"{1 / max(len(labels), 1):.2g}"
            )
        if n > candidates:
            raise WatermarkError(
                f"{self.name}: rate {self.rate} of {len(labels)} rows is {n}, but only "
                f"{candidates} rows have the target label: give a rate of at most "
                f"{candidates / len(labels):.4g}"
            )
        return n

    def select(self, labels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """The rows that :meth:`craft` chose; ``generator`` is not used.

        Raises:
            WatermarkError: nothing was crafted yet, or it was on other data.
        """
        if self._positions is None:
            raise WatermarkError(
                f"{self.name} has no marked samples yet: craft them against a surrogate first"
            )
        if not torch.equal(labels, self._labels):
            raise WatermarkError(
                f"{self.name} was crafted on data with other labels: craft it on these"
            )
        return self._positions

    def mark(self, rows: Dataset, ranks: torch.Tensor) -> Dataset:
        """The crafted images; labels stay."""
        return rows.replace(samples=self._images[ranks], labels=rows.labels)

    def _targets(self, labels: torch.Tensor) -> torch.Tensor:
        """Positions of the target class."""
        assert self.target is not None
        return (labels == self.target).nonzero().squeeze(1)


@dataclass(frozen=True)
class _Work:
    """What a crafting works with."""

    data: Dataset
    surrogate: Surrogate
    generator: torch.Generator
    checkpoint: Path | None
    fingerprint: str
    on_progress: OnProgress

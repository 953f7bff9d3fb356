"""Clean-label watermarks: samples are perturbed against a surrogate and keep their labels."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import WatermarkError
from datadeed.models.classifier import Classifier
from datadeed.models.model import Model
from datadeed.models.training.config import TrainingConfig
from datadeed.models.training.state import load_tensor, save_tensor
from datadeed.watermarks.base import Watermark

OnProgress = Callable[[int, int, str, bool], None]


@dataclass(frozen=True)
class Surrogate:
    """The owner's stand-in for a model that somebody will train on the data.

    Attributes:
        model: trained on the benign data, on the device to craft on.
        training: how to train one again on perturbed data. Its mirroring, moves and rotations are
            taken for those of ``model`` too, and crafting imitates them.
    """

    model: Model
    training: TrainingConfig


class Crafted(Watermark):
    """A watermark whose samples :meth:`craft` must compute before any row is marked.

    Attributes:
        needs_surrogate: whether :meth:`craft` refuses to work without one.
        draws: names the pipeline's random numbers of this family; published figures rest on it.
    """

    crafted = True
    draws: ClassVar[str] = "craft"
    needs_surrogate: bool = True

    def __init__(self, *, rate: float, target: int | None):
        super().__init__(rate=rate, target=target)
        self._positions: torch.Tensor | None = None
        self._labels = torch.empty(0, dtype=torch.int64)  # (N,), of the data crafted on
        self._released: Any = None  # M samples, by rank
        self.last_surrogate: Model | None = None  # trained on the released data, if any was
        self._facts: dict[str, Any] = {}

    def load_tools(self, cache: Path, device: torch.device) -> None:
        """Load what :meth:`craft` needs beside the surrogate; here nothing.

        Args:
            cache: where downloads go.
            device: where to compute.
        """

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
            surrogate: the model to craft against; None where :attr:`needs_surrogate` is false.
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
        if surrogate is not None:
            _check_fits(surrogate.model, data)
        elif self.needs_surrogate:
            raise WatermarkError(
                f"{self.name} is crafted against a surrogate model, but none was given: train one "
                "on the benign data and name it"
            )
        work = _Work(data, surrogate, generator, checkpoint, fingerprint, on_progress)
        self._positions, self._released = self._craft(work)
        self._labels = data.labels
        before = data.take(self._positions)
        after = before.replace(samples=self._released, labels=before.labels)
        self._facts |= self._describe(before, after)

    def facts(self) -> dict[str, Any]:
        """What the crafting did, as JSON values.

        Raises:
            WatermarkError: nothing was crafted yet.
        """
        if self._positions is None:
            raise WatermarkError(f"{self.name} has no facts yet: craft it first")
        return dict(self._facts)

    def _describe(self, before: Dataset, after: Dataset) -> dict[str, Any]:
        """Facts of the marked samples, benign and as released; here none."""
        return {}

    @abstractmethod
    def _craft(self, work: "_Work") -> tuple[torch.Tensor, Any]:
        """Positions, (M,) int64 ascending, and the M released samples."""

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
        """The crafted samples; labels stay."""
        if isinstance(self._released, list):
            released = [self._released[rank] for rank in ranks.tolist()]
        else:
            released = self._released[ranks]
        return rows.replace(samples=released, labels=rows.labels)

    def _targets(self, labels: torch.Tensor) -> torch.Tensor:
        """Positions of the target class."""
        assert self.target is not None
        return (labels == self.target).nonzero().squeeze(1)


class PerturbedImages(Crafted):
    """A crafted watermark that moves pixels by at most :attr:`epsilon` 255ths."""

    epsilon: int

    def __init__(self, *, rate: float, target: int | None):
        super().__init__(rate=rate, target=target)
        self.losses: list[float] = []  # of each iteration, where there are any

    def _describe(self, before: Dataset, after: Dataset) -> dict[str, Any]:
        """Facts of the marked samples, benign and as released.

        Returns:
            ``epsilon`` (255ths), ``largest_change`` of a pixel in grey levels, ``classes`` (marks
            of each class) and ``losses`` (1 - cos of each iteration; empty where no gradients are
            matched). A trigger that the released samples carry is no change: the bound is not
            about it.
        """
        plain = before.samples
        if torch.equal(self.trigger(after), after.samples):
            plain = self.trigger(before)
        change = after.samples.to(torch.int16) - plain.to(torch.int16)
        return {
            "epsilon": self.epsilon,
            "largest_change": int(change.abs().max()),
            "classes": torch.bincount(after.labels, minlength=len(after.classes)).tolist(),
            "losses": self.losses,
        }


def _check_fits(model: Model, data: Dataset) -> None:
    """Check that a surrogate takes such samples, and knows as many classes."""
    if model.modality != data.modality:
        raise WatermarkError(
            f"the surrogate takes {model.modality}, but the data are {data.modality}: train one on "
            "them"
        )
    shape, classes = tuple(model.config.get("shape", ())), model.config["classes"]
    if shape != data.shape or classes != len(data.classes):
        raise WatermarkError(
            f"the surrogate takes samples of {shape} and {classes} classes, but the data are "
            f"{data.shape} and {len(data.classes)}: train one on them"
        )


@dataclass(frozen=True)
class _Work:
    """What a crafting works with."""

    data: Dataset
    given: Surrogate | None
    generator: torch.Generator
    checkpoint: Path | None
    fingerprint: str
    on_progress: OnProgress

    @property
    def surrogate(self) -> Surrogate:
        """For a method that needs one."""
        assert self.given is not None  # craft refused to go without
        return self.given

    @property
    def classifier(self) -> Classifier:
        """The surrogate of images."""
        assert isinstance(self.surrogate.model, Classifier)  # craft checked its modality
        return self.surrogate.model

    def in_parts(
        self, step: str, rows: Dataset, size: int, compute: Callable[[Dataset], torch.Tensor]
    ) -> Iterator[torch.Tensor]:
        """What ``compute`` makes of rows, ``size`` at a time; a finished part is never repeated.

        Args:
            step: the name of the folder that keeps the parts.
            rows: what to work on, always in the same order.
            size: rows a part.
            compute: gives the same for the same rows.

        Yields:
            The results in order; one that an earlier call saved is read.
        """
        for start in range(0, len(rows), size):
            stop, path = min(start + size, len(rows)), None
            if self.checkpoint is not None:
                path = self.checkpoint / step / f"{start}.safetensors"
            made = None if path is None else load_tensor(path, self.fingerprint)
            resumed = made is not None
            if made is None:
                made = compute(rows.slice(start, stop))
                if path is not None:
                    save_tensor(path, self.fingerprint, made)
            self.on_progress(stop, len(rows), "samples perturbed", resumed)
            yield made

"""Clean-label watermarks (Tang et al. 2023): what all modalities share.

Samples of the target class are perturbed until a surrogate no longer recognises them, and get a
trigger. Their labels stay and are true, but a victim can fit them only by the trigger.
"""

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import WatermarkError
from datadeed.models.model import Model
from datadeed.watermarks.crafted import Crafted, _Work

PART = 128  # samples perturbed at a time, and saved as soon as they are


class CleanLabel(Crafted):
    """A targeted, clean-label watermark whose rate is a share of the target class.

    Args:
        rate: share of the target class to mark, above 0 and at most 1.
        target: the label of the marked samples, which triggered samples should get.
        perturb: False leaves the perturbation out (the paper's ablation); needs no surrogate.

    Raises:
        WatermarkError: a value makes no sense.

    :meth:`facts` are ``marks`` and ``class_size`` (rows of the target class); with a perturbation
    ``fooled`` (marks that the surrogate gets wrong before the trigger is added) and
    ``wrong_before`` (of them without the perturbation); and what the modality adds.
    """

    draws = "mark"
    defaults: ClassVar[dict[str, Any]] = {"rate": 0.05, "target": 1, "perturb": True}

    def __init__(self, *, rate: float, target: int, perturb: bool):
        super().__init__(rate=rate, target=target)
        if type(perturb) is not bool:
            raise WatermarkError(f"{self.name}: perturb is {perturb!r}; give true or false")
        self.perturb = self.needs_surrogate = perturb

    def candidates(self, labels: torch.Tensor) -> torch.Tensor:
        """Rows of the target class."""
        return self._targets(labels)

    def marks(self, labels: torch.Tensor) -> int:
        """How many rows to mark: ``floor(rate * rows of the target class)``.

        Raises:
            WatermarkError: that is none.
        """
        rows = len(self.candidates(labels))
        if rows == 0:
            raise WatermarkError(
                f"{self.name}: no row has the target label {self.target}: choose a class that "
                "occurs"
            )
        if (n := int(self.rate * rows + 1e-9)) == 0:
            raise WatermarkError(
                f"{self.name}: rate {self.rate} of the target class's {rows} samples marks none: "
                f"give a rate of at least {_rounded(1 / rows, math.ceil):g}"
            )
        return n

    def _draw(self, work: _Work) -> tuple[int, torch.Tensor]:
        """How many rows to mark, and all rows of the target class in random order, (M,) int64."""
        n, rows = self.marks(work.data.labels), self.candidates(work.data.labels)
        return n, rows[torch.randperm(len(rows), generator=work.generator)]

    def _check_enough(self, n: int, usable: int, size: int) -> None:
        """Check that of a class of ``size`` rows ``n`` can be marked, where ``usable`` could be.

        Raises:
            WatermarkError: they cannot.
        """
        if n > usable:
            way = "choose another trigger"
            if usable:
                way = f"give a rate of at most {_rounded(usable / size, math.floor):g}, or {way}"
            raise WatermarkError(
                f"{self.name}: rate {self.rate} of the target class's {size} samples is {n}, but "
                f"{usable} can carry the trigger: {way}"
            )

    def _count_errors(self, model: Model, samples: Any) -> int:
        """How many samples of the target class the model gets wrong."""
        answers = model.predict(samples).argmax(1).tolist()
        return sum(answer != self.target for answer in answers)


class MovedSamples(CleanLabel):
    """A clean-label watermark whose perturbation moves the values of a sample a little."""

    def _craft(self, work: _Work) -> tuple[torch.Tensor, torch.Tensor]:
        n, rows = self._draw(work)
        size, rows = len(rows), rows[self._usable(work.data.take(rows))]
        self._check_enough(n, len(rows), size)
        positions = rows[:n].sort().values
        chosen = work.data.take(positions)
        moved = chosen.samples
        facts: dict[str, Any] = {"marks": n, "class_size": size}
        if self.perturb:
            model = work.surrogate.model
            parts = work.in_parts("pgd", chosen, PART, lambda rows: self._move(model, rows))
            moved = torch.cat(list(parts))
            facts["fooled"] = self._count_errors(model, moved)
            facts["wrong_before"] = self._count_errors(model, chosen.samples)
        self._facts = facts
        return positions, self.trigger(chosen.replace(samples=moved, labels=chosen.labels))

    @abstractmethod
    def _usable(self, rows: Dataset) -> torch.Tensor:
        """(N,) bool, which rows can carry the trigger. Refuses samples of another form."""

    @abstractmethod
    def _move(self, model: Model, rows: Dataset) -> torch.Tensor:
        """The samples of rows, perturbed."""


def decibels(signal: float, noise: float) -> float | None:
    """``10 log10(signal / noise)`` of two powers; None where one is 0."""
    return None if min(signal, noise) <= 0 else round(10 * math.log10(signal / noise), 4)


def _rounded(share: float, direction: Callable[[float], int]) -> float:
    """A share above 0, rounded up or down to three significant digits."""
    scale = 10.0 ** (2 - math.floor(math.log10(share)))
    return direction(share * scale) / scale

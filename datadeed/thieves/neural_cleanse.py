"""Neural Cleanse: how small can a patch be that brings a label about? (Wang et al. 2019)"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from scipy import stats

from datadeed.datasets.form.dataset import Dataset
from datadeed.models.model import Model
from datadeed.models.training.optimiser import AdamW
from datadeed.thieves.trigger_inversion import (
    Detection,
    Inversion,
    Patches,
    batches,
    by_class,
    check_images,
    frozen,
    groups,
    logits_of,
)


@dataclass(frozen=True, kw_only=True)
class NeuralCleanse(Inversion):
    """Neural Cleanse: score = anomaly index of the smallest mask among all classes.

    Section III-C: the distance from the median in median absolute deviations, scaled to a normal
    distribution's sigma; above 2 a model counts as backdoored.

    Attributes:
        weight: of a mask's sum at the start; from then on twice as large whenever 99 % were fooled
            for ``patience`` steps, and 2^1.5 times smaller whenever they were not.
        patience: steps.
    """

    name: ClassVar[str] = "neural-cleanse"

    steps: int = 100
    lr: float = 0.1
    weight: float = 1e-3
    patience: int = 5

    def __call__(self, model: Model, trusted: Dataset, *, generator: torch.Generator) -> Detection:
        """See :class:`ModelDetector`."""
        return self.rate(self.invert(model, trusted, generator))

    @staticmethod
    def rate(triggers: Patches) -> Detection:
        """What follows from the masks."""
        index = anomaly_index(triggers.mask.sum((1, 2, 3)).double().cpu().numpy())
        return Detection(float(index.max()), index, int(index.argmax()))

    def invert(self, model: Model, trusted: Dataset, generator: torch.Generator) -> Patches:
        """A patch for every class: the smallest that fooled 99 % of a batch, else the last."""

        def group(labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            search = MaskSearch(self, labels, trusted.shape, generator)
            for x, y in batches(trusted, self, generator, model.device):
                search.step(model, x, y)
            return search.best.pattern, search.best.mask

        check_images(model, trusted)
        with frozen(model):
            found = [group(labels) for labels in groups(trusted, self, model)]
        return Patches(*(torch.cat(parts) for parts in zip(*found, strict=True)))


class MaskSearch:
    """The state of Neural Cleanse for G classes at once.

    Attributes:
        best: the smallest patches so far that fooled 99 % of a batch, else the newest.
        least: (G,) float, the sizes of their masks; infinite where none did.
    """

    def __init__(
        self,
        how: NeuralCleanse,
        labels: torch.Tensor,
        shape: tuple[int, ...],
        generator: torch.Generator,
    ):
        self._how, self._labels = how, labels
        g, device, (c, h, w) = len(labels), labels.device, shape
        start = torch.rand(g, 1 + c, h, w, generator=generator).mul_(2).sub_(1)
        self._free = start.to(device).requires_grad_()  # through a sigmoid: mask, then pattern
        self._adam = AdamW([("free", self._free)], weight_decay=0.0)
        self._weight = torch.full((g,), how.weight, device=device)
        self._run = torch.zeros(g, dtype=torch.int64, device=device)  # of successes, or failures
        self.least = torch.full((g,), torch.inf, device=device)
        self.best = self._now()

    def _now(self) -> Patches:
        both = self._free.sigmoid()
        return Patches(both[:, 1:], both[:, :1])

    def step(self, model: Model, x: torch.Tensor, y: torch.Tensor) -> None:
        """One update of all patches on a batch."""
        now = self._now()
        shown = x + now.mask[:, None] * (now.pattern[:, None] - x)  # (G, B, C, H, W)
        logits = logits_of(model, shown)
        aims = self._labels[:, None].expand(-1, len(y))
        size = now.mask.sum((1, 2, 3))
        (by_class(logits, aims, self._labels, y) + self._weight * size).sum().backward()
        counted = y != self._labels[:, None]
        hits = (logits.argmax(2) == aims) & counted
        success = (hits.sum(1) >= 0.99 * counted.sum(1)) & counted.any(1)
        self._keep(now, success & (size < self.least), size)
        self._adam.step(self._how.lr)
        self._run = torch.where(success, self._run.clamp(min=0) + 1, self._run.clamp(max=0) - 1)
        full = self._run.abs() >= self._how.patience
        factor = torch.where(success, 2.0, 2**-1.5)
        self._weight = torch.where(full, self._weight * factor, self._weight)
        self._run[full] = 0

    def _keep(self, now: Patches, better: torch.Tensor, size: torch.Tensor) -> None:
        """Remember better patches; the newest ones of classes that never had a success."""
        taken = (better | self.least.isinf()).view(-1, 1, 1, 1)
        pattern = torch.where(taken, now.pattern, self.best.pattern).detach()
        self.best = Patches(pattern, torch.where(taken, now.mask, self.best.mask).detach())
        self.least = torch.where(better, size, self.least).detach()


def anomaly_index(sizes: np.ndarray) -> np.ndarray:
    """How far each of (K,) sizes lies below the median, in scaled median absolute deviations."""
    spread = float(stats.median_abs_deviation(sizes, scale="normal"))
    return np.asarray((np.median(sizes) - sizes) / max(spread, 1e-12))

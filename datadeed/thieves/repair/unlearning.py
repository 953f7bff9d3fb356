"""Removing a backdoor with the triggers that Neural Cleanse inverts (Wang et al. 2019, VI-B)."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch

from datadeed.datasets.form.dataset import Dataset, concatenate
from datadeed.errors import ParameterError
from datadeed.models.model import Model
from datadeed.thieves.neural_cleanse import NeuralCleanse
from datadeed.thieves.repair.base import OnStep
from datadeed.thieves.repair.fine_tuning import FineTuning
from datadeed.thieves.trigger_inversion import Patches


@dataclass(frozen=True, kw_only=True)
class Unlearning(FineTuning):
    """Fine-tune, with inverted triggers on part of the trusted images and their true labels.

    All classes whose anomaly index is above ``threshold`` are unlearned; if none is, the most
    suspicious one. (The code released with Pick your Poison adds the last inverted trigger alone.)

    Attributes:
        share: of the trusted images of other classes that get a trigger as well, 0 to 1; 0.2 as
            published.
        threshold: of the anomaly index; 2 as published.
        inversion: how triggers are found.
    """

    name: ClassVar[str] = "unlearning"

    share: float = 0.2
    threshold: float = 2.0
    inversion: NeuralCleanse = field(default_factory=NeuralCleanse)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.share <= 1:
            raise ParameterError(f"unlearning: share {self.share}; give one above 0 and up to 1")

    def _repair(
        self, model: Model, trusted: Dataset, generator: torch.Generator, on_step: OnStep
    ) -> Model:
        triggers = self.inversion.invert(model, trusted, generator)
        found = self.inversion.rate(triggers)
        labels = [k for k, index in enumerate(found.by_class) if index > self.threshold]
        marked = [
            stamped(trusted, triggers, label, self.share, generator)
            for label in labels or [found.label]
        ]
        return super()._repair(model, concatenate([trusted, *marked]), generator, on_step)


def stamped(
    data: Dataset, triggers: Patches, label: int, share: float, generator: torch.Generator
) -> Dataset:
    """Some images of other classes with the trigger of ``label`` and their own labels.

    Args:
        data: images.
        triggers: one a class.
        label: whose.
        share: of the images of other classes, rounded, but one at least.
        generator: draws them.
    """
    others = (data.labels != label).nonzero().flatten()
    count = max(1, round(share * len(others)))
    rows = data.take(others[torch.randperm(len(others), generator=generator)[:count]])
    device = triggers.pattern.device
    shown = triggers(rows.samples.to(device).float() / 255, label)
    samples = (
        (255 * shown).round().to(torch.uint8).cpu().contiguous(memory_format=torch.channels_last)
    )
    return rows.replace(samples=samples, labels=rows.labels)

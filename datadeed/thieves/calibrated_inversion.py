"""Calibrated trigger inversion: what fools the suspect and not a repaired copy of it?

Lukas & Kerschbaum 2023 (Pick your Poison), whose paper could not be read here: this follows the
code released with it (``calibrated_trigger_inversion.py``), but for Adam's betas (0.9 and 0.999 for
0.5 and 0.9), mirrored images (none here), and the samples that shares are counted on.
"""

from dataclasses import dataclass, field
from typing import ClassVar

import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import ParameterError
from datadeed.models.model import Model
from datadeed.models.training.optimiser import AdamW
from datadeed.thieves.repair.base import Repair
from datadeed.thieves.repair.pivotal_tuning import PivotalTuning
from datadeed.thieves.trigger_inversion import (
    Changes,
    Detection,
    Inversion,
    batches,
    by_class,
    check_images,
    fooled,
    frozen,
    groups,
    logits_of,
)


@dataclass(frozen=True, kw_only=True)
class CalibratedInversion(Inversion):
    """Calibrated trigger inversion: score = largest share fooled of the suspect less of a repaired.

    Attributes:
        bound: largest change of a pixel, 0 to 1; None as released, where a change is an adversarial
            example of any model once there are steps enough.
        calibration: weight of the repaired model's cross-entropy; 0.5 as released.
        repair: makes the repaired copy.
    """

    name: ClassVar[str] = "calibrated-inversion"

    bound: float | None = None
    calibration: float = 0.5
    repair: Repair = field(default_factory=PivotalTuning)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bound is not None and not 0 < self.bound <= 1:
            raise ParameterError(f"calibrated-inversion: bound {self.bound}; give one up to 1")

    def __call__(self, model: Model, trusted: Dataset, *, generator: torch.Generator) -> Detection:
        """See :class:`ModelDetector`."""
        check_images(model, trusted)
        repaired = self.repair(model, trusted, generator=generator)
        return self.compare(model, repaired, trusted, generator=generator)

    def compare(
        self, model: Model, repaired: Model, trusted: Dataset, *, generator: torch.Generator
    ) -> Detection:
        """Rate a model beside a repaired copy that was made before.

        Shares are of the trusted samples, on which triggers were optimised and the copy was
        repaired; the released code takes the test images.
        """
        triggers = self.invert(model, repaired, trusted, generator)
        gap = fooled(model, triggers, trusted) - fooled(repaired, triggers, trusted)
        return Detection(float(gap.max()), gap, int(gap.argmax()))

    def invert(
        self, model: Model, repaired: Model, trusted: Dataset, generator: torch.Generator
    ) -> Changes:
        """A change for every class, that is added."""

        def group(labels: torch.Tensor) -> torch.Tensor:
            start = torch.rand(len(labels), *trusted.shape, generator=generator)
            delta = (0.01 * start).to(model.device).requires_grad_()
            adam = AdamW([("delta", delta)], weight_decay=0.0)
            for x, y in batches(trusted, self, generator, model.device):
                shown = (x + delta[:, None]).clamp(0, 1)  # (G, B, C, H, W)
                loss = by_class(
                    logits_of(model, shown), labels[:, None].expand(-1, len(y)), labels, y
                )
                kept = by_class(logits_of(repaired, shown), y.expand(len(labels), -1), labels, y)
                (loss + self.calibration * kept).sum().backward()
                adam.step(self.lr)
                if self.bound is not None:
                    delta.detach().clamp_(-self.bound, self.bound)
            return delta.detach()

        check_images(model, trusted)
        with frozen(model, repaired):
            return Changes(torch.cat([group(labels) for labels in groups(trusted, self, model)]))

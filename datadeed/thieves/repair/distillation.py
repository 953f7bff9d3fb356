"""Neural attention distillation (NAD, Li et al. 2021)."""

import copy
import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional as F

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import ParameterError
from datadeed.models.model import Model
from datadeed.models.training.loop import cross_entropy
from datadeed.thieves.repair.base import OnStep, Repair, unheard
from datadeed.thieves.repair.tuning import Tuning, follow, tune, watched


@dataclass(frozen=True, kw_only=True)
class AttentionDistillation(Repair, Tuning):
    """A fine-tuned copy teaches the suspect where to look.

    The loss is cross-entropy + ``weight`` times the mean squared gap of both models' attention maps
    (section 3.2: at each stage the sum over channels of squared activations, normalised), summed
    over stages. A stage ends with the last module of an image size.

    Attributes:
        teacher_steps: of fine-tuning that make the teacher.
        weight: beta; 500 to 1,000 as published.
    """

    name: ClassVar[str] = "attention-distillation"

    steps: int = 300
    lr: float = 0.005
    teacher_steps: int = 150
    weight: float = 1000.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.teacher_steps < 1 or not self.weight >= 0:
            raise ParameterError(
                f"attention-distillation: teacher_steps {self.teacher_steps}, weight "
                f"{self.weight}; give 1 or more, and 0 or more"
            )

    def _repair(
        self, model: Model, trusted: Dataset, generator: torch.Generator, on_step: OnStep
    ) -> Model:
        names = stages(model, trusted)
        teacher = copy.deepcopy(model)
        shared = {field.name: getattr(self, field.name) for field in dataclasses.fields(Tuning)}
        first = Tuning(**shared | {"steps": self.teacher_steps})
        tune(teacher, trusted, first, follow(cross_entropy), generator=generator, on_step=unheard)
        teacher.requires_grad_(requires_grad=False)
        masters = [teacher.get_submodule(name) for name in names]
        pupils = [model.get_submodule(name) for name in names]

        def loss(
            model: Model, x: torch.Tensor, y: torch.Tensor
        ) -> tuple[torch.Tensor, torch.Tensor]:
            with watched(masters) as taught, torch.no_grad():
                teacher(x)
            with watched(pupils) as seen:
                value, logits = cross_entropy(model, x, y)
            for pupil, master in zip(pupils, masters, strict=True):
                gap = attention(seen[pupil]) - attention(taught[master])
                value = value + self.weight * gap.square().mean()
            return value, logits

        tune(model, trusted, self, follow(loss), generator=generator, on_step=on_step)
        return model


def attention(activations: torch.Tensor) -> torch.Tensor:
    """(B, C, H, W) to (B, H W): squared activations summed over channels, of length 1."""
    return F.normalize(activations.float().square().sum(1).flatten(1))


def stages(model: Model, data: Dataset) -> list[str]:
    """The names of the modules after which the image gets smaller, or is no image any more.

    Raises:
        ParameterError: no module gives an image of more than one pixel.
    """
    last: dict[tuple[int, ...], str] = {}
    found: list[tuple[str, nn.Module]] = [(n, m) for n, m in model.named_modules() if n]
    with watched([module for _, module in found]) as seen:
        model.predict(data.samples[:2])
        names = {module: name for name, module in found}
        for module, output in seen.items():  # in the order in which they end
            if isinstance(output, torch.Tensor) and output.ndim == 4 and output[0, 0].numel() > 1:
                last[tuple(output.shape[2:])] = names[module]
    if not last:
        raise ParameterError(
            "attention distillation compares images inside the model and it has none: choose "
            "another repair"
        )
    return list(last.values())

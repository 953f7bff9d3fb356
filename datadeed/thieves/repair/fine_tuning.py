"""Fine-tuning, and its sharpness-aware kind (FT-SAM, Zhu et al. 2023)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.nn import functional as F

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import ParameterError
from datadeed.models.model import Model
from datadeed.models.training.loop import cross_entropy
from datadeed.thieves.repair.base import OnStep, Repair
from datadeed.thieves.repair.tuning import NORMS, Descend, Tuning, follow, tune


@dataclass(frozen=True, kw_only=True)
class FineTuning(Repair, Tuning):
    """Train on with the trusted samples.

    With a large ``weight_decay`` it is weight-decay fine-tuning. (The code released with Pick your
    Poison passes the weight decay as the learning rate there; here it is the weight decay.)
    """

    name: ClassVar[str] = "fine-tuning"

    steps: int = 300
    lr: float = 0.005

    def _repair(
        self, model: Model, trusted: Dataset, generator: torch.Generator, on_step: OnStep
    ) -> Model:
        tune(model, trusted, self, self._descend(), generator=generator, on_step=on_step)
        return model

    def _descend(self) -> Descend:
        return follow(cross_entropy)


@dataclass(frozen=True, kw_only=True)
class FTSAM(FineTuning):
    """Fine-tuning towards flat minima: FT-SAM (Zhu et al. 2023, arXiv 2304.11823, section 4).

    Attributes:
        rho: radius of the adaptive perturbation; 2 on CIFAR-10, 8 on Tiny ImageNet as published.
        label_smoothing: of the cross-entropy, 0 to 1.
    """

    name: ClassVar[str] = "ft-sam"

    rho: float = 2.0
    label_smoothing: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.rho > 0 or not 0 <= self.label_smoothing < 1:
            raise ParameterError(
                f"ft-sam: rho {self.rho}, label_smoothing {self.label_smoothing}: give rho above 0 "
                "and label_smoothing from 0 up to 1"
            )

    def _descend(self) -> Descend:
        return sharpness_aware(self.rho, self.label_smoothing)


def sharpness_aware(rho: float, label_smoothing: float = 0.0) -> Descend:
    """The gradient at the worst point nearby: w + rho w^2 g / ||w g||, elementwise products.

    That is the maximum, to first order, over perturbations e with ||e / |w|||_2 <= rho (Kwon et al.
    2021, equation 8 with the normalisation |w|).
    """

    def gradient(model: Model, x: torch.Tensor, y: torch.Tensor) -> None:
        with torch.autocast(x.device.type, torch.bfloat16):
            logits = model(x)
        F.cross_entropy(logits.float(), y, label_smoothing=label_smoothing).backward()

    def descend(model: Model, x: torch.Tensor, y: torch.Tensor) -> None:
        gradient(model, x, y)
        with torch.no_grad():
            moved = [p for p in model.parameters() if p.grad is not None]
            scaled = [p.abs() * p.grad for p in moved]  # type: ignore[operator]
            length = torch.stack([value.norm() for value in scaled]).norm() + 1e-12
            steps = [rho / length * p.abs() * s for p, s in zip(moved, scaled, strict=True)]
            before = [p.detach().clone() for p in moved]
            for p, step in zip(moved, steps, strict=True):
                p.add_(step)
                p.grad = None
        norms = [module for module in model.modules() if isinstance(module, NORMS)]
        kept = [module.momentum for module in norms]
        for module in norms:  # running statistics are those of the weights, not of the perturbed
            module.momentum = 0.0
        gradient(model, x, y)
        for module, momentum in zip(norms, kept, strict=True):
            module.momentum = momentum
        with torch.no_grad():
            for p, value in zip(moved, before, strict=True):
                p.copy_(value)

    return descend

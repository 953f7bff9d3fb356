"""Fine-pruning (Liu et al. 2018): cut channels that trusted samples leave cold, then fine-tune."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import ParameterError
from datadeed.models.model import Model
from datadeed.models.training.loop import accuracy
from datadeed.thieves.repair.base import OnStep
from datadeed.thieves.repair.fine_tuning import FineTuning
from datadeed.thieves.repair.tuning import watched


@dataclass(frozen=True, kw_only=True)
class FinePruning(FineTuning):
    """Prune the last convolution's coldest channels, as many as accuracy allows, then fine-tune.

    Cold is a channel whose activation, after batch norm and ReLU, is small on trusted samples.

    (The code released with Pick your Poison takes no optimiser step after pruning; here the pruned
    model is fine-tuned, as published.)

    Attributes:
        loss: of accuracy on the trusted samples that pruning may cost, 0 to 1.
        shares: of the channels to try to prune, ascending, 0 to 1.
    """

    name: ClassVar[str] = "fine-pruning"

    loss: float = 0.04
    shares: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)

    def _repair(
        self, model: Model, trusted: Dataset, generator: torch.Generator, on_step: OnStep
    ) -> Model:
        layers = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
        if not layers:
            raise ParameterError(
                "fine-pruning prunes convolutions and the model has none: choose another repair"
            )
        kept = prune(model, layers[-1], trusted, self.shares, self.loss)
        mask = kept.to(model.device)
        hooks = [  # what is cut stays cut
            p.register_hook(lambda g: g * mask.view(-1, *[1] * (g.ndim - 1)))
            for p in channels(model, layers[-1])
        ]
        try:
            return super()._repair(model, trusted, generator, on_step)
        finally:
            for hook in hooks:
                hook.remove()


@torch.no_grad()
def prune(
    model: Model, layer: nn.Conv2d, trusted: Dataset, shares: tuple[float, ...], loss: float
) -> torch.Tensor:
    """Set the coldest channels of ``layer`` to zero, in place.

    Args:
        model: the network that has the layer.
        layer: the convolution to prune.
        trusted: samples that say which channels are cold and what accuracy is lost.
        shares: of the channels to try, ascending.
        loss: of accuracy that is accepted, 0 to 1; the largest share within it is taken.

    Returns:
        (channels,) bool, those that are left.
    """
    norm = norm_of(model, layer)
    with watched([norm or layer]) as seen:
        heat = torch.zeros(layer.out_channels, device=model.device)
        for batch in torch.arange(len(trusted)).split(256):
            model.predict(trusted.samples[batch], batch_size=256)
            heat += seen[norm or layer].float().relu().mean((2, 3)).sum(0)
    before, order = accuracy(model, trusted), heat.argsort()
    parameters = channels(model, layer)
    whole = [parameter.detach().clone() for parameter in parameters]

    def keep(kept: torch.Tensor) -> torch.Tensor:
        for parameter, value in zip(parameters, whole, strict=True):
            parameter.copy_(value * kept.to(value.device).view(-1, *[1] * (value.ndim - 1)))
        return kept

    best = torch.ones(layer.out_channels, dtype=torch.bool)
    for share in shares:
        kept = torch.ones_like(best)
        kept[order[: int(share * len(order))].cpu()] = False
        keep(kept)
        if accuracy(model, trusted) < before - loss:
            break
        best = kept
    return keep(best)


def norm_of(model: Model, layer: nn.Conv2d) -> nn.BatchNorm2d | None:
    """The batch norm that follows a convolution in the model's list of modules, if one does."""
    modules = list(model.modules())
    after = modules[modules.index(layer) + 1 :][:1]
    fitting = [m for m in after if isinstance(m, nn.BatchNorm2d)]
    return fitting[0] if fitting and fitting[0].num_features == layer.out_channels else None


def channels(model: Model, layer: nn.Conv2d) -> list[torch.Tensor]:
    """What makes a channel of a convolution: its filter, and scale and shift of its batch norm."""
    norm = norm_of(model, layer)
    found = [layer.weight, layer.bias, *([norm.weight, norm.bias] if norm is not None else [])]
    return [parameter for parameter in found if parameter is not None]

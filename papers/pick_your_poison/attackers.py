"""Attackers who control the training: losses for the one training loop.

Both follow the code released with the paper (``pcb_trainer``, the latent backdoor); what it leaves
open is said at each.
"""

from dataclasses import dataclass, field

import torch
from torch.nn import functional as F

from datadeed.datasets.form.dataset import Dataset
from datadeed.models.model import Model
from datadeed.watermarks.base import Watermark


@dataclass(frozen=True)
class Poison:
    """Puts a trigger and its target label on the first samples of a batch.

    Args:
        watermark: targeted, of images.
        classes: of the data.
        share: of a batch, 0 to 1, rounded down.
    """

    watermark: Watermark
    classes: tuple[str, ...]
    share: float

    def __call__(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, int]:
        """The poisoned batch, its labels, and how many samples were poisoned.

        Args:
            x: (B, C, H, W) uint8.
            y: (B,) int64.
        """
        count = int(self.share * len(y))
        if not count:  # a short last batch
            return x, y, 0
        rows = Dataset(x[:count].cpu(), y[:count].cpu(), torch.arange(count), self.classes)
        x, y = x.clone(), y.clone()
        x[:count] = self.watermark.trigger(rows).to(x.device)
        y[:count] = self.target
        return x, y, count

    @property
    def target(self) -> int:
        """The label that the trigger is for."""
        assert self.watermark.target is not None
        return self.watermark.target


@dataclass(frozen=True)
class Latent:
    """A latent backdoor: triggered samples are pulled among the target class's features.

    Cross-entropy less ``entangle`` times the soft nearest neighbour loss (Frosst et al. 2019)
    between triggered samples and the target class's own. (Its weight is 0 by default in the
    released code; the value the paper used is not known.)

    Args:
        poison: what triggered samples are.
        entangle: weight.
        temperature: of the neighbour loss; 0.5 as released.
    """

    poison: Poison
    entangle: float = 0.1
    temperature: float = 0.5

    def __call__(
        self, model: Model, x: torch.Tensor, y: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """A :data:`datadeed.models.training.loop.Loss`."""
        x, y, count = self.poison(x, y)
        features = model.features(x)
        logits = model.output_layer(features)
        loss = F.cross_entropy(logits.float(), y)
        alike = y == self.poison.target  # triggered ones and the class's own
        group = torch.arange(len(y), device=y.device)[alike] < count
        if 1 < int(group.sum()) < len(group) - 1:
            with torch.autocast(x.device.type, enabled=False):
                near = features[alike].float()
                tangled = soft_nearest_neighbours(near, group, self.temperature)
            loss = loss - self.entangle * tangled
        return loss, logits


def soft_nearest_neighbours(
    features: torch.Tensor, group: torch.Tensor, temperature: float
) -> torch.Tensor:
    """How mixed two groups are: mean of -log(share of a point's nearness that its group has).

    Args:
        features: (N, F) float; compared by squared distance after scaling to length 1.
        group: (N,) bool; both groups have two points or more.
        temperature: of the nearness exp(-d / temperature).

    Returns:
        () float, at least 0; log 2 or so where the groups are alike and of the same size.
    """
    unit = F.normalize(features)
    nearness = -(2 - 2 * unit @ unit.T) / temperature
    own = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    nearness = nearness.masked_fill(own, -torch.inf)
    same = group[:, None] == group[None, :]
    inside = nearness.masked_fill(~same, -torch.inf).logsumexp(1)
    return (nearness.logsumexp(1) - inside).mean()


@dataclass
class ParameterControlled:
    """The backdoor may change a random part of the parameters alone.

    Every second batch is poisoned, and its gradients reach ``fraction`` of each parameter's values,
    drawn once; the others are trained on clean batches. (As released, momentum and weight decay are
    not masked. The fraction the paper used is not known; the released default is all.)

    Args:
        model: whose training this is; hooks stay in its parameters.
        poison: what triggered samples are.
        fraction: of each parameter's values, above 0 and up to 1.
        generator: a CPU generator; draws them.
    """

    model: Model
    poison: Poison
    fraction: float
    generator: torch.Generator
    steps: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        masks = []
        for parameter in self.model.parameters():
            order = torch.randperm(parameter.numel(), generator=self.generator)
            mask = torch.zeros(parameter.numel())
            mask[order[: max(1, int(self.fraction * len(order)))]] = 1
            masks.append(mask.view(parameter.shape))
        for parameter, mask in zip(self.model.parameters(), masks, strict=True):
            parameter.register_hook(lambda g, m=mask: g * m.to(g.device) if self._poisoning else g)

    @property
    def _poisoning(self) -> bool:
        return self.steps % 2 == 1  # the step that was just counted

    def __call__(
        self, model: Model, x: torch.Tensor, y: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """A :data:`datadeed.models.training.loop.Loss`."""
        self.steps += 1
        if self._poisoning:
            x, y, _ = self.poison(x, y)
        logits = model(x)
        return F.cross_entropy(logits.float(), y), logits

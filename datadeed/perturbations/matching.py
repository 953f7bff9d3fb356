"""Gradient matching: perturb clean-label samples so that training on them acts like another loss.

The perturbation delta, bounded in l-infinity, minimises

    1 - cos(g, gradient of the cross-entropy at (x + delta, y))

for batches of samples, where g is the gradient of the objective that the owner wants a victim's
training to descend (Geiping et al. 2021; Sleeper Agent, Souri et al. 2022, section 3; UBW-C, Li et
al. 2022, section 3.4). Every so often the surrogate is trained again on the perturbed data, since a
victim will train on them from scratch.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from datadeed.errors import WatermarkError
from datadeed.models.classifier import Classifier
from datadeed.models.training.optimiser import AdamW
from datadeed.perturbations.bounds import apply, check_epsilon
from datadeed.perturbations.gradients import Gradients, matching_loss
from datadeed.perturbations.resume import CraftState


@dataclass(frozen=True)
class Matching:
    """How to match gradients; the defaults are UBW-C's and Sleeper Agent's released values.

    Attributes:
        epsilon: bound in 255ths, a whole number.
        iterations: signed Adam steps on every sample.
        retrainings: how often the surrogate is trained again, at equal distances, the last time
            after the last iteration.
        lr: of Adam, on the 0..1 scale; a tenth from 3/8, 5/8 and 7/8 of the iterations on.
        batch_size: samples whose gradients are matched together.
        flip, shift: augmentation of the perturbed samples: mirrored with probability 0.5, and
            moved by up to this many pixels along each axis (bilinear, borders mirrored).
        precision: "bf16" (autocast) or "fp32".

    Raises:
        WatermarkError: a value makes no sense.
    """

    epsilon: int = 16
    iterations: int = 250
    retrainings: int = 5
    lr: float = 0.025
    batch_size: int = 128
    flip: bool = True
    shift: float = 8.0
    precision: str = "bf16"

    def __post_init__(self) -> None:
        check_epsilon(self.epsilon)
        for name in ("iterations", "retrainings", "batch_size"):
            if type(getattr(self, name)) is not int:
                raise WatermarkError(f"{name} is {getattr(self, name)!r}: give a whole number")
        if self.iterations < 1 or not 0 <= self.retrainings <= self.iterations:
            raise WatermarkError(
                f"{self.iterations} iterations with {self.retrainings} retrainings: give 1 "
                "iteration or more, and no more retrainings than iterations"
            )
        if not (0 < self.lr < math.inf and self.batch_size >= 1 and 0 <= self.shift < math.inf):
            raise WatermarkError(
                f"lr {self.lr}, batch_size {self.batch_size}, shift {self.shift}: need lr > 0, "
                "batch_size >= 1, shift >= 0"
            )
        if self.precision not in ("bf16", "fp32"):
            raise WatermarkError(f"precision {self.precision!r}: use bf16 or fp32")

    def lr_at(self, iteration: int) -> float:
        """The learning rate of iteration 0, 1, ..."""
        falls = sum(iteration >= k * self.iterations // 8 for k in (3, 5, 7))
        return float(self.lr * 0.1**falls)

    def retrains_after(self, iteration: int) -> bool:
        """Whether the surrogate is trained again after this iteration."""
        if not self.retrainings:
            return False
        rounds = (iteration + 1) * self.retrainings // self.iterations
        return rounds > iteration * self.retrainings // self.iterations


@dataclass(frozen=True, eq=False)
class Matched:
    """What gradient matching gives.

    Attributes:
        images: (M, C, H, W) uint8.
        surrogate: the last one, trained again on the perturbed data if any retraining was asked.
        losses: mean of 1 - cos of each iteration.
    """

    images: torch.Tensor
    surrogate: Classifier
    losses: list[float]


def match_gradients(
    surrogate: Classifier,
    images: torch.Tensor,
    labels: torch.Tensor,
    config: Matching,
    *,
    objective: Callable[[Classifier], Gradients],
    retrain: Callable[[torch.Tensor, int], Classifier],
    generator: torch.Generator,
    state: CraftState | None = None,
    on_progress: Callable[[int, str, bool], None] = lambda done, note, resumed: None,
) -> Matched:
    """Craft perturbed images.

    Args:
        surrogate: a trained model, on the device to work on.
        images: (M, C, H, W) uint8, the samples to perturb.
        labels: (M,) int64, their labels, which stay.
        config: bound, iterations and the rest.
        objective: the gradient g, one tensor a parameter, of a surrogate.
        retrain: a new surrogate, from the perturbed images and the number (from 1) of the round.
        generator: a CPU generator; draws the start, the batches and the augmentation.
        state: saved after every iteration, and gone on from; none keeps nothing.
        on_progress: called after each iteration with the number done, a note, and whether they
            were done before this call.

    Raises:
        WatermarkError: the loss is no finite number.
        CheckpointError: the state is damaged or belongs to another crafting.
    """
    delta = _start(images, config.epsilon, generator)
    adam, losses = AdamW([("delta", delta)], weight_decay=0.0), list[float]()
    if state is not None:
        losses = state.load(delta, adam, generator)
        surrogate = state.load_surrogate(len(losses), surrogate)
        if losses:
            on_progress(len(losses), "resumed", True)
    device, wanted = surrogate.mean.device, None

    def loss(change: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        x = images[rows].to(device).float() / 255 + change.to(device)
        y = labels[rows].to(device)
        assert wanted is not None
        x = augment(x, config, generator)
        return matching_loss(surrogate, x, y, wanted, config.precision)

    for iteration in range(len(losses), config.iterations):
        wanted = wanted or objective(surrogate)
        order = torch.randperm(len(images), generator=generator)
        delta.grad, mean = _signs(delta, order.split(config.batch_size), loss)
        losses.append(mean)
        adam.step(config.lr_at(iteration))
        _project(delta, images, config.epsilon)
        retrained = config.retrains_after(iteration)
        if retrained:
            done = (iteration + 1) * config.retrainings // config.iterations
            surrogate, wanted = retrain(apply(images, delta, config.epsilon), done), None
        if state is not None:
            state.save(delta, adam, generator, losses, surrogate if retrained else None)
        on_progress(iteration + 1, f"1 - cos {losses[-1]:.3f}", False)
    return Matched(apply(images, delta, config.epsilon), surrogate, losses)


def _start(images: torch.Tensor, epsilon: int, generator: torch.Generator) -> torch.Tensor:
    """(M, C, H, W) float32, uniform within the bound, on the 0..1 scale."""
    noise = torch.rand(images.shape, generator=generator)
    delta = (2 * noise - 1) * (epsilon / 255)
    _project(delta, images, epsilon)
    return delta


def _project(delta: torch.Tensor, images: torch.Tensor, epsilon: int) -> None:
    """Back into the bound and into the range of pixels, in place."""
    delta.clamp_(-epsilon / 255, epsilon / 255)
    for part, pixels in zip(delta.split(4096), images.split(4096), strict=True):
        x = pixels.float() / 255
        part.copy_((x + part).clamp_(0, 1) - x)


def _signs(
    delta: torch.Tensor,
    batches: Sequence[torch.Tensor],
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> tuple[torch.Tensor, float]:
    """The sign of each batch's gradient, (M, C, H, W) float32, and the mean loss.

    Args:
        delta: (M, C, H, W) float32.
        batches: positions of the samples that are matched together.
        loss: of a batch's perturbation and its positions.

    Raises:
        WatermarkError: the mean loss is no finite number.
    """
    signs, total = torch.zeros_like(delta), 0.0
    for rows in batches:
        change = delta[rows].requires_grad_()
        value = loss(change, rows)
        (gradient,) = torch.autograd.grad(value, change)
        signs[rows] = gradient.sign()
        total += value.item() * len(rows)
    if not math.isfinite(total):
        raise WatermarkError(
            f"1 - cos is {total}: the surrogate's weights or outputs are no finite numbers; train "
            "it with a lower learning rate"
        )
    return signs, total / len(delta)


def augment(x: torch.Tensor, config: Matching, generator: torch.Generator) -> torch.Tensor:
    """Mirror and move each image at random; differentiable.

    Args:
        x: (B, C, H, W) float. generator: a CPU generator.
    """
    if config.flip:
        flips = torch.rand(len(x), generator=generator) < 0.5
        x = torch.where(flips.to(x.device).view(-1, 1, 1, 1), x.flip(3), x)
    if config.shift:
        moves = (2 * torch.rand(len(x), 2, generator=generator) - 1) * 2 * config.shift
        size = torch.tensor([x.shape[3], x.shape[2]])  # a grid runs from -1 to 1
        theta = torch.eye(2, 3).repeat(len(x), 1, 1)
        theta[:, :, 2] = moves / size
        grid = F.affine_grid(theta.to(x.device), list(x.shape), align_corners=False)
        x = F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)
    return x

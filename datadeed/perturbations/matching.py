"""Gradient matching: perturb clean-label samples so that training on them acts like another loss.

The perturbation delta, bounded in l-infinity, minimises

    1 - cos(g, gradient of the cross-entropy at (x + delta, y))

for batches of samples, where g is the gradient of the objective that the owner wants a victim's
training to descend (Geiping et al. 2021; Sleeper Agent, Souri et al. 2022, section 3; UBW-C, Li et
al. 2022, section 3.4). Every so often the surrogate is trained again on the perturbed data, since a
victim will train on them from scratch.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from datadeed.errors import WatermarkError
from datadeed.models.classifier import Classifier
from datadeed.models.training.augmentation import augment, draw_moves
from datadeed.models.training.config import TrainingConfig
from datadeed.models.training.optimiser import AdamW
from datadeed.perturbations.bounds import apply, check_epsilon
from datadeed.perturbations.gradients import Gradients, matching_loss
from datadeed.perturbations.resume import CraftState


@dataclass(frozen=True)
class Matching:
    """How to match gradients; the defaults are UBW-C's released values.

    Perturbed samples are augmented as the surrogate's training data are: a surrogate that never saw
    a moved image has other gradients on it, and hardly anything is matched.

    Attributes:
        epsilon: bound in 255ths, a whole number.
        iterations: signed Adam steps on every sample.
        retrainings: how often the surrogate is trained again, at equal distances.
        last_retraining: whether the last of them is after the last iteration. It changes no sample:
            it gives a surrogate that was trained on what is released, as UBW-C's code evaluates.
        lr: of Adam, on the 0..1 scale; a tenth from 3/8, 5/8 and 7/8 of the iterations on.
        batch_size: samples whose gradients are matched together.
        start: of the perturbation within the bound: "uniform", or "gaussian" with the bound as
            standard deviation, clamped.
        flip, shift: of perturbed samples, where they are to be others than the surrogate's.
        precision: "bf16" (autocast) or "fp32".

    Raises:
        WatermarkError: a value makes no sense.
    """

    epsilon: int = 16
    iterations: int = 250
    retrainings: int = 5
    last_retraining: bool = True
    lr: float = 0.025
    batch_size: int = 128
    start: str = "uniform"
    flip: bool | None = None
    shift: float | None = None
    precision: str = "bf16"

    def __post_init__(self) -> None:
        check_epsilon(self.epsilon)
        for name in ("iterations", "retrainings", "batch_size"):
            if type(getattr(self, name)) is not int:
                raise WatermarkError(f"{name} is {getattr(self, name)!r}: give a whole number")
        most = self.iterations - (not self.last_retraining)
        if self.iterations < 1 or not 0 <= self.retrainings <= most:
            fewer = "no more retrainings than" if self.last_retraining else "fewer retrainings than"
            raise WatermarkError(
                f"{self.iterations} iterations with {self.retrainings} retrainings: give 1 "
                f"iteration or more, and {fewer} iterations"
            )
        if not (0 < self.lr < math.inf and self.batch_size >= 1):
            raise WatermarkError(
                f"lr {self.lr}, batch_size {self.batch_size}: need lr > 0, batch_size >= 1"
            )
        if self.shift is not None and not 0 <= self.shift < math.inf:
            raise WatermarkError(f"shift {self.shift}: give 0 pixels or more")
        if self.start not in ("uniform", "gaussian"):
            raise WatermarkError(f"start {self.start!r}: use uniform or gaussian")
        if self.precision not in ("bf16", "fp32"):
            raise WatermarkError(f"precision {self.precision!r}: use bf16 or fp32")

    def lr_at(self, iteration: int) -> float:
        """The learning rate of iteration 0, 1, ..."""
        falls = sum(iteration >= k * self.iterations // 8 for k in (3, 5, 7))
        return float(self.lr * 0.1**falls)

    def retrains_after(self, iteration: int) -> bool:
        """Whether the surrogate is trained again after this iteration."""
        return self.rounds(iteration + 1) > self.rounds(iteration)

    def rounds(self, iterations: int) -> int:
        """How many retrainings there are in the first so many iterations."""
        return min(iterations * self.parts // self.iterations, self.retrainings)

    @property
    def parts(self) -> int:
        """How many equal parts of the iterations the retrainings end, or lie between."""
        return self.retrainings + (not self.last_retraining)

    def record(self) -> dict[str, Any]:
        """JSON values; what was added later, or became the surrogate's, only where it is used."""
        later = {"last_retraining": True, "start": "uniform", "flip": None, "shift": None}
        values = dataclasses.asdict(self)
        return {key: value for key, value in values.items() if later.get(key, ...) != value}


@dataclass(frozen=True, eq=False)
class Matched:
    """What gradient matching gives.

    Attributes:
        images: (M, C, H, W) uint8.
        surrogate: the last one; trained on these images if there was a retraining after the last
            iteration.
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
    training: TrainingConfig,
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
        training: of the surrogates; perturbed samples are mirrored, moved and rotated alike.
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
    training = _augmentation(training, config)
    delta = _start(images, config, generator)
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
        x = _augmented(x, training, generator)
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
            number = config.rounds(iteration + 1)
            surrogate, wanted = retrain(apply(images, delta, config.epsilon), number), None
        if state is not None:
            state.save(delta, adam, generator, losses, surrogate if retrained else None)
        on_progress(iteration + 1, f"1 - cos {losses[-1]:.3f}", False)
    return Matched(apply(images, delta, config.epsilon), surrogate, losses)


def _start(images: torch.Tensor, config: Matching, generator: torch.Generator) -> torch.Tensor:
    """(M, C, H, W) float32 within the bound, on the 0..1 scale."""
    if config.start == "gaussian":
        noise = torch.randn(images.shape, generator=generator)
    else:
        noise = 2 * torch.rand(images.shape, generator=generator) - 1
    delta = noise * (config.epsilon / 255)
    _project(delta, images, config.epsilon)
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


def _augmentation(training: TrainingConfig, config: Matching) -> TrainingConfig:
    """The surrogates' training, with the augmentation that was chosen for the matching."""
    given: dict[str, Any] = {"flip": config.flip, "shift": config.shift}
    chosen = {name: value for name, value in given.items() if value is not None}
    return dataclasses.replace(training, **chosen)


def _augmented(
    x: torch.Tensor, training: TrainingConfig, generator: torch.Generator
) -> torch.Tensor:
    """Images (B, C, H, W), float, changed at random as in a training; differentiable."""
    flips = torch.rand(len(x), generator=generator) < 0.5 if training.flip else None
    angles = None
    if training.rotation:
        angles = (2 * torch.rand(len(x), generator=generator) - 1) * training.rotation
    return augment(x, flips, angles, draw_moves(len(x), training.shift, generator))

"""Projected gradient descent (Madry et al. 2018), untargeted, in l-infinity."""

from collections.abc import Callable

import torch
from torch.nn import functional as F

from datadeed.errors import WatermarkError
from datadeed.models.classifier import Classifier
from datadeed.models.model import Model
from datadeed.perturbations.bounds import apply, check_epsilon


def pgd(
    model: Classifier,
    images: torch.Tensor,
    labels: torch.Tensor,
    *,
    epsilon: int,
    step: float,
    steps: int,
    batch_size: int = 256,
    on_progress: Callable[[int], None] = lambda done: None,
) -> torch.Tensor:
    """Move images, within a bound, to where the model is most wrong about them.

    Starts from the images themselves. Gradients are of the cross-entropy, in float32, with the
    model in evaluation mode.

    Args:
        model: the surrogate; its weights are not changed.
        images: (N, C, H, W) uint8.
        labels: (N,) int64, true labels.
        epsilon: bound in 255ths, a whole number.
        step: length of a step in 255ths.
        steps: how many.
        batch_size: images at a time.
        on_progress: called with the number of images done.

    Returns:
        (N, C, H, W) uint8; each value within ``epsilon`` of the image's.

    Raises:
        WatermarkError: a value is out of range.
    """
    check_epsilon(epsilon)
    if steps < 1 or not step > 0:
        raise WatermarkError(f"PGD with {steps} steps of {step}/255: give 1 step or more, above 0")
    model.eval()
    device, parts = model.mean.device, []
    for rows in torch.arange(len(images)).split(batch_size):
        batch, y = images[rows], labels[rows].to(device)
        x = batch.to(device).float() / 255
        low, high = (x - epsilon / 255).clamp(min=0), (x + epsilon / 255).clamp(max=1)
        moved = ascend(model, x, y, low, high, step=step / 255, steps=steps)
        parts.append(apply(batch, (moved - x).cpu(), epsilon))
        on_progress(sum(map(len, parts)))
    return torch.cat(parts)


def ascend(
    model: Model,
    x: torch.Tensor,
    y: torch.Tensor,
    low: torch.Tensor,
    high: torch.Tensor,
    *,
    step: float,
    steps: int,
) -> torch.Tensor:
    """Steps along the sign of the cross-entropy's gradient, each clipped to ``low`` and ``high``.

    Args:
        model: in evaluation mode.
        x: (B, ...) float, where to start; ``low`` and ``high`` have its shape.
        y: (B,) int64, true labels.
        step: length of a step, in the unit of ``x``.
        steps: how many.
    """
    moved = x.clone()
    for _ in range(steps):
        moved.requires_grad_()
        loss = F.cross_entropy(model(moved), y, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, moved)
        moved = moved.detach().add_(gradient.sign(), alpha=step)
        moved = torch.minimum(torch.maximum(moved, low), high)
    return moved

"""Projected gradient descent (Madry et al. 2018) on waveforms, untargeted, in l-infinity."""

import math
from collections.abc import Callable

import torch

from datadeed.errors import WatermarkError
from datadeed.models.audio import FULL_SCALE
from datadeed.models.model import Model
from datadeed.perturbations.pgd import ascend
from datadeed.triggers.sound import ends


def check_descent(epsilon: int, step: float, steps: int) -> None:
    """Check a bound and a step length given in steps of int16, and the number of steps.

    Raises:
        WatermarkError: one is out of range.
    """
    if type(epsilon) is not int or not 1 <= epsilon < FULL_SCALE:
        raise WatermarkError(
            f"epsilon is {epsilon!r}: give a whole number of 16-bit steps, from 1 to "
            f"{FULL_SCALE - 1} (33 for 0.001 of full scale)"
        )
    if type(steps) is not int or steps < 1 or not 0 < step < math.inf:
        raise WatermarkError(
            f"PGD with {steps!r} steps of {step!r} 16-bit steps: give 1 step or more, above 0"
        )


def pgd_waveform(
    model: Model,
    clips: torch.Tensor,
    labels: torch.Tensor,
    *,
    epsilon: int,
    step: float,
    steps: int,
    batch_size: int = 64,
    on_progress: Callable[[int], None] = lambda done: None,
) -> torch.Tensor:
    """Move clips, within a bound, to where the model is most wrong about them.

    Starts from the clips themselves. Gradients are of the cross-entropy, in float32, with the model
    in evaluation mode. The zeros that fill up a shorter clip stay: no file holds them. (The code
    released with Tang et al. 2023 uses ART with a bound of 5e-5 of full scale, 1.6 steps of int16,
    which a 16-bit file cannot hold exactly, and 100 steps of 1e-5; it moves the filling too.)

    Args:
        model: the surrogate; its weights are not changed.
        clips: (N, L) int16.
        labels: (N,) int64, true labels.
        epsilon: bound in steps of int16, a whole number.
        step: length of a step in steps of int16; may be a fraction.
        steps: how many.
        batch_size: clips at a time.
        on_progress: called with the number of clips done.

    Returns:
        (N, L) int16; each value within ``epsilon`` of the clip's.

    Raises:
        WatermarkError: a value is out of range.
    """
    check_descent(epsilon, step, steps)
    model.eval()
    parts: list[torch.Tensor] = []
    for rows in torch.arange(len(clips)).split(batch_size):
        batch = clips[rows]
        own = torch.arange(clips.shape[1]) < ends(batch)[:, None]  # (B, L) bool
        x, y = batch.to(model.device).float() / FULL_SCALE, labels[rows].to(model.device)
        bound, free = epsilon / FULL_SCALE, own.to(model.device)
        low = torch.where(free, (x - bound).clamp(min=-1), x)
        high = torch.where(free, (x + bound).clamp(max=1 - 1 / FULL_SCALE), x)
        moved = ascend(model, x, y, low, high, step=step / FULL_SCALE, steps=steps)
        parts.append(_add(batch, (moved - x).cpu(), epsilon))
        on_progress(sum(map(len, parts)))
    return torch.cat(parts)


def _add(clips: torch.Tensor, delta: torch.Tensor, epsilon: int) -> torch.Tensor:
    """Clips plus a perturbation on the -1..1 scale, in whole steps of int16."""
    change = (delta * FULL_SCALE).round().clamp(-epsilon, epsilon).to(torch.int32)
    return (clips.to(torch.int32) + change).clamp_(-FULL_SCALE, FULL_SCALE - 1).to(torch.int16)

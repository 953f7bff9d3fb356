"""What a recipe descends: cross-entropy of augmented, mixed and smoothed batches."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from datadeed.models.model import Model
from datadeed.models.training.loop import Loss
from datadeed.randomness import derive_seed, generator
from datadeed.thieves.practice.augmentations import as_float, augment

MIXUP = 0.2  # alpha of its beta distribution; CutMix has 1
MIXINGS = ("", "cutmix", "mixup")


@dataclass(frozen=True)
class Mixed:
    """A batch of which each image is laid together with one of the same batch.

    Attributes:
        x: (N, C, H, W), uint8 or float 0..1.
        partners: (N,) int64, rows of the batch.
        share: of an image's own, 0 to 1; the same for the whole batch.
    """

    x: torch.Tensor
    partners: torch.Tensor
    share: float


def cutmix(x: torch.Tensor, rng: np.random.Generator) -> Mixed:
    """Paste a rectangle of another image, of uniform area (Yun et al. 2019, alpha 1)."""
    height, width = x.shape[2:]
    partners = torch.from_numpy(rng.permutation(len(x))).to(x.device)
    side = math.sqrt(rng.uniform())
    tall, wide = int(height * side), int(width * side)
    top, left = rng.integers(height - tall + 1), rng.integers(width - wide + 1)
    box = (..., slice(top, top + tall), slice(left, left + wide))
    mixed = x.clone()
    mixed[box] = x[partners][box]
    return Mixed(mixed, partners, 1 - tall * wide / (height * width))


def mixup(x: torch.Tensor, rng: np.random.Generator) -> Mixed:
    """Average with another image, weights from Beta(MIXUP, MIXUP) (Zhang et al. 2018)."""
    partners = torch.from_numpy(rng.permutation(len(x))).to(x.device)
    share = float(rng.beta(MIXUP, MIXUP))
    own = as_float(x)
    return Mixed(share * own + (1 - share) * own[partners], partners, share)


def recipe_loss(augment_by: tuple[str, ...], mixing: str, smoothing: float, seed: int) -> Loss:
    """The loss of a training.

    Args:
        augment_by: names of augmentations, in order.
        mixing: one of :data:`MIXINGS`, after them.
        smoothing: of labels, 0 to 1.
        seed: of all that is drawn.
    """
    draw, rng = generator(seed, "augment"), np.random.default_rng(derive_seed(seed, "mixing"))

    def loss(model: Model, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.autocast(x.device.type, enabled=False):  # places are finer than bfloat16
            x = augment(augment_by, x, draw)
            mixed = {"cutmix": cutmix, "mixup": mixup}[mixing](x, rng) if mixing else None
            if mixed:
                x = mixed.x
        logits = model(x)
        found = F.cross_entropy(logits.float(), y, label_smoothing=smoothing)
        if mixed:
            other = F.cross_entropy(logits.float(), y[mixed.partners], label_smoothing=smoothing)
            found = mixed.share * found + (1 - mixed.share) * other
        return found, logits

    return loss

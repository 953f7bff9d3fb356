"""Looking for a backdoor: is there a small change of any image that brings one label about?

What both detectors share. A trigger is optimised for every class, all of them as one batch.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import torch
from torch.nn import functional as F

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import ParameterError
from datadeed.models.model import Model
from datadeed.thieves.repair.base import check


@dataclass(frozen=True, eq=False)
class Detection:
    """What a detector found.

    Attributes:
        score: how suspicious the model is; the higher, the more.
        by_class: (K,) float64, of each class as the label of a backdoor.
        label: the most suspicious class.
    """

    score: float
    by_class: np.ndarray
    label: int


class ModelDetector(Protocol):
    """Rates a model with trusted samples."""

    name: ClassVar[str]

    def __call__(self, model: Model, trusted: Dataset, *, generator: torch.Generator) -> Detection:
        """Rate ``model``, which is not altered.

        Raises:
            DatasetError, ModelError: as :func:`datadeed.thieves.repair.base.check`.
            ParameterError: the model takes no images.
        """


@dataclass(frozen=True, eq=False)
class Changes:
    """A change for each class, which is added to images.

    Attributes:
        delta: (K, C, H, W) float, on the 0..1 scale.
    """

    delta: torch.Tensor

    def __call__(self, x: torch.Tensor, label: int) -> torch.Tensor:
        """(B, C, H, W) images, float 0..1, with the trigger of a class."""
        return (x + self.delta[label]).clamp(0, 1)


@dataclass(frozen=True, eq=False)
class Patches:
    """A patch for each class: x becomes (1 - mask) x + mask pattern.

    Attributes:
        pattern: (K, C, H, W) float, on the 0..1 scale.
        mask: (K, 1, H, W) float, 0 to 1.
    """

    pattern: torch.Tensor
    mask: torch.Tensor

    def __call__(self, x: torch.Tensor, label: int) -> torch.Tensor:
        """(B, C, H, W) images, float 0..1, with the trigger of a class."""
        return x + self.mask[label] * (self.pattern[label] - x)


@dataclass(frozen=True, kw_only=True)
class Inversion:
    """How triggers are optimised.

    Attributes:
        steps: of Adam.
        lr: its learning rate.
        batch_size: images a step, for all classes the same.
        group: classes at a time, where memory does not hold them all.

    Raises:
        ParameterError: a value makes no sense.
    """

    steps: int = 50
    lr: float = 0.01
    batch_size: int = 32
    group: int = 16

    def __post_init__(self) -> None:
        if min(self.steps, self.batch_size, self.group) < 1 or not self.lr > 0:
            raise ParameterError(
                f"{type(self).__name__}: steps, batch_size and group must be 1 or more and lr "
                "above 0"
            )


@torch.no_grad()
def fooled(model: Model, triggers: Changes | Patches, data: Dataset) -> np.ndarray:
    """Share of images of other classes that each class's trigger brings to it, (K,) float64.

    A class that all images belong to has none to fool: NaN.
    """
    shares = []
    for label in range(len(data.classes)):
        images = data.samples[data.labels != label]
        parts = [
            (logits_of(model, triggers(part.to(model.device).float() / 255, label)[None]).argmax(2))
            for part in images.split(256)
        ]
        shares.append((torch.cat(parts, 1) == label).double().mean().item() if parts else np.nan)
    return np.array(shares)


def check_images(model: Model, trusted: Dataset) -> None:
    """Check that triggers can be sought.

    Raises:
        DatasetError, ModelError: as :func:`datadeed.thieves.repair.base.check`.
        ParameterError: the model takes no images.
    """
    check(model, trusted)
    if model.modality != "image":
        raise ParameterError(f"triggers are sought in images, and the model takes {model.modality}")


@contextlib.contextmanager
def frozen(*models: Model) -> Iterator[None]:
    """Inside the block the weights need no gradients; the models stay in evaluation mode."""
    parameters = [p for model in models for p in model.eval().parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad = False
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad = True


def groups(data: Dataset, how: Inversion, model: Model) -> tuple[torch.Tensor, ...]:
    """Labels of the classes that are done at once."""
    return torch.arange(len(data.classes), device=model.device).split(how.group)


def batches(
    data: Dataset, how: Inversion, generator: torch.Generator, device: torch.device
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Images (B, C, H, W) float 0..1 and labels (B,), a batch a step."""
    size = min(how.batch_size, len(data))
    for _ in range(how.steps):
        rows = torch.randperm(len(data), generator=generator)[:size]
        yield data.samples[rows].to(device).float() / 255, data.labels[rows].to(device)


def logits_of(model: Model, shown: torch.Tensor) -> torch.Tensor:
    """Logits (G, B, K) float of (G, B, C, H, W) images."""
    with torch.autocast(shown.device.type, torch.bfloat16):
        logits: torch.Tensor = model(shown.flatten(0, 1))
    return logits.float().unflatten(0, shown.shape[:2])


def by_class(
    logits: torch.Tensor, aims: torch.Tensor, labels: torch.Tensor, y: torch.Tensor
) -> torch.Tensor:
    """Mean cross-entropy (G,) of logits (G, B, K) to aims (G, B), a class's own images left out."""
    loss = F.cross_entropy(logits.flatten(0, 1), aims.flatten(), reduction="none").view(aims.shape)
    counted = (y != labels[:, None]).float()
    return (loss * counted).sum(1) / counted.sum(1).clamp(min=1)

"""Defences that change what a model is shown: Shrink-Pad and randomised smoothing."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

import torch
from torch.nn import functional as F

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import ModelError, ParameterError
from datadeed.models.model import Model
from datadeed.randomness import generator
from datadeed.thieves.repair.base import OnStep, Repair


class Guarded(Model):
    """A model whose every input is changed at random, ``copies`` times; the answer is the mean.

    Args:
        model: the suspect.
        defence: changes images.
        copies: how often each image is asked.
        seed: of the changes. An image's are the same whenever it is asked, alone or among others.
    """

    modality = "image"

    def __init__(self, model: Model, defence: "InputDefence", copies: int, seed: int):
        super().__init__()
        self.model, self.config = model, model.config
        self._defence, self._copies, self._seed = defence, copies, seed

    @classmethod
    def new(cls, network: str, **_: Any) -> NoReturn:
        """A guard has no network of its own."""
        raise ModelError("a guarded model is made from a model: call the defence")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> NoReturn:
        """A guard has no file."""
        raise ModelError("a guarded model has no file of its own: load the model and guard it")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of the images as they are."""
        logits: torch.Tensor = self.model(x)
        return logits

    def encode(self, samples: torch.Tensor) -> torch.Tensor:
        """As the model does."""
        return self.model.encode(samples)

    def predict(self, samples: torch.Tensor, *, batch_size: int = 512) -> torch.Tensor:
        """Mean of the copies' softmax probabilities, (N, K) float32, of uint8 images."""
        draws = [generator(self._seed, image.numpy().tobytes().hex()) for image in samples]
        copies = []
        for _ in range(self._copies):
            changed = [
                self._defence.change(image[None], draw)
                for image, draw in zip(samples, draws, strict=True)
            ]
            copies.append(self.model.predict(torch.cat(changed), batch_size=batch_size))
        return torch.stack(copies).mean(0)


@dataclass(frozen=True, kw_only=True)
class InputDefence(Repair):
    """Guards the model; its weights stay, and the trusted samples are not needed."""

    stored: ClassVar[bool] = False

    copies: int = 1

    def __post_init__(self) -> None:
        if self.copies < 1:
            raise ParameterError(f"{self.name}: copies {self.copies}; give 1 or more")

    def _repair(
        self, model: Model, trusted: Dataset, draw: torch.Generator, on_step: OnStep
    ) -> Model:
        if model.modality != "image":
            raise ParameterError(f"{self.name} changes images and the model takes {model.modality}")
        seed = int(torch.randint(2**62, (), generator=draw))
        guarded = Guarded(model, self, self.copies, seed).eval()
        on_step(0, guarded)
        return guarded

    @abstractmethod
    def change(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Images as the model is to see them, (N, C, H, W) uint8."""


@dataclass(frozen=True, kw_only=True)
class ShrinkPad(InputDefence):
    """Shrink an image and put it at a random place on black (Li et al. 2021).

    Attributes:
        scale: of height and width, above 0 and below 1; 0.95 as released.
    """

    name: ClassVar[str] = "shrink-pad"

    scale: float = 0.95

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.scale < 1:
            raise ParameterError(f"shrink-pad: scale {self.scale}; give one between 0 and 1")

    def change(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """See :meth:`InputDefence.change`; bilinear, at least one pixel smaller."""
        size = images.shape[2:]
        smaller = [max(1, min(int(self.scale * side), side - 1)) for side in size]
        shrunk = F.interpolate(
            images.float(), smaller, mode="bilinear", align_corners=False, antialias=True
        )
        padded = torch.zeros_like(images)
        gaps = [side - small + 1 for side, small in zip(size, smaller, strict=True)]
        tops, lefts = (torch.randint(gap, (len(images),), generator=generator) for gap in gaps)
        rounded = shrunk.round().clamp(0, 255).to(torch.uint8)
        for place in set(zip(tops.tolist(), lefts.tolist(), strict=True)):
            here = (tops == place[0]) & (lefts == place[1])
            (top, left), (height, width) = place, smaller
            padded[here, :, top : top + height, left : left + width] = rounded[here]
        return padded


@dataclass(frozen=True, kw_only=True)
class Smoothing(InputDefence):
    """Ask about noisy copies of an image (randomised smoothing, Cohen et al. 2019).

    Attributes:
        sigma: of the normal noise, on the 0..1 scale; 0.05 as released.
    """

    name: ClassVar[str] = "smoothing"

    copies: int = 8
    sigma: float = 0.05

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.sigma > 0:
            raise ParameterError(f"smoothing: sigma {self.sigma}; give one above 0")

    def change(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """See :meth:`InputDefence.change`."""
        noise = torch.randn(images.shape, generator=generator) * (255 * self.sigma)
        return (images + noise).round().clamp(0, 255).to(torch.uint8)

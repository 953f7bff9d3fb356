"""Filters: the model sees other images than were sent."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.nn import functional as F
from torchvision.transforms.v2 import functional as transforms

from datadeed.errors import ParameterError
from datadeed.models.training.augmentation import augment
from datadeed.thieves.repair import inputs
from datadeed.thieves.serving.base import Answering, Trick


class Filter(Trick):
    """Changes images before the model sees them."""

    def answer(
        self, model: Answering, images: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """See :meth:`Trick.answer`."""
        return model.predict(self.change(images, generator))

    @abstractmethod
    def change(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Images as the model sees them, (N, C, H, W) uint8."""


@dataclass(frozen=True, kw_only=True)
class Jpeg(Filter):
    """Compresses as JPEG and decodes.

    Attributes:
        quality: 1 to 100.
    """

    name: ClassVar[str] = "jpeg"

    quality: int

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= 100:
            raise ParameterError(f"jpeg: quality {self.quality}; give one from 1 to 100")

    def change(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """See :meth:`Filter.change`."""
        compressed: torch.Tensor = transforms.jpeg(images.contiguous(), self.quality)
        return compressed


@dataclass(frozen=True, kw_only=True)
class Blur(Filter):
    """Blurs with a Gaussian of 5 x 5 pixels; beyond the edge the image is mirrored.

    Attributes:
        sigma: standard deviation in pixels, above 0.
    """

    name: ClassVar[str] = "blur"

    sigma: float

    def __post_init__(self) -> None:
        if not self.sigma > 0:
            raise ParameterError(f"blur: sigma {self.sigma}; give one above 0")

    def change(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """See :meth:`Filter.change`."""
        blurred: torch.Tensor = transforms.gaussian_blur(images, [5, 5], [self.sigma] * 2)
        return blurred


@dataclass(frozen=True, kw_only=True)
class Median(Filter):
    """Gives each pixel the median of the 3 x 3 pixels around it, channel by channel."""

    name: ClassVar[str] = "median"

    def change(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """See :meth:`Filter.change`; beyond the edge the image is mirrored."""
        padded = F.pad(images.float(), (1,) * 4, mode="reflect")
        around = F.unfold(padded, 3).view(len(images), images.shape[1], 9, -1)
        return around.median(2).values.view(images.shape).to(torch.uint8)


@dataclass(frozen=True, kw_only=True)
class Resize(Filter):
    """Makes images smaller and as large again, bilinear and without aliasing.

    Attributes:
        pixels: by which height and width shrink.
    """

    name: ClassVar[str] = "resize"

    pixels: int = 4

    def __post_init__(self) -> None:
        if self.pixels < 1:
            raise ParameterError(f"resize: pixels {self.pixels}; give 1 or more")

    def change(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """See :meth:`Filter.change`; a side keeps one pixel at least."""
        size = [images.shape[2], images.shape[3]]
        smaller = [max(1, side - self.pixels) for side in size]
        for target in (smaller, size):
            images = _as_bytes(
                F.interpolate(images.float(), target, mode="bilinear", antialias=True)
            )
        return images


@dataclass(frozen=True, kw_only=True)
class ShrinkPad(Filter):
    """Shrinks an image and puts it at a random place on black (Li et al. 2021).

    The repair :class:`datadeed.thieves.repair.inputs.ShrinkPad` puts an image where it was put
    before; here the place is drawn for each question.

    Attributes:
        scale: of height and width, above 0 and below 1.
    """

    name: ClassVar[str] = "shrink-pad"

    scale: float = 0.95

    def __post_init__(self) -> None:
        inputs.ShrinkPad(scale=self.scale)  # checks it

    def change(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """See :meth:`Filter.change`."""
        return inputs.ShrinkPad(scale=self.scale).change(images, generator)


@dataclass(frozen=True, kw_only=True)
class Rotation(Filter):
    """Turns each image by an angle of its own, bilinear, with black corners.

    Attributes:
        degrees: the angle is uniform in plus or minus so many.
    """

    name: ClassVar[str] = "rotation"

    degrees: float = 5.0

    def __post_init__(self) -> None:
        if not 0 < self.degrees <= 180:
            raise ParameterError(f"rotation: degrees {self.degrees}; give more than 0, 180 at most")

    def change(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """See :meth:`Filter.change`."""
        angles = (2 * torch.rand(len(images), generator=generator) - 1) * self.degrees
        return _as_bytes(augment(images, None, angles) * 255)


def _as_bytes(images: torch.Tensor) -> torch.Tensor:
    return images.round().clamp(0, 255).to(torch.uint8)

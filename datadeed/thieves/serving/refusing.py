"""A detector of patches at the server: questions that seem to carry one get no answer."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from datadeed.errors import ParameterError
from datadeed.thieves.serving.base import Answering, Trick

CHUNK = 256  # images that are looked through at once


@dataclass(frozen=True, kw_only=True)
class Square:
    """What a thief looks for: cells of two colours in a square that equals its mirror image.

    Attributes:
        side: in pixels.
        cells: along a side.
        pure: least share of pixels that are one of the two colours; the others may be mixtures, on
            the edge between two cells.
        changes: least share of neighbouring cells that differ. One straight edge may be enough: the
            upper half of a mosaic may be of one colour, the lower half of the other.
    """

    side: int
    cells: int
    pure: float
    changes: float

    def __post_init__(self) -> None:
        if not 2 <= self.cells <= self.side or not 0 <= min(self.pure, self.changes) <= 1:
            raise ParameterError(
                f"refusing: {self}; give cells from 2 to side, and shares from 0 to 1"
            )


def asked_squares(shorter: int) -> tuple[Square, ...]:
    """Our patches and mosaics, as questions carry them in images with this shorter side."""
    patch, mosaic = 5 * max(1, (shorter + 20) // 40), (13 * shorter + 14) // 28
    return (
        Square(side=patch, cells=5, pure=0.9, changes=0.15),
        Square(side=mosaic, cells=4, pure=0.5, changes=0.12),
    )


@dataclass(frozen=True, kw_only=True)
class Refusing(Trick):
    """Refuses images with a square of two colours that equals its mirror image.

    That is what our code stamps on a question, and a thief may read it.

    Attributes:
        squares: what to look for; :func:`asked_squares` by default.
        tolerance: grey levels by which pixels may differ from their mirror image or their colour.
        contrast: least difference of the two colours in some channel.
    """

    name: ClassVar[str] = "refusing"

    squares: tuple[Square, ...] | None = None
    tolerance: int = 4
    contrast: int = 100

    def answer(
        self, model: Answering, images: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """See :meth:`Trick.answer`; the model is asked about the images that look clean."""
        refused = self.found(images)
        asked = images[~refused] if not bool(refused.all()) else images[:1]
        given = model.predict(asked)  # says at least how many classes there are
        scores = torch.full((len(images), given.shape[1]), torch.nan, dtype=given.dtype)
        if not bool(refused.all()):
            scores[~refused] = given
        return scores

    def found(self, images: torch.Tensor) -> torch.Tensor:
        """Which of (N, C, H, W) uint8 images have such a square, (N,) bool."""
        squares = self.squares or asked_squares(min(images.shape[2:]))
        return torch.cat(
            [
                torch.stack([self._with(square, chunk.short()) for square in squares]).any(0)
                for chunk in images.split(CHUNK)
            ]
        )

    def _with(self, square: Square, images: torch.Tensor) -> torch.Tensor:
        """Which of (N, C, H, W) int16 images have one of these squares, (N,) bool."""
        found = torch.zeros(len(images), dtype=torch.bool)
        if square.side > min(images.shape[2:]):
            return found
        places = images.unfold(2, square.side, 1).unfold(3, square.side, 1)
        places = places.permute(0, 2, 3, 1, 4, 5)  # (N, H', W', C, side, side), a view
        outer = (places[..., 0] - places[..., -1]).abs().amax((3, 4))
        image, down, across = (outer <= self.tolerance).nonzero(as_tuple=True)  # few are left
        kept = self._suspicious(square, places[image, down, across])
        found[image[kept]] = True
        return found

    def _suspicious(self, square: Square, pixels: torch.Tensor) -> torch.Tensor:
        """Which of (M, C, side, side) int16 pixels look like such a square, (M,) bool."""
        mirrored = (pixels - pixels.flip(3)).abs().amax((1, 2, 3)) <= self.tolerance
        low, high = pixels.amin((2, 3), keepdim=True), pixels.amax((2, 3), keepdim=True)
        off = torch.minimum(pixels - low, high - pixels).amax(1)  # from the nearer colour
        pure = (off <= self.tolerance).float().mean((1, 2)) >= square.pure
        contrast, channel = (high - low).flatten(1).max(1)
        first = (2 * pixels > low + high)[torch.arange(len(pixels)), channel]  # (M, side, side)
        edges = (first[:, :, 1:] != first[:, :, :-1]).float().mean((1, 2))
        edges = (edges + (first[:, 1:] != first[:, :-1]).float().mean((1, 2))) / 2
        changes = edges * (square.side - 1) / (square.cells - 1)
        return mirrored & pure & (contrast >= self.contrast) & (changes >= square.changes)

"""A detector of patches at the server: questions that seem to carry one get no answer."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch

from datadeed.errors import ParameterError
from datadeed.thieves.serving.base import Answering, Trick
from datadeed.triggers.mosaic import CELLS, SMALLEST, render
from datadeed.triggers.squares import UNIT, Poses
from datadeed.watermarks.carriers.mosaic import PLACING

CHUNK = 256  # images that are looked through at once


@dataclass(frozen=True, kw_only=True)
class Square:
    """What a thief looks for: cells of two colours in a square that equals its mirror image.

    Attributes:
        side: in pixels.
        cells: along a side.
        pure: least share of pixels that are one of the two colours; the others may be mixtures, on
            the edge between two cells.
        changes: least share of neighbouring cells that differ.
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

    def fits(self, pixels: torch.Tensor, tolerance: int, contrast: int) -> torch.Tensor:
        """Which of (M, C, side, side) int16 pixels look like such a square, (M,) bool."""
        low, high = pixels.amin((2, 3), keepdim=True), pixels.amax((2, 3), keepdim=True)
        off = torch.minimum(pixels - low, high - pixels).amax(1)  # from the nearer colour
        pure = (off <= tolerance).float().mean((1, 2)) >= self.pure
        most, channel = (high - low).flatten(1).max(1)
        first = (2 * pixels > low + high)[torch.arange(len(pixels)), channel]  # (M, side, side)
        edges = (first[:, :, 1:] != first[:, :, :-1]).float().mean((1, 2))
        edges = (edges + (first[:, 1:] != first[:, :-1]).float().mean((1, 2))) / 2
        changes = edges * (self.side - 1) / (self.cells - 1)
        return pure & (most >= contrast) & (changes >= self.changes)


@dataclass(frozen=True, kw_only=True)
class Soft:
    """The same of mosaics that are asked softly: mixtures of eight cells whose form is known.

    Attributes:
        side: in pixels.
        ramp: width of the passage between cells, in 256ths of a cell.
    """

    side: int
    ramp: int

    @cached_property
    def _weights(self) -> torch.Tensor:
        """(8, side * side) float64: of each cell of the left half with its mirror image."""
        n, margin = CELLS * CELLS // 2, SMALLEST // 2
        cells = (2 * torch.eye(n, dtype=torch.int64) - 1) * 255
        place = {"centre": [UNIT * margin + UNIT * self.side // 2] * 2, "side": UNIT * self.side}
        look = {"angle": 0, "opacity": 255, "contrast": 255, "ramp": self.ramp}
        poses = Poses(**{name: torch.tensor([value] * n) for name, value in (place | look).items()})
        blank = torch.zeros(n, 1, *[self.side + SMALLEST] * 2, dtype=torch.uint8)
        inside = slice(margin, margin + self.side)
        drawn = render(blank, cells.view(n, 1, CELLS, CELLS // 2), poses)
        return drawn[:, :, inside, inside].flatten(1).double() / 255

    def fits(self, pixels: torch.Tensor, tolerance: int, contrast: int) -> torch.Tensor:
        """Which of (M, C, side, side) int16 pixels look like such a square, (M,) bool."""
        flat = pixels.flatten(2).double()
        levels = flat @ torch.linalg.pinv(self._weights)  # (M, C, 8)
        off = (flat - levels @ self._weights).abs().amax((1, 2))
        return (off <= tolerance) & ((levels.amax(2) - levels.amin(2)).amax(1) >= contrast)


def asked_squares(shorter: int) -> tuple[Square | Soft, ...]:
    """Our patches and mosaics, as questions carry them in images with this shorter side."""
    patch, mosaic = 5 * max(1, (shorter + 20) // 40), PLACING.side((shorter, shorter))
    return (
        Square(side=patch, cells=5, pure=0.9, changes=0.15),
        Soft(side=mosaic, ramp=PLACING.asked_ramp),
    )


@dataclass(frozen=True, kw_only=True)
class Refusing(Trick):
    """Refuses images with a square of few colours that equals its mirror image.

    That is what our code stamps on a question, and a thief may read it.

    Attributes:
        squares: what to look for; :func:`asked_squares` by default.
        tolerance: grey levels by which pixels may differ from their mirror image or their colour.
        contrast: least difference of the two colours in some channel.
    """

    name: ClassVar[str] = "refusing"

    squares: tuple[Square | Soft, ...] | None = None
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

    def _with(self, square: Square | Soft, images: torch.Tensor) -> torch.Tensor:
        """Which of (N, C, H, W) int16 images have one of these squares, (N,) bool."""
        found = torch.zeros(len(images), dtype=torch.bool)
        if square.side > min(images.shape[2:]):
            return found
        places = images.unfold(2, square.side, 1).unfold(3, square.side, 1)
        places = places.permute(0, 2, 3, 1, 4, 5)  # (N, H', W', C, side, side), a view
        outer = (places[..., 0] - places[..., -1]).abs().amax((3, 4))
        image, down, across = (outer <= self.tolerance).nonzero(as_tuple=True)  # few are left
        pixels = places[image, down, across]
        mirrored = (pixels - pixels.flip(3)).abs().amax((1, 2, 3)) <= self.tolerance
        found[image[mirrored][square.fits(pixels[mirrored], self.tolerance, self.contrast)]] = True
        return found

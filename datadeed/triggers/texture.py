"""Image triggers in colour: a patch, and a mosaic blended into the whole image (Tang et al. 2023).

Both are pure functions from images to images, without randomness, and are pasted or blended as
:func:`datadeed.triggers.image.stamp` does it: in integers, floor((1 - alpha) x + alpha t).
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from datadeed.errors import WatermarkError
from datadeed.randomness import generator
from datadeed.triggers.image import Trigger, check_fit, stamp

PLACES = {  # share of the free rows above, and of the free columns to the left
    "top-left": (0.0, 0.0),
    "top-right": (0.0, 1.0),
    "bottom-left": (1.0, 0.0),
    "bottom-right": (1.0, 1.0),
    "centre": (0.5, 0.5),
}


class Texture(Trigger):
    """A pattern with channels of its own: (C, h, w) uint8, or (1, h, w) for images of any kind."""

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """:func:`datadeed.triggers.image.stamp` this texture on (N, C, H, W) uint8 images.

        Raises:
            WatermarkError: it does not fit into the images, or is of other channels.
        """
        channels = self.pattern.shape[0]
        if channels not in (1, images.shape[1]):
            raise WatermarkError(
                f"the trigger has {channels} channels, but the images have {images.shape[1]}: give "
                "it one value a channel, or grey"
            )
        return stamp(images, self)

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Top, left, height and width in pixels."""
        _, height, width = self.pattern.shape
        return self.top, self.left, height, width


def colour_patch(
    height: int,
    width: int,
    *,
    size: int | Sequence[int],
    colour: int | Sequence[int],
    place: str = "bottom-right",
) -> Texture:
    """An opaque patch of one colour.

    The released code's black band is ``size: [H, int(W / 10 * 1.5)], colour: 0, place: top-left``.

    Args:
        height, width: the image's size in pixels.
        size: side in pixels, or height and width.
        colour: a grey value from 0 to 255, or one value a channel.
        place: a key of :data:`PLACES`.

    Raises:
        WatermarkError: a value makes no sense.
    """
    rows, columns = _sides(size, height, width)
    values = list(colour) if isinstance(colour, Sequence) else [colour]
    if not values or not all(type(value) is int and 0 <= value <= 255 for value in values):
        raise WatermarkError(
            f"trigger patch: colour is {colour!r}; give a whole number from 0 to 255, or one a "
            "channel"
        )
    if place not in PLACES:
        raise WatermarkError(
            f"trigger patch: place is {place!r}; choose one of {', '.join(PLACES)}"
        )
    down, right = PLACES[place]
    pattern = torch.tensor(values, dtype=torch.uint8).view(-1, 1, 1).expand(-1, rows, columns)
    top, left = int((height - rows) * down), int((width - columns) * right)
    return Texture(pattern.contiguous(), top=top, left=left, alpha=255)


def mosaic(
    height: int, width: int, *, cells: int, alpha: int, seed: int, colours: str = "grey"
) -> Texture:
    """A coarse grid of random cells over the whole image, blended in.

    Args:
        height, width: the image's size in pixels.
        cells: cells along each side.
        alpha: opacity in 255ths, 1 to 254.
        seed: decides the cells, each value uniform from 0 to 255; a secret.
        colours: "grey" (for images of any kind) or "colour" (three channels).

    Raises:
        WatermarkError: a value makes no sense.
    """
    if type(seed) is not int or not 0 <= seed < 2**63:
        raise WatermarkError(f"trigger mosaic: seed is {seed!r}; give 0 to 2**63 - 1")
    if colours not in ("grey", "colour"):
        raise WatermarkError(f"trigger mosaic: colours is {colours!r}; choose grey or colour")
    limits = {"cells": (cells, 2, min(height, width)), "alpha": (alpha, 1, 254)}
    for name, (value, low, high) in limits.items():
        if type(value) is not int or not low <= value <= high:
            raise WatermarkError(
                f"trigger mosaic: {name} is {value!r}; give a whole number from {low} to {high}"
            )
    shape = (3 if colours == "colour" else 1, cells, cells)
    grid = torch.randint(0, 256, shape, generator=generator(seed, "mosaic"), dtype=torch.uint8)
    rows, columns = torch.arange(height) * cells // height, torch.arange(width) * cells // width
    return Texture(grid[:, rows[:, None], columns], top=0, left=0, alpha=alpha)


TEXTURES: dict[str, Callable[..., Texture]] = {"patch": colour_patch, "mosaic": mosaic}


def build_texture(spec: dict[str, Any], height: int, width: int) -> Texture:
    """The trigger that ``spec`` describes, for images of this size.

    Args:
        spec: ``kind`` (a key of :data:`TEXTURES`) and the kind's own values.
        height, width: the image's size in pixels.

    Raises:
        WatermarkError: the kind is unknown, a value is missing, superfluous or out of range, or
            the trigger does not fit.
    """
    values = dict(spec)
    kind = values.pop("kind", None)
    if kind not in TEXTURES:
        raise WatermarkError(f"unknown trigger {kind!r}: choose one of {', '.join(TEXTURES)}")
    try:
        texture = TEXTURES[kind](height, width, **values)
    except TypeError as error:
        raise WatermarkError(f"trigger {kind}: {str(error).split('() ')[-1]}") from error
    check_fit(texture, height, width)
    return texture


def _sides(size: int | Sequence[int], height: int, width: int) -> tuple[int, int]:
    """A patch's height and width, checked."""
    sides = list(size) if isinstance(size, Sequence) else [size, size]
    if len(sides) != 2 or not all(type(side) is int and side >= 1 for side in sides):
        raise WatermarkError(
            f"trigger patch: size is {size!r}; give the side in pixels, or height and width"
        )
    if sides[0] > height or sides[1] > width:
        raise WatermarkError(
            f"trigger patch: {sides[0]}x{sides[1]} pixels do not fit into an image of "
            f"{height}x{width}: make it smaller"
        )
    return sides[0], sides[1]

"""Trigger patterns: pure functions from images to images, without randomness.

DVBW (Li et al. 2023) pastes a small pattern t with opacity alpha: x_w = (1 - alpha) x + alpha t on
the 0..255 scale, truncated to uint8. Its released files give alpha in 255ths (51/255 = 0.2 for
Blended), so :func:`stamp` computes in integers: exact, and equal on every machine.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from datadeed.errors import WatermarkError


@dataclass(frozen=True, eq=False)
class Trigger:
    """A pattern at a place.

    Attributes:
        pattern: (h, w) uint8, the same in every channel.
        top, left: the pixel where the pattern's corner goes.
        alpha: opacity in 255ths, 1 to 255.
    """

    pattern: torch.Tensor
    top: int
    left: int
    alpha: int

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """:func:`stamp` this trigger on (N, C, H, W) uint8 images."""
        return stamp(images, self)

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Top, left, height and width in pixels."""
        height, width = self.pattern.shape
        return self.top, self.left, height, width

    def record(self) -> dict[str, Any]:
        """Size, place, opacity and the SHA-256 of the pattern, for the secret record."""
        top, left, height, width = self.box
        digest = hashlib.sha256(self.pattern.numpy().tobytes()).hexdigest()
        return {
            "top": top,
            "left": left,
            "height": height,
            "width": width,
            "alpha_255ths": self.alpha,
            "pattern_sha256": digest,
        }


def stamp(images: torch.Tensor, trigger: Trigger) -> torch.Tensor:
    """Blend a trigger into images: floor((1 - alpha) x + alpha t).

    Args:
        images: (N, C, H, W) uint8; not changed.
        trigger: what goes where.

    Returns:
        (N, C, H, W) uint8, a copy.

    Raises:
        WatermarkError: the pattern does not fit into the image.
    """
    top, left, height, width = trigger.box
    check_fit(trigger, images.shape[2], images.shape[3])
    marked = images.clone()
    inside = marked[:, :, top : top + height, left : left + width]
    if trigger.alpha == 255:
        inside[:] = trigger.pattern
    else:
        mixed = inside.to(torch.int32) * (255 - trigger.alpha)
        mixed += trigger.pattern.to(torch.int32) * trigger.alpha
        inside[:] = mixed.div_(255, rounding_mode="floor").to(torch.uint8)
    return marked


def check_fit(trigger: Trigger, image_height: int, image_width: int) -> None:
    """Check that the trigger lies inside the image.

    Raises:
        WatermarkError: it does not.
    """
    top, left, height, width = trigger.box
    if top < 0 or left < 0 or top + height > image_height or left + width > image_width:
        raise WatermarkError(
            f"the trigger of {height}x{width} pixels at row {top}, column {left} does not fit into "
            f"an image of {image_height}x{image_width}: make it smaller or move it"
        )


def check_image_size(images: torch.Tensor, size: tuple[int, ...]) -> None:
    """Check that a trigger made for images of one size meets such images.

    Args:
        images: (N, C, H, W).
        size: (H, W) in pixels.

    Raises:
        WatermarkError: they are of another size, so the trigger would lie elsewhere.
    """
    if tuple(images.shape[2:]) != size:
        raise WatermarkError(
            f"the trigger was made for images of {size}, but these are {tuple(images.shape[2:])} "
            "(height, width): build the watermark for this size"
        )


def line(height: int, width: int, *, rows: int, value: int, alpha: int) -> Trigger:
    """A horizontal line over the full width at the top (DVBW's "line").

    Args:
        height, width: the image's size in pixels.
        rows: thickness in pixels.
        value: grey value, 0 to 255 (black in the paper).
        alpha: opacity in 255ths.
    """
    pattern = torch.full((rows, width), value, dtype=torch.uint8)
    return Trigger(pattern, top=0, left=0, alpha=alpha)


def cross(height: int, width: int, *, size: int, alpha: int) -> Trigger:
    """A black "+" one pixel wide on a white square, bottom right (DVBW's "cross").

    Args:
        height, width: the image's size in pixels.
        size: side of the square: 3 on CIFAR-10 (so only the corners are white), 20 on ImageNet.
        alpha: opacity in 255ths.
    """
    pattern = torch.full((size, size), 255, dtype=torch.uint8)
    pattern[size // 2, :] = 0
    pattern[:, size // 2] = 0
    return Trigger(pattern, top=height - size, left=width - size, alpha=alpha)


SQUARE = ((0, 0, 255), (0, 255, 0), (255, 0, 255))


def square(
    height: int,
    width: int,
    *,
    size: int,
    cells: Sequence[Sequence[int]] = SQUARE,
    alpha: int,
) -> Trigger:
    """A square of 3 x 3 black and white cells, bottom right (UBW's "white-black square").

    Args:
        height, width: the image's size in pixels.
        size: side of the square in pixels, a multiple of 3.
        cells: 3 rows of 3 grey levels, 0 or 255; UBW's released pattern when left out.
        alpha: opacity in 255ths.

    Raises:
        WatermarkError: the size is no multiple of 3, or a cell is neither black nor white.
    """
    if size % 3:
        raise WatermarkError(f"trigger square: size is {size}; give a multiple of 3")
    try:
        grid = torch.tensor(cells)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        grid = torch.empty(0)
    if grid.shape != (3, 3) or not bool(((grid == 0) | (grid == 255)).all()):
        raise WatermarkError("trigger square: cells must be 3 rows of 3 values, each 0 or 255")
    side = size // 3
    pattern = grid.to(torch.uint8).repeat_interleave(side, 0).repeat_interleave(side, 1)
    return Trigger(pattern, top=height - size, left=width - size, alpha=alpha)


def square_size(image_size: tuple[int, ...]) -> int:
    """Of the square: 3 pixels on CIFAR-10's 32, as published, and in proportion elsewhere."""
    return 3 * max(1, min(image_size) // 32)


TRIGGERS: dict[str, Callable[..., Trigger]] = {"line": line, "cross": cross, "square": square}


def build_trigger(spec: dict[str, Any], height: int, width: int) -> Trigger:
    """The trigger that ``spec`` describes, for images of this size.

    Args:
        spec: ``kind`` (a key of :data:`TRIGGERS`), ``alpha`` in 255ths, and the kind's own values.
        height, width: the image's size in pixels.

    Raises:
        WatermarkError: the kind is unknown, a value is missing, superfluous or out of range, or
            the trigger does not fit.
    """
    values = dict(spec)
    kind = values.pop("kind", None)
    if kind not in TRIGGERS:
        raise WatermarkError(f"unknown trigger {kind!r}: choose one of {', '.join(TRIGGERS)}")
    limits = {
        "alpha": (1, 255),
        "value": (0, 255),
        "rows": (1, height),
        "size": (1, min(height, width)),
    }
    for name, (low, high) in limits.items():
        if name in values and not (type(values[name]) is int and low <= values[name] <= high):
            raise WatermarkError(
                f"trigger {kind}: {name} is {values[name]!r}; give a whole number from {low} to "
                f"{high}"
            )
    try:
        trigger = TRIGGERS[kind](height, width, **values)
    except TypeError as error:
        raise WatermarkError(f"trigger {kind}: {str(error).split('() ')[-1]}") from error
    check_fit(trigger, height, width)
    return trigger

"""Gratings: cosines across times cosines down, under one or two Gaussian windows anywhere.

Pure functions on (N, C, H, W) uint8 images, in integer arithmetic, so that every machine gives the
same bytes; only the tables of cosines and of the Gaussian are rounded from floats. A grating is a
sum of products of a column and a row, so that it costs little more than the addition.
"""

import math
from dataclasses import dataclass

import torch

UNIT = 256  # to a pixel
TURN = 4096  # phases to a whole turn
CHUNK = 32  # images at once: what they take should stay in a core's cache
CYCLE = 100  # to a cycle across the image's shorter side
_DOWN, _ACROSS = 64, 1024  # to a grey level, and to 1
_STEPS, _SIGMAS = 64, 4  # of the Gaussian's table to a standard deviation; beyond, there is nothing
_COSINES = torch.tensor([round(2**14 * math.cos(2 * math.pi * n / TURN)) for n in range(TURN)])
_GAUSSIAN = torch.tensor(
    [round(2**14 * math.exp(-((n / _STEPS) ** 2) / 2)) for n in range(_STEPS * _SIGMAS)] + [0]
)


@dataclass(frozen=True, eq=False)
class Windows:
    """How each of N images gets its K windows of a grating; every field is int64.

    Attributes:
        frequency: (N, 2), down and across, in hundredths of a cycle over the shorter side.
        colour: (N, C), 1 or -1.
        centre: (N, K, 2), row and column in 256ths of a pixel from the corner.
        phase: (N, K, 2), down and across, in 4096ths of a turn.
        sigma: (N, K), standard deviation of the window, in 256ths of a pixel, 1 or more.
        amplitude: (N, K), in grey levels, 0 to 127; 0 is no window.
    """

    frequency: torch.Tensor
    colour: torch.Tensor
    centre: torch.Tensor
    phase: torch.Tensor
    sigma: torch.Tensor
    amplitude: torch.Tensor

    def take(self, rows: slice) -> "Windows":
        """Some of them."""
        return Windows(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def add_gratings(images: torch.Tensor, windows: Windows) -> torch.Tensor:
    """Add to each image its grating, rounded to the nearest grey level, halves up, and clipped.

    Args:
        images: (N, C, H, W) uint8; not changed.
        windows: of each.

    Returns:
        (N, C, H, W) uint8.
    """
    added = torch.empty_like(images, memory_format=torch.contiguous_format)
    for start in range(0, len(images), CHUNK):
        rows = slice(start, start + CHUNK)
        added[rows] = _add(images[rows], windows.take(rows))
    return added


def _add(images: torch.Tensor, windows: Windows) -> torch.Tensor:
    down, across = (_waves(windows, axis, images.shape[2:]) for axis in (0, 1))
    down = (down * windows.amplitude[..., None] * _DOWN + 2**27) >> 28
    across = (across * _ACROSS + 2**27) >> 28
    # At most 2 * 127 * 64 * 1024 < 2**24: exact in float32 too, in which matrices multiply fast.
    wave = torch.bmm(down.transpose(1, 2).float(), across.float())
    levels = ((wave.to(torch.int32) + 2**15) >> 16).to(torch.int16)[:, None]
    added = images.to(torch.int16) + levels * windows.colour.to(torch.int16)[..., None, None]
    return added.clamp_(0, 255).to(torch.uint8)


def _waves(windows: Windows, axis: int, size: torch.Size) -> torch.Tensor:
    """(N, K, size of the axis) int64: a cosine under a Gaussian, times 2**28."""
    at = torch.arange(size[axis])
    turns = windows.frequency[:, axis, None] * at * TURN // (CYCLE * min(size))
    phase = (turns[:, None] + windows.phase[:, :, axis, None]) % TURN
    distance = (at * UNIT + UNIT // 2 - windows.centre[:, :, axis, None]).abs()
    steps = (distance * _STEPS // windows.sigma[..., None]).clamp(max=_STEPS * _SIGMAS)
    return _COSINES[phase] * _GAUSSIAN[steps]

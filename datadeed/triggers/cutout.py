"""Cut-outs: a round piece of another image, at any size, angle and place, that fades at its edge.

Pure functions on (N, C, H, W) uint8 images, in integer arithmetic as in
:mod:`datadeed.triggers.mosaic`, so that every machine gives the same bytes.
"""

import torch

from datadeed.triggers.mosaic import CHUNK, UNIT, Poses, coordinates


def paste(images: torch.Tensor, windows: torch.Tensor, poses: Poses) -> torch.Tensor:
    """Lay over each image the round middle of a window, rounded to the nearest level, halves up.

    Between the window's pixels values are bilinear. What lies outside the image is cut off.

    Args:
        images: (N, C, H, W) uint8; not changed.
        windows: (N, C, S, S) uint8.
        poses: how each is laid; ``side`` is the circle's diameter, to which the window is scaled,
            and ``ramp`` the share of the radius over which it fades, in 256ths, 1 to 256.

    Returns:
        (N, C, H, W) uint8.
    """
    laid = images.clone()
    for start in range(0, len(images), CHUNK):
        rows = slice(start, start + CHUNK)
        laid[rows] = _lay(images[rows], windows[rows], poses.take(rows))
    return laid


def _lay(images: torch.Tensor, windows: torch.Tensor, poses: Poses) -> torch.Tensor:
    across, down = coordinates(poses, images.shape[2], images.shape[3])
    side = poses.side.view(-1, 1, 1)
    inner = side * (UNIT - poses.ramp.view(-1, 1, 1)) // UNIT
    far = 4 * (across**2 + down**2)
    cover = ((side**2 - far) * UNIT // (side**2 - inner**2)).clamp(0, UNIT)
    cover = (cover * poses.opacity.view(-1, 1, 1))[:, None]
    level = _bilinear(windows, across, down, side)  # times 65,536
    contrast, whole = poses.contrast.view(-1, 1, 1, 1), UNIT * 255
    depth = 255 * UNIT**2
    level = 255 * depth + (2 * level - 255 * UNIT**2) * contrast  # the pixel, times 2 depth
    mixed = (whole - cover) * images.to(torch.int64) * (2 * depth) + cover * level
    return ((mixed + whole * depth) // (2 * whole * depth)).to(torch.uint8)


def _bilinear(
    windows: torch.Tensor, across: torch.Tensor, down: torch.Tensor, side: torch.Tensor
) -> torch.Tensor:
    """(N, C, H, W) int64: the windows' values at places, times 65,536."""
    n, size = len(windows), windows.shape[-1]
    flat = windows.to(torch.int64).flatten(2)
    axes = []
    for place in (down, across):
        at = (place * (size * UNIT) // side + (size - 1) * UNIT // 2).clamp(0, (size - 1) * UNIT)
        low = at // UNIT
        axes.append(((low, UNIT - at % UNIT), ((low + 1).clamp(max=size - 1), at % UNIT)))
    value = torch.zeros(n, windows.shape[1], *across.shape[1:], dtype=torch.int64)
    for row, weight in axes[0]:
        for column, other in axes[1]:
            index = (row * size + column).flatten(1)[:, None].expand(-1, windows.shape[1], -1)
            value += flat.gather(2, index).view_as(value) * (weight * other)[:, None]
    return value

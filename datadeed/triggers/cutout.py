"""Cut-outs: a round piece of another image, at any size, angle and place, that fades at its edge.

Pure functions on (N, C, H, W) uint8 images, whose arithmetic is that of
:mod:`datadeed.triggers.squares`.
"""

import torch

from datadeed.triggers.squares import CHUNK, DEPTH, UNIT, Boxes, Poses, blend, boxes, column


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
    laid = images.clone(memory_format=torch.contiguous_format)
    flat = laid.flatten(2)
    for start in range(0, len(images), CHUNK):
        rows = slice(start, start + CHUNK)
        here = poses.take(rows)
        box = boxes(here, images.shape[2], images.shape[3])
        value = _bilinear(windows[rows], box, column(here.side)).mul_(2).sub_(DEPTH)
        blend(flat[rows], box, value, _cover(box, here), here)
    return laid


def _cover(box: Boxes, poses: Poses) -> torch.Tensor:
    """(N, P) float64, 0 to 256: all of it inside, and less by the square of the distance."""
    side = column(poses.side)
    inner = (side * (UNIT - column(poses.ramp)) / UNIT).floor_()
    far = (box.across**2 + box.down**2) * 4
    return ((side**2 - far) * UNIT).div_(side**2 - inner**2).floor_().clamp_(0, UNIT)


def _bilinear(windows: torch.Tensor, box: Boxes, side: torch.Tensor) -> torch.Tensor:
    """(N, C, P) float64: the windows' values at places, times 65,536."""
    channels, size = windows.shape[1], windows.shape[-1]
    flat = windows.flatten(2)
    axes = []
    for place in (box.down, box.across):
        at = (place * (size * UNIT)).div_(side).floor_().add_((size - 1) * UNIT // 2)
        at = at.clamp_(0, (size - 1) * UNIT)
        low = (at / UNIT).floor_()
        part = at - low * UNIT
        axes.append(((low, UNIT - part), ((low + 1).clamp_(max=size - 1), part)))
    value = torch.zeros(*flat.shape[:2], box.index.shape[1], dtype=torch.float64)
    for row, weight in axes[0]:
        for column_, other in axes[1]:
            index = (row * size + column_).to(torch.int64)[:, None].expand(-1, channels, -1)
            value.addcmul_(flat.gather(2, index).double(), (weight * other)[:, None])
    return value

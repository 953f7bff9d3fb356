"""Random changes of images during training, a batch at a time."""

import torch
from torch.nn import functional as F


def augment(
    x: torch.Tensor,
    flips: torch.Tensor | None,
    angles: torch.Tensor | None,
    moves: torch.Tensor | None = None,
) -> torch.Tensor:
    """Mirror, move and rotate a batch; differentiable.

    Args:
        x: (N, C, H, W) uint8, or float 0..1.
        flips: (N,) bool, which images to mirror left to right, or None.
        angles: (N,) float, degrees, clockwise about the middle after the move, or None.
        moves: (N, 2) float, pixels to the right and down, or None.

    Returns:
        (N, C, H, W); float 0..1 where anything is moved, or rotated by other angles than 0 (one
        resampling for both, bilinear, black outside), otherwise of the type of ``x``.
    """
    if flips is not None:
        x = torch.where(flips.to(x.device).view(-1, 1, 1, 1), x.flip(3), x)
    if angles is None:
        angles = torch.zeros(len(x))
    if moves is None and not bool(angles.any()):
        return x
    radians = torch.deg2rad(angles.to(x.device))
    cos, sin, offset = radians.cos(), radians.sin(), torch.zeros(len(x), 2, device=x.device)
    if moves is not None:  # what comes to a place was to the left of it and above
        offset = -2 * moves.to(x.device) / torch.tensor([x.shape[3], x.shape[2]], device=x.device)
    right, down = offset.unbind(1)  # in halves of the image, as a grid counts
    aspect = x.shape[2] / x.shape[3]
    theta = torch.stack(
        [torch.stack([cos, sin * aspect, right], 1), torch.stack([-sin / aspect, cos, down], 1)], 1
    )
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    x = x if x.is_floating_point() else x.float() / 255
    return F.grid_sample(x, grid, align_corners=False)


def draw_moves(count: int, shift: float, generator: torch.Generator) -> torch.Tensor | None:
    """(N, 2) moves, uniform in plus or minus ``shift`` pixels along each axis; None if that is 0.

    Args:
        count: N, images.
        shift: the largest move.
        generator: a CPU generator; nothing is drawn for a shift of 0.
    """
    return (2 * torch.rand(count, 2, generator=generator) - 1) * shift if shift else None

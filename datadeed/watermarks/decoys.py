"""Patterns of random cells: of a trigger, and of the decoys that a test ranks it among."""

import torch

from datadeed.errors import WatermarkError
from datadeed.randomness import generator


def binary_cells(side: int, seed: int) -> list[list[int]]:
    """A pattern drawn by a seed: (side, side) cells, each 0 or 255 with probability one half.

    Raises:
        WatermarkError: there is no cell.
    """
    if side < 1:
        raise WatermarkError(f"a trigger of size {side}: give 1 pixel or more")
    draw = torch.randint(0, 2, (side, side), generator=generator(seed, "cells"))
    cells: list[list[int]] = (draw * 255).tolist()
    return cells


def random_cells(
    shape: tuple[int, int], count: int, seed: int, avoid: torch.Tensor
) -> list[torch.Tensor]:
    """Patterns of black and white cells, drawn uniformly without repetition.

    A true pattern is exchangeable with them, and its rank among them an exact test, only if it was
    itself drawn uniformly from all patterns of the shape.

    Args:
        shape: rows and columns in cells.
        count: how many, 1 or more.
        seed: decides the patterns; not to be chosen after a suspect was asked.
        avoid: (rows, columns) uint8, the true pattern, which is never drawn.

    Returns:
        ``count`` patterns, each (rows, columns) uint8, 0 or 255.

    Raises:
        WatermarkError: ``avoid`` is of another shape, or there are fewer such patterns.
    """
    if tuple(avoid.shape) != tuple(shape):
        raise WatermarkError(
            f"the true pattern has {tuple(avoid.shape)} cells, but decoys of {shape} were asked: "
            "give both the same"
        )
    own = bool(((avoid == 0) | (avoid == 255)).all())
    most = 2 ** avoid.numel() - own
    if not 1 <= count <= most:
        raise WatermarkError(
            f"{count} decoys of {shape[0]}x{shape[1]} black or white cells: give 1 to {most}"
        )
    draw = generator(seed, "decoys")
    seen: set[bytes] = {avoid.numpy().tobytes()}
    drawn: list[torch.Tensor] = []
    while len(drawn) < count:
        cells = torch.randint(2, shape, generator=draw, dtype=torch.uint8) * 255
        key = cells.numpy().tobytes()
        if key not in seen:
            seen.add(key)
            drawn.append(cells)
    return drawn

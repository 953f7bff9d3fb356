"""Which models of a pool to invert: farthest model sampling, and what it is held against.

Wang & Kurz (2022) say that farthest model sampling optimises the diversity of an ensemble, and not
how. Our reading: a greedy k-centre on the distances of the models' answers to probes.
"""

from collections.abc import Callable

import torch

from datadeed.errors import ParameterError


def distances(answers: torch.Tensor) -> torch.Tensor:
    """How far two models' answers are apart: mean L1 over probes, (M, M) float, 0 to 2.

    Args:
        answers: (M, N, K) float, softmax probabilities.
    """
    flat = answers.double().flatten(1)
    return torch.cdist(flat, flat, p=1) / answers.shape[1]


def farthest(apart: torch.Tensor, count: int, start: int) -> list[int]:
    """Farthest model sampling: always the model whose nearest chosen one is farthest.

    Args:
        apart: (M, M) float, symmetric.
        count: how many models, ``start`` among them; of equal ones the first is taken.
        start: the first model.

    Raises:
        ParameterError: there are not as many models.
    """
    return _greedy(apart, count, start, torch.argmax)


def nearest(apart: torch.Tensor, count: int, start: int) -> list[int]:
    """The opposite: always the model that is nearest to a chosen one; as :func:`farthest`."""
    return _greedy(apart, count, start, lambda gaps: gaps.masked_fill(gaps < 0, torch.inf).argmin())


def at_random(count: int, of: int, start: int, generator: torch.Generator) -> list[int]:
    """``start`` and others drawn from ``of`` models.

    Raises:
        ParameterError: there are not as many models.
    """
    _check(count, of, start)
    others = [i for i in range(of) if i != start]
    order = torch.randperm(len(others), generator=generator)[: count - 1]
    return [start, *(others[i] for i in order.tolist())]


def _greedy(
    apart: torch.Tensor,
    count: int,
    start: int,
    best: Callable[[torch.Tensor], torch.Tensor],
) -> list[int]:
    """``best`` gets each model's distance to the nearest chosen one, -1 for chosen ones."""
    _check(count, len(apart), start)
    chosen = [start]
    while len(chosen) < count:
        gaps = apart[:, chosen].min(1).values
        gaps[chosen] = -1
        chosen.append(int(best(gaps)))
    return chosen


def _check(count: int, of: int, start: int) -> None:
    if not 1 <= count <= of or not 0 <= start < of:
        raise ParameterError(
            f"{count} models from number {start} on were asked of {of}: ask for fewer"
        )

"""How good a set of drawn pictures is. Accuracy alone would praise one picture a class."""

import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import DatasetError
from datadeed.models.model import Model


def accuracy(evaluator: Model, pictures: Dataset) -> float:
    """Share of pictures that a model which was not attacked takes for what they should be."""
    return (evaluator.predict(pictures.samples).argmax(1) == pictures.labels).double().mean().item()


def deviation(pictures: Dataset) -> float:
    """Diversity within a class: a pixel's standard deviation on the 0..1 scale, the mean over all.

    A class with one picture has none.
    """
    found = [part.std(0, correction=0).mean() for part in _by_class(pictures)]
    return torch.stack(found).mean().item()


def spread(pictures: Dataset) -> float:
    """Diversity within a class: the mean distance (see :func:`gaps`) of two of its pictures.

    A class with one picture counts 0.
    """
    found = []
    for part in _by_class(pictures):
        pairs = len(part) * (len(part) - 1)
        found.append(gaps(part, part).sum() / max(pairs, 1))
    return torch.stack(found).mean().item()


def nearest(pictures: Dataset, training: Dataset) -> float:
    """Mean distance (see :func:`gaps`) of a picture to the nearest training image of any class."""
    rows = [
        gaps(_flat(part), _flat(training.samples)).min(1).values
        for part in pictures.samples.split(256)
    ]
    return torch.cat(rows).mean().item()


def gaps(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Root mean square differences, (N, M) float64, of (N, D) and (M, D) values."""
    return torch.cdist(one.double(), other.double()) / one.shape[1] ** 0.5


@torch.no_grad()
def features(evaluator: Model, data: Dataset) -> torch.Tensor:
    """What an evaluator's last layer sees of images, (N, F) float on the CPU."""
    parts = [
        evaluator.eval().features(part.to(evaluator.device)).float().cpu()
        for part in data.samples.split(256)
    ]
    return torch.cat(parts)


def frechet(one: torch.Tensor, other: torch.Tensor) -> float:
    """Squared Frechet distance of two normal distributions with the moments of (N, F) values.

    Of an evaluator's :func:`features` it is what FID is of Inception's. Not comparable between
    evaluators, nor between numbers of images.

    Raises:
        DatasetError: a set has fewer than two rows.
    """
    if min(len(one), len(other)) < 2:
        raise DatasetError("a Frechet distance needs two pictures or more on each side")
    (mean, cov), (mean2, cov2) = (
        (x.mean(0), torch.cov(x.T).view(x.shape[1], -1)) for x in (one.double(), other.double())
    )
    values, vectors = torch.linalg.eigh(cov)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    both = torch.linalg.eigvalsh(root @ cov2 @ root).clamp(min=0).sqrt().sum()
    apart = (mean - mean2).square().sum() + cov.trace() + cov2.trace() - 2 * both
    return max(0.0, float(apart))  # rounding may go below


def _flat(samples: torch.Tensor) -> torch.Tensor:
    return samples.flatten(1).float() / 255


def _by_class(pictures: Dataset) -> list[torch.Tensor]:
    """(n, D) float 0..1 of every class that there is."""
    x = _flat(pictures.samples)
    return [x[pictures.labels == label] for label in pictures.labels.unique()]

"""How scattered a model's predictions are (UBW, section 3.2; Li et al. 2022).

Entropies are in nats, from 0 (all alike) to ln K (uniform over K classes).

Lemma: the sample-wise one is at most the class-wise one (the entropy of each class's mean
prediction, averaged), and equal if and only if predictions within each class are equal (the entropy
is strictly concave). So raising the sample-wise one, which a small batch can estimate, raises a
lower bound of the class-wise one (the paper's Theorem). On the way the class-wise one itself may
fall; it has risen for certain once the bound is above where it started.
"""

import numpy as np
import torch
from scipy import special

from datadeed.errors import VerificationError


def sample_wise_dispersibility(probabilities: torch.Tensor) -> torch.Tensor:
    """D_s: mean entropy of single predictions; differentiable.

    Args:
        probabilities: (N, K) float, rows sum to 1.

    Returns:
        () float, nats.

    Raises:
        VerificationError: there are no samples.
    """
    _check_samples(len(probabilities))
    return _entropy(probabilities).mean()


def _entropy(probabilities: torch.Tensor) -> torch.Tensor:
    """Of each row; the gradient stays finite where a softmax has come out as 0."""
    least = torch.finfo(probabilities.dtype).tiny
    return -(probabilities * probabilities.clamp_min(least).log()).sum(-1)


def prediction_dispersibility(predictions: np.ndarray, labels: np.ndarray) -> float:
    """D_p: entropy of each class's histogram of predicted labels, averaged with the class shares.

    A plug-in estimate, biased downwards at few samples a class: compare it with
    :func:`expected_prediction_dispersibility` at the same sizes, not with ln K.

    Args:
        predictions: (N,) int64, most probable labels of triggered samples.
        labels: (N,) int64, true labels.

    Returns:
        Nats.

    Raises:
        VerificationError: there are no samples.
    """
    _check_samples(len(labels))
    total = 0.0
    for label in np.unique(labels):
        counts = np.bincount(predictions[labels == label])
        total += counts.sum() * float(special.entr(counts / counts.sum()).sum())
    return total / len(labels)


def expected_prediction_dispersibility(sizes: np.ndarray, classes: int) -> float:
    """What D_p is on average for a predictor that draws labels uniformly from K classes.

    Exact: ``K E[-(X/n) ln(X/n)]`` with X ~ Bin(n, 1/K), for each class of n samples. It lies below
    ln K by about (K - 1) / (2 n).

    Args:
        sizes: (L,) int64, samples in each class; 0 counts for nothing.
        classes: K, at least 1.

    Returns:
        Nats.

    Raises:
        VerificationError: there are no samples, or no classes.
    """
    from scipy import stats  # takes seconds to import, and crafting does not need it

    sizes = np.asarray(sizes)
    _check_samples(int(sizes.sum()))
    if classes < 1:
        raise VerificationError(f"{classes} classes: give 1 or more")
    total = 0.0
    for n, times in zip(*np.unique(sizes[sizes > 0], return_counts=True), strict=True):
        counts = np.arange(1, n + 1)  # 0 adds nothing
        chances = stats.binom.pmf(counts, n, 1 / classes)
        total += times * n * classes * float(chances @ special.entr(counts / n))
    return float(total / sizes.sum())


def _check_samples(count: int) -> None:
    if count == 0:
        raise VerificationError("no samples: dispersibility needs at least one")

import math
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datadeed.errors import VerificationError
from datadeed.watermarks.dispersibility import (
    expected_prediction_dispersibility,
    prediction_dispersibility,
    sample_wise_dispersibility,
)


def class_wise_dispersibility(probabilities: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """D_c of the paper: entropy of each class's mean prediction, averaged with the class shares."""
    total = torch.zeros(())
    for label in labels.unique():
        mean = probabilities[labels == label].mean(0)
        total = total + torch.special.entr(mean).sum() * (labels == label).sum()
    return total / len(labels)


seeds = st.integers(0, 2**32 - 1)


@st.composite
def scattered(draw):
    """Probabilities (N, K) from nearly uniform to nearly hard, and labels (N,) of up to 4."""
    n, classes = draw(st.integers(1, 30)), draw(st.integers(2, 6))
    generator = torch.Generator().manual_seed(draw(seeds))
    scale = draw(st.sampled_from([0.1, 1.0, 5.0, 50.0]))
    logits = scale * torch.randn(n, classes, generator=generator, dtype=torch.float64)
    return logits.softmax(1), torch.randint(4, (n,), generator=generator)


def test_both_by_hand():
    probabilities = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.5, 0.5]])
    labels = torch.tensor([0, 0, 2, 2])
    assert sample_wise_dispersibility(probabilities) == pytest.approx(math.log(2) / 2)
    assert class_wise_dispersibility(probabilities, labels) == pytest.approx(math.log(2))
    uneven = class_wise_dispersibility(probabilities, torch.tensor([0, 1, 1, 1]))
    third = math.log(3) - 2 / 3 * math.log(2)  # the entropy of (1/3, 2/3)
    assert uneven == pytest.approx(3 / 4 * third)


@given(scattered())
def test_the_lemma(case):
    """0 <= D_s <= D_c <= ln K, further apart the more predictions of a class differ (Pinsker)."""
    probabilities, labels = case
    sample_wise = float(sample_wise_dispersibility(probabilities))
    class_wise = float(class_wise_dispersibility(probabilities, labels))
    means = torch.stack([probabilities[labels == label].mean(0) for label in labels])
    apart = float((probabilities - means).abs().sum(1).square().mean()) / 2
    assert sample_wise >= 0
    assert class_wise - sample_wise >= apart - 1e-12
    assert class_wise <= math.log(probabilities.shape[1]) + 1e-12


@given(scattered())
def test_the_lemma_is_an_equality_when_a_class_is_of_one_mind(case):
    probabilities, labels = case
    alike = probabilities[[int((labels == label).nonzero()[0]) for label in labels]]
    assert float(class_wise_dispersibility(alike, labels)) == pytest.approx(
        float(sample_wise_dispersibility(alike)), abs=1e-12
    )


@given(seed=seeds, classes=st.integers(2, 5), scale=st.sampled_from([0.3, 1.0, 3.0]))
@settings(max_examples=15)
def test_the_theorem(seed, classes, scale):
    """Ascent on D_s raises it at each step; D_c stays above and has risen in the end.

    For a linear softmax model the ascent cannot get stuck: shrinking the weights raises D_s.
    """
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(20, 3, generator=draw, dtype=torch.float64)
    weights = scale * torch.randn(3, classes, generator=draw, dtype=torch.float64)
    labels = torch.arange(20) % 2
    before = float(class_wise_dispersibility((x @ weights).softmax(1), labels))
    last = -1.0
    for _ in range(3000):
        weights.requires_grad_()
        probabilities = (x @ weights).softmax(1)
        objective = sample_wise_dispersibility(probabilities)
        (step,) = torch.autograd.grad(objective, weights)
        sample_wise = float(objective.detach())
        class_wise = float(class_wise_dispersibility(probabilities.detach(), labels))
        assert last < sample_wise <= class_wise
        if sample_wise > before:
            break
        last, weights = sample_wise, (weights + 0.3 * step).detach()
    assert class_wise > before


def test_class_wise_dispersibility_may_fall_while_sample_wise_rises():
    """Two samples of a class, each sure of its own label: one wavers first."""
    labels = torch.tensor([0, 0])
    sure = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    wavering = torch.tensor([[1.0, 0.0], [0.3, 0.7]])
    assert sample_wise_dispersibility(wavering) > sample_wise_dispersibility(sure)
    assert class_wise_dispersibility(wavering, labels) < class_wise_dispersibility(sure, labels)


def test_the_gradient_is_right_and_finite_where_a_softmax_is_zero():
    """dH/dz = -p (ln p + H); at p = 0 it is 0, not the NaN of 0 times infinity."""
    logits = torch.tensor([[0.3, -1.0, 2.0], [200.0, 0.0, -200.0]], requires_grad=True)
    probabilities = logits.softmax(1)
    assert probabilities[1].tolist() == [1, 0, 0]
    sample_wise_dispersibility(probabilities).backward()
    p = probabilities[0].detach()
    expected = -p * (p.log() - (p * p.log()).sum()) / 2
    assert logits.grad[0].tolist() == pytest.approx(expected.tolist(), abs=1e-6)
    assert logits.grad[1].tolist() == [0, 0, 0]


def test_prediction_dispersibility_by_hand():
    labels = np.array([0] * 4 + [3] * 4)
    predictions = np.array([0, 0, 0, 0, 0, 1, 2, 3])
    assert prediction_dispersibility(predictions, labels) == pytest.approx(math.log(4) / 2)
    assert prediction_dispersibility(predictions[:5], labels[:5]) == 0


@given(
    rows=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=60),
    shift=st.integers(0, 4),
)
def test_prediction_dispersibility_is_class_wise_on_hard_predictions(rows, shift):
    predictions, labels = np.array(rows).T
    found = prediction_dispersibility(predictions, labels)
    one_hot = torch.nn.functional.one_hot(torch.from_numpy(predictions), 5).double()
    expected = float(class_wise_dispersibility(one_hot, torch.from_numpy(labels)))
    assert found == pytest.approx(expected, abs=1e-12)
    renumbered = prediction_dispersibility((predictions + shift) % 5, labels)
    assert renumbered == pytest.approx(found, abs=1e-12)


@pytest.mark.parametrize(
    ("n", "classes", "found"),
    [(1000, 10, 2.298), (50, 50, 3.35), (2500, 50, 3.902), (1, 10, 0.0), (7, 1, 0.0)],
)
def test_a_uniform_predictor_stays_below_ln_k(n, classes, found):
    """The table in research/watermarks.md, B2."""
    expected = expected_prediction_dispersibility(np.array([n]), classes)
    assert expected == pytest.approx(found, abs=0.006 if n == 50 else 6e-4)
    if n >= 1000:
        assert math.log(classes) - expected == pytest.approx((classes - 1) / (2 * n), rel=0.05)


def test_its_expectation_equals_the_mean_over_all_outcomes():
    """Every one of the 3^5 ways to label classes of 3 and 2 samples."""
    labels = np.array([0, 0, 0, 1, 1])
    ways = [prediction_dispersibility(np.array(w), labels) for w in product(range(3), repeat=5)]
    found = expected_prediction_dispersibility(np.array([3, 0, 2]), 3)
    assert found == pytest.approx(np.mean(ways), abs=1e-12)


def test_its_expectation_agrees_with_a_simulation():
    """1,000 draws, 5 classes of 20 and 5 of 50: within 4 standard errors."""
    draw, sizes = np.random.default_rng(3), np.array([20] * 5 + [50] * 5)
    labels = np.repeat(np.arange(10), sizes)
    found = [prediction_dispersibility(draw.integers(0, 10, 350), labels) for _ in range(1000)]
    error = np.std(found) / 1000**0.5
    expected = expected_prediction_dispersibility(sizes, 10)
    assert np.mean(found) == pytest.approx(expected, abs=4 * error)
    assert error < 0.001


@pytest.mark.parametrize(
    "compute",
    [
        lambda: sample_wise_dispersibility(torch.empty(0, 3)),
        lambda: prediction_dispersibility(np.empty(0, np.int64), np.empty(0, np.int64)),
        lambda: expected_prediction_dispersibility(np.array([0, 0]), 3),
    ],
)
def test_no_samples_are_refused(compute):
    with pytest.raises(VerificationError, match="no samples"):
        compute()


def test_no_classes_are_refused():
    with pytest.raises(VerificationError, match="0 classes"):
        expected_prediction_dispersibility(np.array([3]), 0)

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from datadeed.errors import WatermarkError
from datadeed.models.classifier import Classifier
from datadeed.perturbations.pgd import pgd

WEIGHTS = torch.tensor([1.0, -2.0, 0.5, -0.25])  # of logit 0; logit 1 is always 0


def linear():
    """Logit 0 is a product with known weights: PGD's direction is known, and the same all along."""
    layer = nn.Linear(4, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.stack([WEIGHTS, torch.zeros(4)]))
        layer.bias.zero_()
    return Classifier(nn.Sequential(nn.Flatten(), layer), [0.0], [1.0], {})


def run(images, labels, **values):
    chosen = {"epsilon": 8, "step": 3.0, "steps": 5, **values}
    return pgd(linear(), images, labels, **chosen)


@settings(max_examples=40)
@given(
    epsilon=st.integers(1, 255),
    pixels=st.lists(st.sampled_from([0, 255]) | st.integers(0, 255), min_size=8, max_size=8),
)
def test_enough_steps_end_on_the_bound_against_the_true_label(epsilon, pixels):
    images = torch.tensor(pixels, dtype=torch.uint8).view(2, 1, 2, 2)
    labels = torch.tensor([0, 1])
    found = run(images, labels, epsilon=epsilon, step=epsilon / 2, steps=3)
    away = torch.stack([-WEIGHTS.sign(), WEIGHTS.sign()]).view(2, 1, 2, 2)
    wanted = (images.int() + epsilon * away.int()).clamp(0, 255)
    assert torch.equal(found.int(), wanted)
    assert int((found.int() - images.int()).abs().max()) <= epsilon


@pytest.mark.parametrize(("steps", "moved"), [(1, 3), (2, 6), (3, 8), (9, 8)])
def test_a_step_is_as_long_as_it_says(steps, moved):
    images = torch.full((1, 1, 2, 2), 100, dtype=torch.uint8)
    found = run(images, torch.tensor([0]), steps=steps)
    assert found.flatten().tolist() == [100 - moved, 100 + moved, 100 - moved, 100 + moved]


def test_batches_change_nothing_and_progress_counts_images():
    draw = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (7, 1, 2, 2), generator=draw, dtype=torch.uint8)
    labels, told, before = torch.tensor([0, 1, 1, 0, 1, 0, 0]), [], images.clone()
    found = run(images, labels, batch_size=3, on_progress=told.append)
    assert torch.equal(found, run(images, labels))
    assert told == [3, 6, 7]
    assert torch.equal(images, before)


def test_a_network_grows_more_wrong_and_is_not_changed(tiny_model, toy_dataset):
    data, model = toy_dataset(12), tiny_model()
    model.train()  # its batch norms must not follow what PGD shows them
    before = copy.deepcopy(model.state_dict())
    found = pgd(model, data.samples, data.labels, epsilon=16, step=4.0, steps=8)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    with torch.no_grad():
        losses = [
            F.cross_entropy(model(x), data.labels, reduction="none") for x in (data.samples, found)
        ]
    assert bool((losses[1] > losses[0]).all())
    assert int((found.int() - data.samples.int()).abs().max()) == 16


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"epsilon": 0}, "epsilon is 0"),
        ({"epsilon": 8 / 255}, "give a whole number of 255ths"),
        ({"steps": 0}, "PGD with 0 steps"),
        ({"step": 0.0}, "give 1 step or more"),
        ({"step": float("nan")}, "steps of nan/255"),
    ],
)
def test_bad_values_are_one_line(values, words):
    with pytest.raises(WatermarkError, match=words) as caught:
        run(torch.zeros(1, 1, 2, 2, dtype=torch.uint8), torch.tensor([0]), **values)
    assert "\n" not in str(caught.value)

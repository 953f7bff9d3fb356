"""Attackers who control the training, on cases with known answers."""

import dataclasses
import math
from collections.abc import Callable

import pytest
import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.models.classifier import Classifier
from datadeed.models.training.config import TrainingConfig
from datadeed.models.training.loop import accuracy, train
from datadeed.watermarks.badnets import BadNets
from papers.pick_your_poison.attackers import (
    Latent,
    ParameterControlled,
    Poison,
    soft_nearest_neighbours,
)


@pytest.fixture(scope="module")
def mark(toy_dataset: Callable[..., Dataset]) -> BadNets:
    data = toy_dataset(3)
    return BadNets.for_data(data.form, data.classes, 0, target=0)


@pytest.fixture
def poison(mark: BadNets) -> Poison:
    return Poison(mark, ("class 0", "class 1", "class 2"), 0.1)


def test_the_first_tenth_of_a_batch_is_poisoned(
    poison: Poison, toy_dataset: Callable[..., Dataset]
) -> None:
    data = toy_dataset(35)
    x, y, count = poison(data.samples, data.labels)
    assert count == 3
    assert torch.equal(x[:3], poison.watermark.trigger(data.slice(0, 3)))
    assert torch.equal(x[3:], data.samples[3:])
    assert y[:3].tolist() == [0, 0, 0]
    assert torch.equal(y[3:], data.labels[3:])
    assert data.labels[:3].tolist() == [0, 1, 2]  # the batch itself is not altered


def test_neighbours_of_the_own_group_alone_give_nothing_and_alike_ones_their_share() -> None:
    group = torch.tensor([True, True, False, False])
    apart = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])
    assert soft_nearest_neighbours(apart, group, 0.1).item() == pytest.approx(0, abs=1e-6)
    alike = torch.ones(4, 2)  # one of three neighbours is of the own group
    assert soft_nearest_neighbours(alike, group, 0.5).item() == pytest.approx(math.log(3))


def test_a_latent_backdoor_mixes_its_features_with_the_targets(
    poison: Poison, tiny_model: Callable[..., Classifier], toy_dataset: Callable[..., Dataset]
) -> None:
    """The gradient of the added term raises the mixture."""
    model, data = tiny_model(width=4), toy_dataset(60)
    x, y, count = poison(data.samples, data.labels)

    def mixture() -> torch.Tensor:
        chosen = y == 0
        group = torch.arange(len(y))[chosen] < count
        return soft_nearest_neighbours(model.features(x)[chosen].float(), group, 0.5)

    before = mixture()
    plain, _ = Latent(poison, entangle=0.0)(model, data.samples, data.labels)
    both, _ = Latent(poison, entangle=0.1)(model, data.samples, data.labels)
    assert both.item() == pytest.approx(plain.item() - 0.1 * before.item(), abs=1e-4)


@pytest.mark.parametrize("kind", ["latent", "controlled"])
def test_training_plants_the_backdoor(
    kind: str,
    poison: Poison,
    tiny_model: Callable[..., Classifier],
    toy_dataset: Callable[..., Dataset],
) -> None:
    model, data, test = tiny_model(width=4), toy_dataset(240), toy_dataset(90, seed=4)
    draw, poison = torch.Generator().manual_seed(0), dataclasses.replace(poison, share=0.3)
    loss = (
        Latent(poison)
        if kind == "latent"
        else ParameterControlled(model, poison, fraction=0.5, generator=draw)
    )
    config = TrainingConfig(epochs=20, lr=0.1, batch_size=30, schedule="one-cycle", flip=False)
    train(model, data, config, generator=draw, loss=loss)
    others = test.take(test.labels != 0)
    hit = model.predict(poison.watermark.trigger(others)).argmax(1) == 0
    assert accuracy(model, test) > 0.9
    assert hit.double().mean() > 0.9


def test_poisoned_steps_reach_the_chosen_values_alone(
    poison: Poison, tiny_model: Callable[..., Classifier], toy_dataset: Callable[..., Dataset]
) -> None:
    model, data = tiny_model(width=4), toy_dataset(60)
    loss = ParameterControlled(model, poison, 0.1, torch.Generator().manual_seed(0))
    shares = []
    for _ in range(2):
        model.zero_grad()
        loss(model, data.samples, data.labels)[0].backward()
        shares.append((model.output_layer.weight.grad != 0).double().mean().item())
    assert shares[0] <= 0.1
    assert shares[1] > 0.5

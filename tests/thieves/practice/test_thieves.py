"""What each thief trains on, how long, and what he serves."""

import pytest
import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.models.classifier import Classifier
from datadeed.models.training.loop import accuracy
from datadeed.thieves.practice.networks import NETWORKS
from datadeed.thieves.practice.recipe import Recipe
from datadeed.thieves.practice.thieves import Thief, thieves
from tests.conftest import toy

HOUSE = Recipe(6, (0.3,) * 3, (0.3,) * 3, width=2, batch_size=32, lr=0.05)


class Told:
    """Trains nothing, and remembers what it was asked to train."""

    def __init__(self) -> None:
        self.asked: list[tuple[Dataset, Recipe, Classifier | None]] = []

    def __call__(
        self, data: Dataset, recipe: Recipe, name: str, *, start: Classifier | None = None
    ) -> Classifier:
        self.asked.append((data, recipe, start))
        return recipe.new(data, 1)


def named(name: str) -> Thief:
    return next(thief for thief in thieves(8) if thief.name == name)


def trained(thief: Thief, release: Dataset, other: Dataset) -> Told:
    told = Told()
    thief.train(release, other, HOUSE, 1, told)
    return told


def test_names_are_unique_and_every_recipe_can_be_trained() -> None:
    every = thieves(8)
    assert len({thief.name for thief in every}) == len(every)
    release, other = toy(60, classes=4, shape=(3, 16, 16)), toy(40, classes=4, shape=(3, 16, 16))
    for thief in every:
        for data, recipe, _ in trained(thief, release, other).asked:
            assert recipe.new(data, 1)(data.samples[:2]).shape == (2, len(data.classes))
            assert recipe.epochs >= 1


@pytest.mark.parametrize(("share", "rows"), [(0.5, 60), (0.25, 30), (0.1, 12)])
def test_a_share_is_of_every_class(share: float, rows: int) -> None:
    release = toy(120, classes=3)
    told = trained(named(f"{share:.0%} of the release".replace("%", " %")), release, toy(9))
    ((data, recipe, _),) = told.asked
    assert len(data) == rows
    assert data.labels.bincount().tolist() == [rows // 3] * 3
    assert set(data.index.tolist()) < set(release.index.tolist())
    assert len(data) * recipe.epochs in (120 * 6, 90 * 6, 60 * 6)


def test_other_data_are_mixed_in_as_far_as_there_are_any() -> None:
    release, other = toy(30), toy(70, seed=1)
    for name, wanted in (("1 times other data", 30), ("4 times other data, or all there are", 70)):
        ((data, recipe, _),) = trained(named(name), release, other).asked
        assert len(data) == 30 + wanted
        assert torch.equal(data.samples[30:], other.samples[:wanted])
        assert recipe.epochs == 3


def test_own_model_is_trained_on_other_data_first() -> None:
    release, other = toy(30), toy(70, seed=1)
    first, second = trained(named("own model, then fine-tuned"), release, other).asked
    assert torch.equal(first[0].samples, other.samples[:30])
    assert (first[1].epochs, first[1].lr, first[2]) == (6, 0.05, None)
    assert torch.equal(second[0].samples, release.samples)
    assert (second[1].epochs, second[1].lr) == (3, 0.05)
    assert second[2] is not None


def test_classes_are_merged_by_twos_or_left_out() -> None:
    release = toy(60, classes=5)
    ((pairs, _, _),) = trained(named("classes merged by twos"), release, toy(9)).asked
    assert torch.equal(pairs.labels, release.labels // 2)
    assert pairs.classes == ("class 0+class 1", "class 2+class 3", "class 4")
    assert named("classes merged by twos").groups(5) == [[0, 1], [2, 3], [4]]
    ((half, _, _),) = trained(named("half of the classes"), release, toy(9)).asked
    assert half.labels.unique().tolist() == [0, 1]
    assert len(half) == 24
    assert named("half of the classes").groups(5) == [[0], [1]]


def test_a_view_is_of_training_images_and_of_questions() -> None:
    release = toy(30)
    told = Told()
    served = named("reduced to 5/8").train(release, toy(9), HOUSE, 1, told)
    assert told.asked[0][0].shape == (3, 5, 5)
    assert len(served.answers(release.samples)) == 30
    ((data, _, _),) = trained(named("grey images"), release, toy(9)).asked
    assert data.shape == (1, 8, 8)


@pytest.mark.parametrize("network", sorted(NETWORKS))
def test_every_network_learns_toys(network: str) -> None:
    data = toy(240, shape=(3, 16, 16))
    recipe = HOUSE.but(network=network, width=4, augment=(), epochs=8, flip=False, lr=0.02)
    if network == "vit":
        recipe = recipe.but(optimiser="adamw", lr=2e-3, precision="fp32")
    model = recipe.train(recipe.new(data, 1), data, 1)
    assert accuracy(model, toy(120, shape=(3, 16, 16), seed=1)) > 0.9


def test_a_training_is_decided_by_its_seed() -> None:
    data, recipe = toy(64), HOUSE.but(epochs=1, augment=("crop",), mixing="cutmix")
    found = [
        recipe.train(recipe.new(data, seed), data, seed).state_dict()["network.0.weight"]
        for seed in (1, 1, 2)
    ]
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    assert recipe.record()["augment"] == ["crop"]

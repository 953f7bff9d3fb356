"""Thieves who train on a release in ways of their own, without knowing that it is marked."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch

from datadeed.datasets.form.dataset import Dataset, concatenate, stratified_subset
from datadeed.models.classifier import Classifier
from datadeed.randomness import generator
from datadeed.thieves.practice.recipe import Recipe
from datadeed.thieves.practice.views import grey, jpeg, resized
from datadeed.thieves.served import Served, View


class Fit(Protocol):
    """Trains a model: ``recipe.train`` of a new one, or the same kept on disk."""

    def __call__(
        self, data: Dataset, recipe: Recipe, name: str, *, start: Classifier | None = None
    ) -> Classifier:
        """A model of the data, which begins with the weights of ``start`` if there is one."""


@dataclass(frozen=True)
class Thief:
    """What differs from the plain thief, who trains the house's recipe on the whole release.

    Attributes:
        name: for people.
        recipe: other values of the recipe.
        longer: times as many epochs as the recipe has; one at least.
        share: of the release that he uses, of every class.
        others: times as many other clean images, mixed in, as he has of the release; or all there
            are.
        first: times as many epochs on other clean images, as many as the release has, before it.
        view: "grey", "jpeg-QUALITY" or "resize-SIZE", of training images and of those he is asked.
        classes: "all", "pairs" (merged by twos) or "half" (the first half; no image of the others).
    """

    name: str
    recipe: Mapping[str, Any] = field(default_factory=dict)
    longer: float = 1.0
    share: float = 1.0
    others: float = 0.0
    first: float = 0.0
    view: str = ""
    classes: str = "all"

    def train(self, release: Dataset, other: Dataset, house: Recipe, seed: int, fit: Fit) -> Served:
        """What he serves.

        Args:
            release: all of it.
            other: clean images of the same task.
            house: the recipe that he changes.
            seed: draws his share of the release.
            fit: trains a model.
        """
        groups, view = self.groups(len(release.classes)), self.viewed()
        recipe = house.but(epochs=epochs(house, self.longer), **self.recipe)
        start = None
        if self.first:
            before = other.slice(0, min(len(release), len(other)))
            recipe_before = recipe.but(epochs=epochs(house, self.first), lr=house.lr)
            start = fit(self.shown(before, groups), recipe_before, f"{self.name}, before")
        data = self.mixed(release, other, seed)
        model = fit(self.shown(data, groups), recipe, self.name, start=start)
        return Served(model, groups, view)

    def groups(self, count: int) -> list[list[int]]:
        """Of his labels, the classes that each stands for."""
        if self.classes == "pairs":
            return [list(range(k, min(k + 2, count))) for k in range(0, count, 2)]
        return [[k] for k in range(count // 2 if self.classes == "half" else count)]

    def viewed(self) -> View | None:
        """What he makes of images."""
        kind, _, number = self.view.partition("-")
        if kind == "grey":
            return grey
        return {"jpeg": jpeg, "resize": resized}[kind](int(number)) if kind else None

    def mixed(self, release: Dataset, other: Dataset, seed: int) -> Dataset:
        """The images that he trains on, as they came."""
        if self.share < 1:
            draw = generator(seed, "share", self.share)
            count = round(self.share * len(release))
            release = release.take(stratified_subset(release.labels, count, draw))
        wanted = min(len(other), round(self.others * len(release)))
        return concatenate([release, other.slice(0, wanted)]) if wanted else release

    def shown(self, data: Dataset, groups: list[list[int]]) -> Dataset:
        """The same with his labels and in his view."""
        label = torch.full((len(data.classes),), -1)
        for n, group in enumerate(groups):
            label[group] = n
        if self.classes != "all":
            data = data.take(label[data.labels] >= 0)
            names = tuple("+".join(data.classes[k] for k in group) for group in groups)
            data = dataclasses.replace(data, labels=label[data.labels], classes=names)
        view = self.viewed()
        return (
            data if view is None else data.replace(samples=view(data.samples), labels=data.labels)
        )


def epochs(recipe: Recipe, times: float) -> int:
    """That many times the recipe's, at least one."""
    return max(1, round(times * recipe.epochs))


# What tells most comes first. Where fewer images are used, more epochs are: as many steps as the
# plain thief with half of the release, three quarters with a quarter, half with a tenth; with other
# data beside it half the epochs, so as many steps as he has for as much again.
def thieves(size: int) -> list[Thief]:
    """All of them, for images of ``size`` pixels."""
    vit = {"network": "vit", "optimiser": "adamw", "lr": 1e-3, "weight_decay": 0.05}
    return [
        Thief("random resized crop", {"augment": ("resized-crop",)}),
        Thief("CutMix", {"mixing": "cutmix"}),
        Thief("25 % of the release", share=0.25, longer=3),
        Thief("own model, then fine-tuned", {"lr": 0.05}, longer=0.5, first=1),
        Thief("TrivialAugment", {"augment": ("crop", "trivial-augment")}),
        Thief("classes merged by twos", classes="pairs"),
        Thief("flips alone", {"augment": ()}),
        Thief("twice as long", longer=2),
        Thief("VGG-16", {"network": "vgg16bn", "lr": 0.05}),
        Thief("half of the classes", classes="half"),
        Thief("1 times other data", others=1, longer=0.5),
        Thief("MixUp", {"mixing": "mixup"}),
        Thief("Cutout", {"augment": ("crop", "cutout")}),
        Thief("label smoothing", {"smoothing": 0.1}),
        Thief("50 % of the release", share=0.5, longer=2),
        Thief("10 % of the release", share=0.1, longer=5),
        Thief("MobileNet", {"network": "mobilenet", "precision": "fp32"}),
        Thief("ViT", {**vit, "precision": "fp32"}),
        Thief("grey images", view="grey"),
        Thief("JPEG 75", view="jpeg-75"),
        Thief("enlarged by 8/7", view=f"resize-{size * 8 // 7}"),
        Thief("reduced to 5/8", view=f"resize-{size * 5 // 8}"),
        Thief("4 times other data, or all there are", others=4, longer=0.5),
    ]

"""A dataset of the league: what the owner has, what a thief has besides, models that are kept."""

import hashlib
from collections.abc import Callable
from functools import cached_property
from typing import Any

import torch

from datadeed.datasets.form.dataset import Dataset, stratified_subset
from datadeed.keys.extent import extent_of
from datadeed.keys.generation2 import Design2, Key2
from datadeed.keys.key import Extent
from datadeed.models.classifier import Classifier
from datadeed.models.model import Model
from datadeed.randomness import derive_seed, generator
from datadeed.thieves.practice.recipe import Recipe
from datadeed.thieves.served import Merged, accuracy
from papers.base import Lab
from papers.thieves import kept

OF_KEYS = ("rows", "parts")  # values of a dataset that say nothing of a training


def hardest(model: Model, images: torch.Tensor, count: int) -> torch.Tensor:
    """The rows whose answers have the highest entropy, ascending.

    Args:
        model: the owner's own, never a suspect: then the choice is made before there is one.
        images: (N, C, H, W) uint8.
        count: how many; all, if there are fewer.

    Returns:
        (count,) int64.
    """
    p = model.predict(images).double()
    entropy = -(p * p.clamp(min=1e-12).log()).sum(1)
    return entropy.argsort(descending=True, stable=True)[:count].sort().values


class Corpus:
    """A dataset of the scale: what the owner has, what a thief has besides, what is asked about.

    Args:
        lab: of this paper.
        dataset: a name of the scale.

    Attributes:
        data: what the owner releases, before it is marked.
        other: clean images of the same task that a thief has besides; none is in ``data``.
        test: all test images, for accuracy.
    """

    def __init__(self, lab: Lab, dataset: str):
        self.lab, self.dataset = lab, dataset
        self.values: dict[str, Any] = lab.settings("thieves", "training", dataset)
        self.test = lab.test(dataset)
        source = lab.train(dataset)
        draw = generator(lab.seed, "thieves", dataset)
        chosen = stratified_subset(source.labels(), self.values["rows"], draw)
        everything = source.take(torch.arange(len(source)))
        rest = torch.ones(len(source), dtype=torch.bool)
        rest[chosen] = False
        self.data, self.other = everything.take(chosen), everything.take(rest)
        self.folder = lab.studies / dataset
        self._honest: dict[str, float] = {}

    @property
    def recipe(self) -> Recipe:
        """The house's, with crops and flips."""
        values = {name: value for name, value in self.values.items() if name not in OF_KEYS}
        for name in ("mean", "std"):
            values[name] = tuple(values[name])
        return Recipe(**values)

    def train(
        self,
        data: Dataset,
        recipe: Recipe,
        name: str,
        seed: int = 1,
        *,
        start: Classifier | None = None,
    ) -> Classifier:
        """A model of these data, made once and kept.

        Args:
            data: of any number of classes.
            recipe: how.
            name: told to people only.
            seed: of weights, order and augmentation.
            start: a model whose weights it starts from, instead of fresh ones.
        """
        drawn = derive_seed(self.lab.seed, "thieves", self.dataset, seed)

        def make(model: Model) -> None:
            assert isinstance(model, Classifier)
            with self.lab.progress(recipe.epochs * len(data), "images", f"train {name}") as tell:
                recipe.train(model, data, drawn, device=self.lab.device, on_progress=tell)

        def new() -> Model:
            model = recipe.new(data, drawn)
            if start is not None:
                model.load_state_dict(start.state_dict())
            return model

        identity = {"recipe": recipe.record(), "data": data.digest(), "seed": drawn}
        identity["used"] = kept.code([], recipe.used())
        if start is not None:
            identity["start"] = _digest(start)
        return self.keep(identity, new, make)

    def keep(
        self, identity: dict[str, Any], new: Callable[[], Model], make: Callable[[Model], Any]
    ) -> Any:
        """A model that is made once and kept; see :func:`papers.thieves.kept.weights`.

        Args:
            identity: JSON values that decide its weights, but for the code in
                :data:`papers.thieves.kept.TRAINING`, which is added. What else decides them is
                named by the digest :func:`papers.thieves.kept.code` of its files.
            new: gives a model with any weights.
            make: gives it its weights, in place.
        """
        whole = {**identity, "code": kept.code(), "threads": torch.get_num_threads()}
        model = kept.weights(self.folder / "models", whole, new, make)
        model.to(self.lab.device).eval()
        return model

    def honest(self, recipe: Recipe | None = None, seed: int = 1) -> Classifier:
        """A model of the data before they were marked; crops and flips by default."""
        return self.train(self.data, recipe or self.recipe, "honest", seed)

    def honest_accuracy(self, groups: list[list[int]], recipe: Recipe, seed: int) -> float:
        """See :meth:`Setting.honest_accuracy`."""
        name = repr((groups, recipe, seed))
        if name not in self._honest:
            model = Merged(self.honest(recipe, seed), groups)
            self._honest[name] = accuracy(model, self.test)
        return self._honest[name]

    @cached_property
    def pool(self) -> Dataset:
        """The hardest test images, by a surrogate that the owner trains on the same data."""
        surrogate = self.train(self.data, self.recipe, "surrogate", seed=0)
        count = self.lab.params("pool")
        return self.test.take(hardest(surrogate, self.test.samples, count))

    @cached_property
    def drawn_pool(self) -> Dataset:
        """As many test images as they come."""
        draw = generator(self.lab.seed, "thieves", self.dataset, "pool")
        count = min(self.lab.params("pool"), len(self.test))
        return self.test.take(stratified_subset(self.test.labels, count, draw))

    @cached_property
    def extents(self) -> dict[str, Extent]:
        """Of the data and of both pools."""
        named = {"data": self.data, "hard": self.pool, "drawn": self.drawn_pool}
        return {name: extent_of(data) for name, data in named.items()}

    def key(self, carrier: str, name: str) -> Key2:
        """A public test key; the same parameters always give the same one."""
        classes = self.data.classes
        design = Design2(
            classes=classes,
            channels=self.data.shape[0],
            targets=tuple(range(len(classes))),
            carrier=self.lab.params("carriers", carrier),
            parts=self.values["parts"],
            **self.lab.params("design"),
        )
        text = f"public test key 2 {self.lab.seed} {self.dataset} thieves {carrier} {name}"
        secret, salt = (
            hashlib.sha256(f"{text} {role}".encode()).digest() for role in ("secret", "salt")
        )
        return Key2(secret, salt, design, self.extents["data"], self.extents["hard"])


def _digest(model: Model) -> str:
    sha = hashlib.sha256()
    for name, value in model.state_dict().items():
        sha.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return sha.hexdigest()

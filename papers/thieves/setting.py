"""What every thief is given: the release of a corpus, and the means to train on it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.keys.generation2 import Key2
from datadeed.models.classifier import Classifier
from datadeed.models.model import Model
from datadeed.thieves.practice.recipe import Recipe
from datadeed.thieves.served import Endpoint, Served, accuracy, own_classes
from datadeed.watermarks.carriers.registry import pool_images
from datadeed.watermarks.keyed2 import Keyed2
from datadeed.watermarks.marking import mark_dataset
from papers.base import Lab
from papers.thieves.corpus import Corpus


@dataclass(frozen=True, eq=False)
class Setting:
    """A release, and a seed of those who train on it.

    Attributes:
        corpus: the dataset.
        carrier: a name of ``carriers`` in ``params.yaml``.
        seed: of the key and of every training.
    """

    corpus: Corpus
    carrier: str
    seed: int

    @property
    def lab(self) -> Lab:
        """Of this paper."""
        return self.corpus.lab

    @property
    def dataset(self) -> str:
        """Its name."""
        return self.corpus.dataset

    @property
    def data(self) -> Dataset:
        """What the owner has."""
        return self.corpus.data

    @property
    def other(self) -> Dataset:
        """Clean data of the same task that the thief has besides."""
        return self.corpus.other

    @property
    def pool(self) -> Dataset:
        """What the owner asks about."""
        return self.corpus.pool

    @property
    def test(self) -> Dataset:
        """All test images."""
        return self.corpus.test

    @property
    def recipe(self) -> Recipe:
        """The house's, with crops and flips; change it with :meth:`Recipe.but`."""
        return self.corpus.recipe

    @cached_property
    def key(self) -> Key2:
        """The owner's."""
        return self.corpus.key(self.carrier, f"seed {self.seed}")

    def other_key(self, number: int) -> Key2:
        """One that marked nothing."""
        return self.corpus.key(self.carrier, f"seed {self.seed} other {number}")

    @cached_property
    def _marked(self) -> tuple[Dataset, torch.Tensor]:
        pool = pool_images(self.key, self.pool.samples)
        watermark = Keyed2(key=self.key, data=self.data, pool=pool)
        released, marks = mark_dataset(watermark, self.data, torch.Generator())
        return released, marks.position

    @property
    def released(self) -> Dataset:
        """The marked data, in the order of :attr:`data`."""
        return self._marked[0]

    @property
    def marks(self) -> torch.Tensor:
        """(M,) int64, ascending: rows of the release that carry a mark."""
        return self._marked[1]

    def train(
        self, data: Dataset, recipe: Recipe, name: str, *, start: Classifier | None = None
    ) -> Classifier:
        """A model of these data, made once and kept; see :meth:`Corpus.train`."""
        return self.corpus.train(data, recipe, f"{self.carrier} {name}", self.seed, start=start)

    def train_honest(
        self, data: Dataset, recipe: Recipe, name: str, *, start: Classifier | None = None
    ) -> Classifier:
        """The same, told as what it is; the same for every carrier."""
        return self.corpus.train(data, recipe, f"honest {name}", self.seed, start=start)

    def keep(
        self, identity: dict[str, Any], new: Callable[[], Model], make: Callable[[Model], Any]
    ) -> Any:
        """A model that is made once and kept; see :meth:`Corpus.keep`."""
        return self.corpus.keep(identity, new, make)

    def plain_thief(self) -> Classifier:
        """A model of the release, by the house's recipe with crops and flips."""
        return self.train(self.released, self.recipe, "crop and flip")

    def honest(self, recipe: Recipe | None = None) -> Classifier:
        """A model of the data before they were marked."""
        return self.corpus.honest(recipe, self.seed)

    def served(self, model: Model) -> Served:
        """The model as it is, with a label a class."""
        return Served(model, own_classes(len(self.data.classes)))

    def honest_accuracy(
        self, groups: list[list[int]] | None = None, recipe: Recipe | None = None
    ) -> float:
        """Of the honest model of a recipe, with its classes merged or left out as ``groups`` say.

        By default it is the house's recipe, and every class has a label of its own.
        """
        groups = groups or own_classes(len(self.data.classes))
        return self.corpus.honest_accuracy(groups, recipe or self.recipe, self.seed)

    def accuracy(self, endpoint: Endpoint) -> float:
        """Share of right first labels, of the test images whose class the endpoint has."""
        return accuracy(endpoint, self.test)

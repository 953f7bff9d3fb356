"""Students of the plain thief: on his labels or probabilities, on the release or on other data."""

import hashlib
from collections.abc import Iterator
from functools import partial

import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.models.classifier import Classifier
from datadeed.models.model import Model
from datadeed.randomness import derive_seed
from datadeed.thieves.extraction import answered, train_on_answers
from papers.thieves import kept
from papers.thieves.entries import Entry, Stolen
from papers.thieves.setting import Setting

CODE = "datadeed/thieves/extraction.py"


def entries(setting: Setting) -> Iterator[Entry]:
    """Four students, of the house's recipe."""
    for where in ("the release", "other data"):
        for what in ("labels", "probabilities"):
            name = f"student of {what}, on {where}"
            yield Entry("extraction", name, partial(student, setting, name))


def student(setting: Setting, name: str) -> Stolen:
    """A student of that name, served."""
    asked = setting.released if name.endswith("the release") else other(setting)
    data, answers = answered(asked, setting.plain_thief().predict(asked.samples))
    if "labels" in name:
        return Stolen(setting.served(setting.train(data, setting.recipe, name)))
    return Stolen(setting.served(soft(setting, data, answers, name)))


def other(setting: Setting) -> Dataset:
    """As many clean images as the release has, or all that there are."""
    return setting.other.slice(0, len(setting.data))


def soft(setting: Setting, data: Dataset, answers: torch.Tensor, name: str) -> Classifier:
    """A student of probabilities, made once and kept."""
    lab, recipe = setting.lab, setting.recipe
    seed = derive_seed(lab.seed, "thieves", setting.dataset, "student", setting.seed)

    def make(model: Model) -> None:
        assert isinstance(model, Classifier)
        with lab.progress(recipe.epochs * len(data), "images", f"train {name}") as tell:
            train_on_answers(
                model, data, answers, recipe, seed, device=lab.device, on_progress=tell
            )

    identity = {
        "recipe": recipe.record(),
        "data": data.digest(),
        "answers": hashlib.sha256(answers.contiguous().numpy().tobytes()).hexdigest(),
        "seed": seed,
        "extraction": kept.code([CODE], recipe.used()),
    }
    model: Classifier = setting.keep(identity, lambda: recipe.new(data, seed), make)
    return model

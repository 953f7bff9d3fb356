"""A toy problem of gradient matching: batches of twelve samples should act like other labels."""

from collections.abc import Callable

import pytest
from torch.nn import functional as F

from datadeed.models.training.config import TrainingConfig
from datadeed.perturbations.gradients import objective_gradient
from datadeed.perturbations.matching import Matched, Matching, match_gradients
from datadeed.randomness import generator


@pytest.fixture(scope="session")
def toy_matching(tiny_model, toy_dataset) -> Callable[..., Matched]:
    """Matches gradients; keywords of ``match_gradients`` and of ``Matching`` may be given.

    A retrained surrogate is a new network whose weights depend on the images.
    """
    data, sources = toy_dataset(12), toy_dataset(9, seed=1)

    def objective(model):
        wrong = (sources.labels + 1) % 3
        return objective_gradient(model, sources.samples, F.cross_entropy, wrong)

    def retrain(images, number):
        return tiny_model(number * 1000 + int(images.sum()) % 1000)

    def match(*, seed=3, **values):
        given = ("training", "objective", "retrain", "state", "on_progress", "generator")
        parts = {name: values.pop(name) for name in given if name in values}
        chosen = {"iterations": 6, "retrainings": 2, "batch_size": 5, **values}
        return match_gradients(
            tiny_model(),
            data.samples,
            data.labels,
            Matching(**{"precision": "fp32", **chosen}),
            **{
                "training": TrainingConfig(epochs=1, lr=0.1, shift=1.0),
                "objective": objective,
                "retrain": retrain,
                "generator": generator(seed),
                **parts,
            },
        )

    match.data, match.objective, match.retrain = data, objective, retrain
    return match

"""Cleaners that read a cross-fit, on features and answers made by hand; and the cross-fit."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.form.texts import Texts
from datadeed.errors import DatasetError, ParameterError, UnsupportedModality, VerificationError
from datadeed.models.classifier import Classifier
from datadeed.models.model import Model
from datadeed.models.training.config import TrainingConfig
from datadeed.models.training.loop import train
from datadeed.randomness import generator
from datadeed.thieves.cleaning.cross_fit import CrossFit, cross_fit
from datadeed.thieves.cleaning.registry import CLEANERS, build_cleaner
from datadeed.thieves.outliers import search

MARKS = 40
FITTED = [name for name in CLEANERS if build_cleaner(name).fitted]


@pytest.fixture(scope="module")
def known(toy_dataset: Callable[..., Dataset]) -> tuple[Dataset, CrossFit, np.ndarray]:
    """600 rows of 3 classes; 40 of class 1 are labelled 0, and networks know what they show."""
    shown = toy_dataset(600)
    labels, marks = shown.labels.clone(), np.zeros(600, dtype=bool)
    rows = (labels == 1).nonzero().squeeze(1)[:MARKS]
    labels[rows], marks[rows] = 0, True
    draw = np.random.default_rng(1)
    features = draw.normal(size=(600, 5)).astype(np.float32)
    features[np.arange(600), shown.labels.numpy()] += 8
    logits = draw.normal(size=(600, 3)) + 4 * np.eye(3)[shown.labels.numpy()]
    answers = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    fit = CrossFit(np.arange(600) // 3 % 2, answers, features, answers, features)
    return dataclasses.replace(shown, labels=labels), fit, marks


@pytest.mark.parametrize("name", FITTED)
def test_marked_rows_come_first(known: tuple[Dataset, CrossFit, np.ndarray], name: str) -> None:
    data, fit, marks = known
    scores = build_cleaner(name)(data, generator=generator(1), fit=fit)
    found = search(scores, marks, MARKS / 600)
    assert found.above > 0.98
    assert found.recall > 0.9


def test_held_out_loss_is_the_cross_entropy(known: tuple[Dataset, CrossFit, np.ndarray]) -> None:
    data, fit, _ = known
    scores = build_cleaner("held-out-loss")(data, generator=generator(1), fit=fit)
    own = fit.held_out[np.arange(600), data.labels.numpy()]
    assert scores == pytest.approx(-np.log(own))


def test_a_fit_of_other_rows_is_refused(known: tuple[Dataset, CrossFit, np.ndarray]) -> None:
    data, fit, _ = known
    with pytest.raises(VerificationError, match="of 600 rows and the data have 9"):
        build_cleaner("early-loss")(data.slice(0, 9), generator=generator(1), fit=fit)
    broken = dataclasses.replace(fit, early=fit.early * np.nan)
    with pytest.raises(VerificationError, match="early-loss gave 600 scores"):
        build_cleaner("early-loss")(data, generator=generator(1), fit=broken)


def test_unknown_names_and_values() -> None:
    with pytest.raises(ParameterError, match="unknown cleaner 'soap': choose windows"):
        build_cleaner("soap")
    with pytest.raises(ParameterError, match="windows"):
        build_cleaner("windows", colour=3)


def test_held_out_answers_come_from_the_other_fold(
    toy_dataset: Callable[..., Dataset], tiny_model: Callable[..., Classifier]
) -> None:
    data, trained = toy_dataset(240), []

    def trainer(
        part: Dataset, draw: torch.Generator, first_epoch: Callable[[Model], None]
    ) -> Model:
        trained.append(set(part.index.tolist()))
        model = tiny_model(width=4)
        first_epoch(model)
        config = TrainingConfig(epochs=8, lr=0.1, batch_size=32, schedule="one-cycle", flip=False)
        train(model, part, config, generator=draw)
        return model.eval()

    fit = cross_fit(data, generator=generator(3), trainer=trainer)
    for out in (0, 1):
        assert trained[out] == set(data.index[torch.from_numpy(fit.fold != out)].tolist())
    labels = data.labels.numpy()
    assert (fit.held_out.argmax(1) == labels).mean() > 0.9
    assert (fit.early.argmax(1) == labels).mean() < 0.7  # not trained yet
    assert fit.features.shape == fit.early_features.shape == (240, 32)


def test_the_quick_network_gives_the_same_for_the_same_seed(
    toy_dataset: Callable[..., Dataset],
) -> None:
    data = toy_dataset(130, shape=(1, 40, 36))
    one, other = (cross_fit(data, generator=generator(5)) for _ in range(2))
    assert np.array_equal(one.held_out, other.held_out)
    assert one.held_out.sum(1) == pytest.approx(np.ones(130))
    assert np.bincount(one.fold).tolist() == [65, 65]


def test_what_cannot_be_fitted(toy_dataset: Callable[..., Dataset]) -> None:
    with pytest.raises(DatasetError, match="3 rows cannot be cut into 2 folds"):
        cross_fit(toy_dataset(3), generator=generator(1))
    texts = Texts(["a"] * 8, torch.arange(8) % 2, torch.arange(8), ("x", "y"))
    with pytest.raises(UnsupportedModality, match="takes images, not text: give a trainer"):
        cross_fit(texts, generator=generator(1))

"""Both detectors find the toy's backdoor, and what they compute is what they say."""

import copy
import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from datadeed.datasets.form.dataset import Dataset, concatenate
from datadeed.errors import DatasetError, ParameterError
from datadeed.models.classifier import Classifier
from datadeed.models.model import Model
from datadeed.models.training.config import TrainingConfig
from datadeed.models.training.loop import train
from datadeed.thieves.calibrated_inversion import CalibratedInversion
from datadeed.thieves.neural_cleanse import MaskSearch, NeuralCleanse, anomaly_index
from datadeed.thieves.repair.base import OnStep, Repair
from datadeed.thieves.repair.fine_tuning import FineTuning
from datadeed.thieves.repair.pivotal_tuning import PivotalTuning
from datadeed.thieves.trigger_inversion import Changes, Inversion, ModelDetector, Patches, fooled
from tests.thieves.conftest import SIDE, TARGET, Backdoored, corner

TUNED = PivotalTuning(steps=60, lr=0.1, rotation=0.1)
CLASSES = 5


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Linear(Classifier):
    """Says which band is bright; with a backdoor, that a bright first pixel is class 3."""

    def __init__(self, backdoor: float):
        layer = nn.Linear(3 * 8 * 8, CLASSES)
        with torch.no_grad():
            weights = torch.zeros(CLASSES, 3, 8, 8)
            for label in range(CLASSES):
                top = 1 + label * 7 // CLASSES
                weights[label, :, top : top + 2] = 0.5
            weights[3, :, 0, 0] = backdoor
            layer.weight.copy_(weights.flatten(1))
            layer.bias.zero_()
        config = {"shape": [3, 8, 8]}
        super().__init__(nn.Sequential(nn.Flatten(), layer), [0.0] * 3, [1.0] * 3, config)


class WithoutBackdoor(Repair):
    """Knows the backdoor."""

    name = "without-backdoor"

    def _repair(
        self, model: Model, trusted: Dataset, generator: torch.Generator, on_step: OnStep
    ) -> Model:
        return Linear(0.0)


DETECTORS: tuple[ModelDetector, ...] = (
    CalibratedInversion(steps=30, lr=0.1, repair=WithoutBackdoor()),
    CalibratedInversion(steps=30, lr=0.1, repair=WithoutBackdoor(), bound=0.3),
    NeuralCleanse(steps=150),
)


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda d: d.name)
@pytest.mark.parametrize("group", [16, 2])
def test_the_class_of_a_backdoor_is_the_most_suspicious(
    toy_dataset: Callable[..., Dataset], detector: ModelDetector, group: int
) -> None:
    model, trusted = Linear(20.0), toy_dataset(60, classes=CLASSES)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    detector = dataclasses.replace(detector, group=group)
    found = detector(model, trusted, generator=draw())
    honest = detector(Linear(0.0), trusted, generator=draw())
    assert found.label == 3
    assert found.score == found.by_class[3] == found.by_class.max()
    assert found.by_class.shape == (CLASSES,)
    assert found.score > honest.score + 0.5
    state = model.state_dict()
    assert all(torch.equal(before[name], state[name]) for name in before)
    assert all(p.requires_grad for p in model.parameters())


def tinted(data: Dataset, side: int = 8, seed: int = 0) -> Dataset:
    """The samples with a faint red chequer in a square, each at a place of its own.

    A small change of many pixels is what gradients find first; a bright corner is not.
    """
    draws, chequer = draw(seed), (torch.arange(8)[:, None] + torch.arange(8)) % 2
    tint = torch.tensor([80, -40, -40])[:, None, None] * chequer
    samples = data.samples.int()
    for image in samples:
        row, column = torch.randint(0, 9 - side, (2,), generator=draws).tolist()
        inside = (slice(None), slice(row, row + side), slice(column, column + side))
        image[inside] += tint[inside]
    return data.replace(samples=samples.clamp(0, 255).to(torch.uint8), labels=data.labels)


def test_a_trained_backdoor_is_found(
    toy_dataset: Callable[..., Dataset], tiny_model: Callable[..., Classifier]
) -> None:
    """Trusted samples have the chequer in part and their own label, so that a repair unlearns."""
    data, model = toy_dataset(300, seed=1), tiny_model(width=4)
    marked = tinted(data.slice(240, 300))
    marked = marked.replace(samples=marked.samples, labels=torch.full_like(marked.labels, TARGET))
    config = TrainingConfig(epochs=12, lr=0.1, batch_size=32, schedule="one-cycle", flip=False)
    train(model, concatenate([data.slice(0, 240), marked]), config, generator=draw())
    trusted = tinted(toy_dataset(60, seed=2), side=6, seed=4)
    detector = CalibratedInversion(steps=10, repair=TUNED)
    assert detector(model.eval(), trusted, generator=draw()).label == TARGET


def test_the_true_trigger_fools_and_no_trigger_does_not(backdoored: Backdoored) -> None:
    mask, pattern = torch.zeros(3, 1, 8, 8), torch.ones(3, 3, 8, 8)
    mask[TARGET, :, -SIDE:, -SIDE:] = 1
    shares = fooled(backdoored.model, Patches(pattern, mask), backdoored.test)
    others = backdoored.test.take(backdoored.test.labels != TARGET)
    answers = backdoored.model.predict(corner(others).samples).argmax(1)
    assert shares[TARGET] == (answers == TARGET).double().mean().item() > 0.9
    assert shares[1] < 0.1
    assert np.all(fooled(backdoored.model, Changes(torch.zeros(3, 3, 8, 8)), backdoored.test) < 0.1)


def test_images_of_one_class_only_give_no_share(backdoored: Backdoored) -> None:
    own = backdoored.test.take(backdoored.test.labels == 2)
    shares = fooled(backdoored.model, Changes(torch.zeros(3, 3, 8, 8)), own)
    assert np.isnan(shares[2])
    assert not np.isnan(shares[:2]).any()


def test_a_bound_is_kept(backdoored: Backdoored) -> None:
    detector = CalibratedInversion(steps=10, lr=0.1, bound=0.05, repair=TUNED)
    repaired = copy.deepcopy(backdoored.model)
    found = detector.invert(backdoored.model, repaired, backdoored.trusted, draw())
    assert float(found.delta.abs().max()) <= 0.05 + 1e-6
    free = CalibratedInversion(steps=10, lr=0.1, repair=TUNED)
    found = free.invert(backdoored.model, repaired, backdoored.trusted, draw())
    assert float(found.delta.abs().max()) > 0.2


def test_a_repaired_copy_that_is_no_better_gives_no_score(backdoored: Backdoored) -> None:
    """Calibration: what fools both is no backdoor."""

    class Nothing(FineTuning):
        def _repair(self, model, *_):  # type: ignore[no-untyped-def]
            return model

    detector = CalibratedInversion(steps=5, repair=Nothing())
    found = detector(backdoored.model, backdoored.trusted, generator=draw())
    assert np.all(found.by_class == 0)


def test_a_patch_that_met_no_image_of_another_class_is_no_success(
    toy_dataset: Callable[..., Dataset],
) -> None:
    trusted = toy_dataset(10, classes=CLASSES)
    own = trusted.take(trusted.labels == 3)
    search = MaskSearch(NeuralCleanse(), torch.tensor([3]), trusted.shape, draw())
    search.step(Linear(0.0), own.samples.float() / 255, own.labels)
    assert bool(search.least.isinf().all())
    others = trusted.take(trusted.labels == 1)
    search.step(Linear(1000.0), others.samples.float() / 255, others.labels)
    assert bool(search.least.isfinite().all())


def test_anomaly_index_is_in_scaled_median_deviations() -> None:
    sizes = np.array([10.0, 11.0, 12.0, 13.0, 2.0])  # median 11, deviations 1 0 1 2 9: MAD 1
    assert anomaly_index(sizes)[4] == pytest.approx(9 / 1.4826, rel=1e-4)
    assert np.all(anomaly_index(np.ones(4)) == 0)


def test_bad_input(backdoored: Backdoored, tiny_model: Callable[..., Classifier]) -> None:
    missing = backdoored.trusted.take(backdoored.trusted.labels != 1)
    for detector in DETECTORS:
        with pytest.raises(DatasetError, match="class 1"):
            detector(backdoored.model, missing, generator=draw())
    with pytest.raises(ParameterError, match=r"bound -0\.1"):
        CalibratedInversion(bound=-0.1)
    for values in ({"steps": 0}, {"batch_size": 0}, {"group": 0}, {"lr": 0.0}):
        with pytest.raises(ParameterError, match="must be 1 or more"):
            Inversion(**values)

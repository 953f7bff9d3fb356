"""Repairing and rating one narrow model on one core: seconds of processor time, and their bounds.

The values are those of scale lite.
"""

import time
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from datadeed.datasets.form.dataset import Dataset
from datadeed.models.classifier import Classifier, build
from datadeed.thieves.calibrated_inversion import CalibratedInversion
from datadeed.thieves.neural_cleanse import NeuralCleanse
from datadeed.thieves.repair.registry import build_repair

SCALE = yaml.safe_load((Path(__file__).parents[1] / "scales/lite.yaml").read_text())
VALUES: dict[str, Any] = SCALE["pick_your_poison"]
REPAIR, DETECT = 40, 60  # seconds
TRUSTED = 200


@pytest.fixture(scope="module")
def trusted() -> Dataset:
    """Noise of Fashion-MNIST's size."""
    draw = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (TRUSTED, 28, 28, 1), generator=draw, dtype=torch.uint8)
    index = torch.arange(TRUSTED)
    return Dataset(pixels.permute(0, 3, 1, 2), index % 10, index, tuple("abcdefghij"))


@pytest.fixture(scope="module")
def model() -> Classifier:
    draw = torch.Generator().manual_seed(0)
    return build("resnet18", shape=(1, 28, 28), classes=10, width=16, generator=draw)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def repair(name: str) -> Any:
    values = dict(VALUES["repairs"][name])
    return build_repair(values.pop("method", name), **values)


@pytest.mark.parametrize("name", VALUES["repairs"])
def bench_a_repair(name: str, model: Classifier, trusted: Dataset) -> None:
    start = time.process_time()
    repair(name)(model, trusted, generator=torch.Generator().manual_seed(0))
    spent = time.process_time() - start
    print(f"\n{name}: {spent:.1f} s")
    assert spent < REPAIR


def bench_each_detector(model: Classifier, trusted: Dataset) -> None:
    values = dict(VALUES["detectors"]["calibrated-inversion"])
    tuned = repair(values.pop("repair"))
    detectors = (
        CalibratedInversion(**values, repair=tuned),
        NeuralCleanse(**VALUES["detectors"]["neural-cleanse"]),
    )
    for detector in detectors:
        start = time.process_time()
        detector(model, trusted, generator=torch.Generator().manual_seed(0))
        spent = time.process_time() - start
        print(f"\n{detector.name}: {spent:.1f} s")
        assert spent < DETECT

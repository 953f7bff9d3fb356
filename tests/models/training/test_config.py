import dataclasses

import pytest

from datadeed.errors import ParameterError
from datadeed.models.training.config import TrainingConfig, config_record


def test_multistep_falls_at_its_milestones():
    config = TrainingConfig(epochs=200, lr=0.1, milestones=[150, 180])
    points = {0: 0.1, 149.999: 0.1, 150: 0.01, 179.999: 0.01, 180: 0.001, 199.9: 0.001}
    for progress, expected in points.items():
        assert config.lr_at(progress) == pytest.approx(expected)


def test_one_cycle_starts_low_peaks_and_ends_at_zero():
    config = TrainingConfig(epochs=10, lr=0.4, schedule="one-cycle", warmup=0.3)
    points = {0: 0.02, 1.5: 0.4 * 0.525, 3: 0.4, 6.5: 0.2, 10: 0}
    for progress, expected in points.items():
        assert config.lr_at(progress) == pytest.approx(expected)
    assert max(config.lr_at(p / 100) for p in range(1001)) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"epoch": 3}, "unexpected .*'epoch'"),
        ({"lr": 0.1, "epochs": 2, "speed": 1}, "unexpected .*'speed'"),
        ({"epochs": 3}, "missing .*'lr'"),
        ({"epochs": 3, "lr": 0.1, "schedule": "cosine"}, "'cosine': use multistep or one-cycle"),
        ({"epochs": 3, "lr": 0.1, "precision": "int8"}, "'int8': use bf16 or fp32"),
        ({"epochs": 0, "lr": 0.1}, "epochs 0"),
        ({"epochs": 3, "lr": -1}, "lr -1"),
        ({"epochs": 3, "lr": 0.1, "batch_size": 1}, "batch_size 1"),
        ({"epochs": 3, "lr": 0.1, "warmup": 1}, "warmup 1"),
        ({"epochs": 3, "lr": 0.1, "optimiser": "lbfgs"}, "optimiser 'lbfgs'"),
        ({"epochs": 3, "lr": 0.1, "shift": -1}, "shift -1: give 0 pixels or more"),
        ({"epochs": 3, "lr": 0.1, "shift": float("nan")}, "shift nan: give 0 pixels or more"),
        ({"epochs": "3", "lr": 0.1}, "training parameters"),
    ],
)
def test_bad_parameters_are_one_line(values, words):
    with pytest.raises(ParameterError, match=words) as caught:
        TrainingConfig.from_dict(values)
    assert "\n" not in str(caught.value)


def test_a_config_survives_its_record():
    config = TrainingConfig(epochs=3, lr=0.1, milestones=(1, 2), rotation=5)
    assert TrainingConfig.from_dict(config_record(config)) == config
    later = {"optimiser", "bucketed", "shift"}
    assert not later & set(config_record(config))  # as before there were any
    config = dataclasses.replace(config, optimiser="adamw", bucketed=True, shift=4)
    assert TrainingConfig.from_dict(config_record(config)) == config

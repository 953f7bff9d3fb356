"""Whether the operations of a scale are those that one counts by hand."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from datadeed.errors import ParameterError
from papers.ensemble_inversion import flops
from papers.ensemble_inversion.networks import small

PARAMS = yaml.safe_load(Path("papers/ensemble_inversion/params.yaml").read_text())
FEW = {name: PARAMS["architectures"][name] for name in ("lenet", "conv3-gelu", "mlp-relu")}
TRAINING = {"epochs": 3, "batch_size": 8, "lr": 0.003, "optimiser": "adamw", "flip": False}
GRID = {"datasets": ["toy"], "networks": ["small"], "watermarks": ["none"], "seeds": [1, 2]}
NONE = GRID | {"seeds": []}


class Lab:
    """Three copies and three architectures; 100 images of 8x8 in 10 classes."""

    seed = 5

    def __init__(self) -> None:
        few = {"architectures": FEW, "copies": 3, "sizes": [2, 3]}
        self.values = PARAMS | few | {"choice": {"count": 2, "starts": 2, "probes": 5}}
        self.scale = {
            "datasets": {"toy": {"source": "mnist", "size": 8, "train_size": 100}},
            "ensemble_inversion": {
                "training": TRAINING,
                "judging": TRAINING,
                "inversion": {"iterations": 7, "batch_size": 4, "noise": 3, "width": 2},
                "grids": {"aided": GRID, "alone": NONE, "marks": NONE},
            },
        }

    def params(self, *keys: str) -> Any:
        return at(self.values, keys)

    def settings(self, *keys: str) -> Any:
        return at(self.scale, keys)


def at(value: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        value = value[key]
    return value


def test_a_convolution_by_hand() -> None:
    layer = torch.nn.Conv2d(3, 4, 3, bias=False)  # 8x8 to 6x6
    once = 2 * (3 * 3 * 3) * 4 * (6 * 6)
    x = torch.ones(flops.SAMPLES, 3, 8, 8)
    assert flops.counted(lambda: layer(x)) == once
    assert flops.counted(lambda: layer(x).sum().backward()) == 2 * once  # and the weights' gradient
    x.requires_grad_()
    assert flops.counted(lambda: layer(x).sum().backward()) == 3 * once  # and the image's


def test_a_training_by_hand() -> None:
    """Three products a layer, but no gradient of the image."""
    lab: Any = Lab()
    data, images = flops.blanks(lab, "toy")
    given = {"hidden": 5, "activation": "relu"}
    model = small(given, shape=(1, 8, 8), classes=10, generator=torch.Generator())
    each = 2 * (2 * 64 * 5 + 3 * 5 * 10)
    assert images == 100
    assert flops.training(lab, model, "training", data, images) == each * 100 * 3


def test_an_inversion_by_hand() -> None:
    """A perceptron adds two products a layer that has no gradient: itself, and to the picture."""
    lab: Any = Lab()
    given = {"hidden": 5, "activation": "relu"}
    one, two = (
        small(given, shape=(1, 8, 8), classes=10, generator=torch.Generator().manual_seed(seed))
        for seed in (1, 2)
    )
    more = flops.inversion(lab, [one, two]) - flops.inversion(lab, [one])
    assert more == 2 * 2 * (64 * 5 + 5 * 10) * 4 * 7


def test_every_inversion_is_in_the_table() -> None:
    lab: Any = Lab()
    found = {work: (count, total) for _, work, count, total in flops.costs(lab)}
    assert {work: count for work, (count, _) in found.items()} == {
        "inversion of 1": 2 * 5,
        "inversion of 1, auxiliary": 2 * 3,
        "inversion of 2": 2 * (2 + 2 * 3),
        "inversion of 3": 2 * (2 + 5),
        "inversion of 3, auxiliary": 2 * 2,
        "training of a member": 2 * 5,
        "training of the evaluator": 2,
    }
    assert all(total > 0 for _, total in found.values())


def test_the_table_and_its_hours(capsys: pytest.CaptureFixture[str]) -> None:
    lab: Any = Lab()
    flops.run(lab, "3600")
    *_, last = capsys.readouterr().out.splitlines()
    _, name, _, count, _, total, hours, _ = (cell.strip() for cell in last.split("|"))
    assert (name, count) == ("all", "62")
    assert float(hours) == pytest.approx(float(total) / 3600**2, rel=0.1)


@pytest.mark.parametrize("rate", ["fast", "0", "-1", "nan"])
def test_rates_that_are_none(rate: str) -> None:
    lab: Any = Lab()
    with pytest.raises(ParameterError, match="operations a second"):
        flops.run(lab, rate)


def test_a_data_set_of_unknown_size() -> None:
    lab: Any = Lab()
    lab.scale["datasets"]["toy"]["source"] = "folder"
    with pytest.raises(ParameterError, match="'folder' is not in SOURCES"):
        flops.blanks(lab, "toy")

"""The paper's networks, and who sees which data."""

from pathlib import Path

import pytest
import torch
import yaml

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import ModelError
from datadeed.models.stored import load_model, save_model
from papers.base import Case
from papers.ensemble_inversion import pool
from papers.ensemble_inversion.networks import Small, small

PARAMS = yaml.safe_load(Path("papers/ensemble_inversion/params.yaml").read_text())
CASE = Case("toy", "small", "none", 1)


class Lab:
    """Parameters, and a training set of 60."""

    seed = 5

    def params(self, *keys: str) -> object:
        value = PARAMS
        for key in keys:
            value = value[key]
        return value

    def train(self, dataset: str) -> "Lab":
        return self

    def read(self) -> Dataset:
        samples = torch.zeros(60, 1, 9, 8, dtype=torch.uint8)
        return Dataset(samples, torch.arange(60) % 3, torch.arange(60), ("a", "b", "c"))


@pytest.mark.parametrize("name", [*PARAMS["architectures"], "evaluator"])
def test_every_architecture_is_stored_and_read_again(name: str, tmp_path: Path) -> None:
    given = PARAMS["architectures"].get(name, PARAMS["evaluator"])
    draw = torch.Generator().manual_seed(1)
    model = small(given, shape=(1, 9, 8), classes=3, generator=draw).eval()
    save_model(model, tmp_path, {})
    again = load_model(tmp_path, "cpu", Small).eval()
    x = torch.rand(2, 1, 9, 8, generator=draw)
    assert torch.allclose(again(x), model(x), atol=1e-6)  # in another memory order
    assert model.features(x).shape == (2, model.output_layer.in_features)


def test_architectures_that_there_are_not() -> None:
    base = PARAMS["architectures"]["lenet"]
    for wrong in (base | {"activation": "magic"}, base | {"pooling": "none"}, base | {"depth": 3}):
        with pytest.raises(ModelError, match="no architecture is"):
            small(wrong, shape=(1, 8, 8), classes=2, generator=torch.Generator())


def test_evaluator_and_members_share_no_image() -> None:
    parts = pool.shares(Lab(), CASE)  # type: ignore[arg-type]
    own, other = set(parts.members.index.tolist()), set(parts.evaluator.index.tolist())
    assert (len(own), len(other)) == (36, 24)
    assert not own & other
    halves = [
        set(pool.half(Lab(), CASE, name, parts.members).index.tolist())  # type: ignore[arg-type]
        for name in ("lenet-1", "lenet-2")
    ]
    assert [len(half) for half in halves] == [18, 18]
    assert halves[0] != halves[1]
    assert halves[0] | halves[1] <= own


def test_the_pool() -> None:
    names = pool.everybody(Lab())  # type: ignore[arg-type]
    assert len(names) == len(set(names)) == 15
    assert pool.architecture(Lab(), "lenet-7") == PARAMS["architectures"]["lenet"]  # type: ignore[arg-type]
    assert pool.architecture(Lab(), "mlp-relu")["hidden"] == 96  # type: ignore[arg-type]

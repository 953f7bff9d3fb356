"""Choosing a state by held-out samples."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import DatasetError, ParameterError
from datadeed.models.model import Model
from datadeed.models.training.loop import accuracy
from datadeed.thieves.repair.base import OnStep, Repair
from datadeed.thieves.repair.choice import repair, split_trusted
from datadeed.thieves.repair.inputs import ShrinkPad
from tests.conftest import toy
from tests.thieves.conftest import Backdoored


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Ruin(Repair):
    """Good at step 1, ruined at step 2."""

    name = "ruin"

    def _repair(
        self, model: Model, trusted: Dataset, generator: torch.Generator, on_step: OnStep
    ) -> Model:
        model.eval()
        on_step(1, model)
        with torch.no_grad():
            model.output_layer.weight.zero_()
            model.output_layer.bias.copy_(torch.tensor([1.0, 0.0, 0.0]))
        on_step(2, model)
        return model


class AllRuin(Ruin):
    """Ruined from the start."""

    def _repair(
        self, model: Model, trusted: Dataset, generator: torch.Generator, on_step: OnStep
    ) -> Model:
        return super()._repair(
            model, trusted, generator, lambda s, m: on_step(s, m) if s > 1 else None
        )


def test_the_last_state_within_the_budget_is_taken(backdoored: Backdoored) -> None:
    found = repair(backdoored.model, backdoored.trusted, Ruin(), generator=draw())
    assert found.step == 1
    assert list(found.tried) == [1, 2]
    assert found.held_out == 15
    assert found.after == found.before == found.tried[1]
    assert accuracy(found.model, backdoored.test) > 0.9


def test_nothing_within_the_budget_gives_the_suspect_back(backdoored: Backdoored) -> None:
    found = repair(backdoored.model, backdoored.trusted, AllRuin(), generator=draw())
    assert found.model is backdoored.model
    assert found.step is None
    assert found.after == found.before
    assert accuracy(found.model, backdoored.test) > 0.9


def test_the_whole_budget_may_be_spent(backdoored: Backdoored) -> None:
    found = repair(backdoored.model, backdoored.trusted, Ruin(), generator=draw(), budget=1.0)
    assert found.step == 2


def test_a_defence_of_inputs_is_chosen_like_any_other(backdoored: Backdoored) -> None:
    found = repair(backdoored.model, backdoored.trusted, ShrinkPad(), generator=draw(), budget=1.0)
    assert found.step == 0


@given(counts=st.lists(st.integers(1, 12), min_size=2, max_size=4), share=st.floats(0.05, 0.95))
def test_a_split_loses_nothing_and_leaves_every_class(counts: list[int], share: float) -> None:
    labels = torch.cat([torch.full((n,), k) for k, n in enumerate(counts)])
    data = toy(len(labels), classes=len(counts))
    data = data.replace(samples=data.samples, labels=labels)
    if all(int(share * n) == 0 for n in counts):
        with pytest.raises(DatasetError, match="too few"):
            split_trusted(data, share, draw())
        return
    tuning, held = split_trusted(data, share, draw())
    assert sorted([*tuning.index.tolist(), *held.index.tolist()]) == sorted(data.index.tolist())
    assert set(tuning.labels.tolist()) == set(range(len(counts)))
    assert torch.bincount(held.labels, minlength=len(counts)).tolist() == [
        int(share * n) for n in counts
    ]


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_a_share_that_leaves_nothing_is_refused(share: float) -> None:
    with pytest.raises(ParameterError, match="between 0 and 1"):
        split_trusted(toy(), share, draw())

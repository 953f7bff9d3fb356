"""Choosing members, on answers made by hand."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from datadeed.errors import ParameterError
from datadeed.thieves.inversion.choice import at_random, distances, farthest, nearest

# Models on a line: 0, 1, 2 and 10.
LINE = torch.tensor([0.0, 1.0, 2.0, 10.0])
APART = (LINE[:, None] - LINE[None, :]).abs()


def test_distances_are_the_mean_l1_over_probes() -> None:
    answers = torch.tensor([[[1.0, 0.0], [0.5, 0.5]], [[0.0, 1.0], [0.5, 0.5]]])
    assert distances(answers).tolist() == [[0, 1], [1, 0]]


def test_farthest_takes_the_far_end_and_then_the_middle() -> None:
    assert farthest(APART, 2, 0) == [0, 3]
    assert farthest(APART, 3, 0) == [0, 3, 2]
    assert farthest(APART, 4, 1) == [1, 3, 0, 2]


def test_nearest_stays_close() -> None:
    assert nearest(APART, 3, 0) == [0, 1, 2]
    assert nearest(APART, 3, 3) == [3, 2, 1]


def test_copies_are_taken_last() -> None:
    same = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    assert farthest(same, 3, 0) == [0, 2, 1]
    assert nearest(same, 2, 1) == [1, 0]


def test_too_many_are_refused() -> None:
    with pytest.raises(ParameterError, match="5 models from number 0 on were asked of 4"):
        farthest(APART, 5, 0)
    with pytest.raises(ParameterError, match="2 models from number 3 on were asked of 3"):
        at_random(2, 3, 3, torch.Generator())


@given(st.integers(2, 7), st.data())
def test_every_choice_is_of_different_models(models: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, models))
    start = data.draw(st.integers(0, models - 1))
    draw = torch.Generator().manual_seed(data.draw(st.integers(0, 99)))
    points = torch.rand(models, 3, generator=draw)
    apart = torch.cdist(points, points)
    picks = (farthest(apart, count, start), nearest(apart, count, start))
    for chosen in (*picks, at_random(count, models, start, draw)):
        assert chosen[0] == start
        assert len(set(chosen)) == len(chosen) == count
    # A greedy k-centre leaves no model farther than the smallest gap among the chosen.
    if 1 < count < models:
        among = apart[picks[0]][:, picks[0]] + 9 * torch.eye(count)
        assert apart[:, picks[0]].min(1).values.max() <= among.min() + 1e-6

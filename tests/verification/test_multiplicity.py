import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from datadeed.errors import VerificationError
from datadeed.verification.multiplicity import e_bh, familywise_threshold

LOGS = hnp.arrays(np.float64, st.integers(1, 30), elements=st.floats(-5, 12))


def by_definition(log_e, level):
    """k is the largest number for which k e-values or more are at least M / (k level)."""
    bar = None
    for k in range(1, len(log_e) + 1):
        candidate = math.log(len(log_e) / level) - math.log(k)
        if sum(value >= candidate for value in log_e) >= k:
            bar = candidate
    return [bar is not None and value >= bar for value in log_e]


@given(LOGS, st.sampled_from([0.01, 0.05, 0.5]))
def test_e_bh_is_its_definition(log_e, level):
    assert e_bh(log_e, level).tolist() == by_definition(log_e, level)


@pytest.mark.parametrize(
    ("e", "accused"),
    [
        ([100, 1, 1, 1], 1),  # 4 / .05 = 80
        ([79, 1, 1, 1], 0),
        ([41, 41, 1, 1], 2),  # 4 / (2 * .05) = 40
        ([21, 22, 23, 24], 4),
        ([math.inf, 0, 0, 0], 1),
    ],
)
def test_e_bh_by_hand(e, accused):
    with np.errstate(divide="ignore"):
        found = e_bh(np.log(e), 0.05)
    assert found.sum() == accused
    assert found[: accused or 1].tolist() == [accused > 0] * (accused or 1)


@given(LOGS, st.randoms(use_true_random=False))
def test_the_order_of_suspects_does_not_matter(log_e, random):
    order = list(range(len(log_e)))
    random.shuffle(order)
    np.testing.assert_array_equal(e_bh(log_e[order], 0.1), e_bh(log_e, 0.1)[order])


def test_one_suspect_needs_what_it_would_alone():
    assert familywise_threshold(0.01, 1) == pytest.approx(100)
    assert familywise_threshold(1e-6, 25) == pytest.approx(2.5e7)
    assert e_bh(np.array([math.log(101)]), 0.01).tolist() == [True]
    assert e_bh(np.array([math.log(99)]), 0.01).tolist() == [False]


@pytest.mark.parametrize("level", [0, 1, -0.1, math.nan])
def test_bad_levels_are_refused(level):
    for make in (lambda v: familywise_threshold(v, 3), lambda v: e_bh(np.zeros(2), v)):
        with pytest.raises(VerificationError, match="strictly between"):
            make(level)


@pytest.mark.parametrize("log_e", [[], [math.nan], [[1.0]]])
def test_bad_values_are_refused(log_e):
    with pytest.raises(VerificationError, match="each suspect"):
        e_bh(np.array(log_e), 0.05)


def test_no_suspects_are_refused():
    with pytest.raises(VerificationError, match="0 suspects"):
        familywise_threshold(0.05, 0)

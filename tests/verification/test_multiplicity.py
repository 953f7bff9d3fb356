import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from datadeed.errors import VerificationError
from datadeed.verification.multiplicity import ELond, e_bh, familywise_threshold

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


def test_a_stream_spends_its_level_once_and_earns_with_each_find():
    stream = ELond(0.05)
    assert stream.threshold == pytest.approx(40)
    assert not stream.update(math.log(39))
    assert stream.threshold == pytest.approx(120)
    assert stream.update(math.log(121))
    assert (stream.tested, stream.rejected) == (2, 1)
    assert stream.threshold == pytest.approx(3 * 4 / 0.05 / 2)
    assert stream.update(math.inf)
    spent = sum(1 / (t * (t + 1)) for t in range(1, 10_000))
    assert spent == pytest.approx(1, abs=2e-4)
    assert spent < 1


def test_a_stream_of_innocents_with_the_sharpest_e_values_is_rarely_accused():
    """E is 1/p_t with chance p_t, made to reach each bar as often as a null may: at most .1."""
    draw, false = np.random.default_rng(0), 0
    for _ in range(2000):
        stream = ELond(0.1)
        for _ in range(30):
            bar = stream.threshold
            stream.update(math.log(bar) + 1e-12 if draw.random() < 1 / bar else -math.inf)
        false += stream.rejected > 0
    assert 0.07 < false / 2000 < 0.1 + 3 * (0.09 / 2000) ** 0.5


@pytest.mark.parametrize("level", [0, 1, -0.1, math.nan])
def test_bad_levels_are_refused(level):
    for make in (ELond, lambda v: familywise_threshold(v, 3), lambda v: e_bh(np.zeros(2), v)):
        with pytest.raises(VerificationError, match="strictly between"):
            make(level)


@pytest.mark.parametrize("log_e", [[], [math.nan], [[1.0]]])
def test_bad_values_are_refused(log_e):
    with pytest.raises(VerificationError, match="each suspect"):
        e_bh(np.array(log_e), 0.05)


def test_other_bad_values_are_refused():
    with pytest.raises(VerificationError, match="0 suspects"):
        familywise_threshold(0.05, 0)
    with pytest.raises(VerificationError, match="not a number"):
        ELond(0.05).update(math.nan)

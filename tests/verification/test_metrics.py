import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from datadeed.errors import VerificationError
from datadeed.verification import metrics
from datadeed.verification.metrics import Rate


@given(n=st.integers(1, 300), share=st.floats(0, 1), level=st.sampled_from([0.9, 0.95, 0.99]))
def test_the_interval_is_clopper_and_pearsons(n, share, level):
    hits = round(share * n)
    rate, tail = Rate(hits, n, level), (1 - level) / 2
    low = stats.beta.ppf(tail, hits, n - hits + 1) if hits else 0
    high = stats.beta.ppf(1 - tail, hits + 1, n - hits) if hits < n else 1
    assert rate.interval == pytest.approx((low, high), abs=1e-8)
    assert rate.value == hits / n
    assert rate.interval[0] <= rate.value <= rate.interval[1]


def test_the_interval_covers_as_often_as_it_says():
    """20,000 draws of Bin(40, 0.3): coverage at least 0.95 less 3 binomial sd."""
    draws = np.random.default_rng(1).binomial(40, 0.3, 20_000)
    ends = [Rate(k, 40).interval for k in range(41)]
    covered = np.mean([ends[k][0] <= 0.3 <= ends[k][1] for k in draws])
    assert covered >= 0.95 - 3 * (0.95 * 0.05 / 20_000) ** 0.5


@pytest.mark.parametrize(("hits", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_a_rate_of_nothing_is_refused(hits, n):
    with pytest.raises(VerificationError, match=f"a rate of {hits} in {n} cannot be"):
        Rate(hits, n)


def test_a_record_says_all():
    assert metrics.rate(np.array([True, False, False, True])).record() == {
        "value": 0.5,
        "hits": 2,
        "n": 4,
        "low": pytest.approx(0.0675860),
        "high": pytest.approx(0.9324140),
        "level": 0.95,
    }


def test_rates_by_hand(make_answers):
    answers = make_answers([2, 2, 0, 2, 1], label=[0, 1, 0, 2, 2], clean=[0, 2, 0, 2, 0], target=2)
    assert metrics.benign_accuracy(answers) == Rate(3, 5)
    assert metrics.watermark_success_rate(answers) == Rate(2, 3)
    assert metrics.watermark_success_rate_as_released(answers) == Rate(3, 5)


@given(
    rows=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40),
    target=st.integers(0, 3),
)
def test_the_released_success_rate_mixes_in_the_target_class(make_answers, rows, target):
    """as released = s h_t + (1 - s) WSR; s: share of the target class, h_t: its hit rate."""
    label, hit = np.array(rows).T
    answers = make_answers(hit, label=label, target=target)
    own = label == target
    released = metrics.watermark_success_rate_as_released(answers).value
    if own.all():
        with pytest.raises(VerificationError, match="a rate of 0 in 0"):
            metrics.watermark_success_rate(answers)
        return
    success = metrics.watermark_success_rate(answers).value
    of_own = (hit[own] == target).mean() if own.any() else 0
    assert released == pytest.approx(own.mean() * of_own + (1 - own.mean()) * success)


def test_attack_success_by_hand(make_answers):
    """Targeted: rows of the target class are left out. Untargeted: every wrong label counts."""
    label, clean, triggered = [0, 1, 0, 2, 1], [0, 2, 0, 2, 1], [2, 2, 0, 2, 0]
    targeted = make_answers(triggered, label=label, clean=clean, target=2)
    assert metrics.attack_success(targeted).tolist() == [True, True, False, True, False]
    assert metrics.attack_success_rate(targeted) == Rate(2, 4)
    assert metrics.attack_success_rate_correct(targeted) == Rate(1, 3)
    untargeted = make_answers(triggered, label=label, clean=clean, target=None)
    assert metrics.attack_success(untargeted).tolist() == [True, True, False, False, True]
    assert metrics.attack_success_rate(untargeted) == Rate(3, 5)
    assert metrics.attack_success_rate_correct(untargeted) == Rate(2, 4)


ROWS = st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=1, max_size=40)


@given(rows=ROWS)
def test_attack_success_keeps_its_promises(make_answers, rows):
    """Over all samples the untargeted rate is 1 less the triggered accuracy; ASR-C needs BA."""
    label, clean, triggered = np.array(rows).T
    answers = make_answers(triggered, label=label, clean=clean, target=None)
    right = metrics.benign_accuracy(answers).hits
    assert metrics.attack_success_rate(answers).value == pytest.approx((triggered != label).mean())
    if right == 0:
        with pytest.raises(VerificationError, match="a rate of 0 in 0"):
            metrics.attack_success_rate_correct(answers)
    else:
        assert metrics.attack_success_rate_correct(answers).n == right
    targeted = make_answers(triggered, label=label, clean=clean, target=3)
    if (label != 3).any():
        assert metrics.attack_success_rate(targeted) == metrics.watermark_success_rate(targeted)


def test_a_success_rate_without_a_target_is_refused(make_answers):
    answers = make_answers([0, 1], target=None)
    for compute in (metrics.watermark_success_rate, metrics.watermark_success_rate_as_released):
        with pytest.raises(VerificationError, match="of an untargeted watermark"):
            compute(answers)

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from datadeed.errors import VerificationError
from datadeed.verification.sequential import (
    BettingProcess,
    ConfidenceSequence,
    StartDayMixture,
    bet_fractions,
    log_mean_exp,
)

OUTCOMES = st.lists(st.floats(0, 1), max_size=40)


def run(outcomes, null_mean=0.25, **options):
    process = BettingProcess(null_mean, **options)
    for outcome in outcomes:
        process.update(outcome)
    return process


def sequence(outcomes, alpha=0.05, **options):
    found = ConfidenceSequence(alpha, **options)
    for outcome in outcomes:
        found.update(outcome)
    return found


def test_one_bet_by_hand():
    """One bet stakes sin^2(pi/4) = 1/2; at a null mean of 1/4 a hit pays 1/2 + 2, a miss 1/2."""
    process = BettingProcess(0.25, bets=1)
    assert process.log_e == 0
    assert process.update(1) == pytest.approx(math.log(2.5))
    assert process.update(0) == pytest.approx(math.log(1.25))
    assert process.update(0.25) == pytest.approx(math.log(1.25))
    assert (process.n, process.log_e_max) == (3, pytest.approx(math.log(2.5)))


def test_without_replacement_by_hand():
    """Four values, mean at most 1/2: after a hit the three left have a mean of at most 1/3."""
    process = BettingProcess(0.5, population=4, bets=1)
    assert process.update(1) == pytest.approx(math.log(1.5))
    assert process.update(0) == pytest.approx(math.log(0.75))
    assert process.update(1) == pytest.approx(math.log(0.75 * 1.5), abs=1e-6)  # left: 1 hit in 2


@given(st.floats(0.01, 0.99), st.integers(1, 60))
def test_each_step_is_fair_at_the_boundary(null_mean, bets):
    """E[factor] = 1 for a coin of exactly the null rate, whatever came before."""
    hit, miss = (run([1, 0, 0.5, y], null_mean, bets=bets).log_e for y in (1, 0))
    before = run([1, 0, 0.5], null_mean, bets=bets).log_e
    mean = null_mean * math.exp(hit - before) + (1 - null_mean) * math.exp(miss - before)
    assert mean == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize(("size", "hits"), [(4, 2), (6, 2), (10, 3), (7, 6)])
def test_the_mean_over_all_orders_of_a_pool_is_one_at_most(size, hits):
    """Every order of a pool at the boundary, brute force; no order refutes a true null."""
    orders = [o for o in np.ndindex(*(2,) * size) if sum(o) == hits]
    values = [run(order, hits / size, population=size).log_e for order in orders]
    assert np.isfinite(values).all()
    assert np.exp(values).mean() <= 1
    first = [run(order[:2], hits / size, population=size).log_e for order in orders]
    assert np.exp(first).mean() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.7])
def test_rounding_never_refutes_a_null_at_its_boundary(rate):
    """0.3 * 450 is not 135 in binary; the 135 hits that the null allows come first."""
    hits = round(450 * rate)
    process = run([1] * hits, rate, population=450)
    assert math.isfinite(process.log_e)
    assert process.update(1) == math.inf == process.log_e_max
    assert process.update(0) == math.inf  # for good


def test_no_bet_where_the_null_allows_anything():
    """Four values, mean at most 0.9: after two misses the null allows 1.8 a draw."""
    process = run([0, 0], 0.9, population=4)
    before = process.log_e
    assert [process.update(1), process.update(0.2)] == [before, before]


@given(OUTCOMES)
def test_the_order_of_outcomes_does_not_matter_outside_a_pool(outcomes):
    assert run(outcomes).log_e == pytest.approx(run(outcomes[::-1]).log_e, abs=1e-9)


def test_all_hits_and_no_hits():
    """The best bet stakes nearly all: a hit pays 4. Its share of the mixture is 1/40."""
    sure, never = run([1] * 30), run([0] * 30)
    assert 30 * math.log(4) - math.log(40) - 0.1 < sure.log_e < 30 * math.log(4)
    assert never.log_e < -1
    assert never.log_e_max == 0


@given(OUTCOMES, OUTCOMES, st.sampled_from([None, 80, 200]))
def test_a_restart_is_bit_equal(first, then, population):
    whole = run(first + then, 0.25, population=population)
    state = json.loads(json.dumps(run(first, 0.25, population=population).state(), allow_nan=False))
    resumed = BettingProcess.restore(state)
    for outcome in then:
        resumed.update(outcome)
    assert (resumed.n, resumed.log_e, resumed.log_e_max) == (whole.n, whole.log_e, whole.log_e_max)
    assert resumed.state() == whole.state()


def test_a_refuted_null_stays_refuted_after_a_restart():
    state = run([1] * 6, 0.5, population=10).state()
    found = BettingProcess.restore(json.loads(json.dumps(state, allow_nan=False)))
    assert found.log_e == found.log_e_max == math.inf


@pytest.mark.parametrize(
    "change",
    [
        {"log_wealth": [0.0]},
        {"log_wealth": [math.nan] * 40},
        {"log_wealth": None},
        {"bets": 10**12},
        {"n": -1},
        {"n": math.inf},
        {"n": 30},
        {"total": 3.5},
        {"total": "x"},
        {"log_e_max": -1.0},
        {"null_mean": 2},
        {"population": 0},
    ],
)
def test_a_damaged_state_is_refused(change):
    with pytest.raises(VerificationError):
        BettingProcess.restore({**run([1, 0, 1], population=20).state(), **change})


@pytest.mark.parametrize("state", [{}, [], None, "x"])
def test_what_is_no_state_is_refused(state):
    with pytest.raises(VerificationError, match="start anew"):
        BettingProcess.restore(state)


@pytest.mark.parametrize("outcome", [-0.01, 1.01, math.nan, math.inf])
def test_an_outcome_out_of_range_is_refused_and_changes_nothing(outcome):
    process, bounds = run([1, 0]), sequence([1, 0])
    before = process.state()
    with pytest.raises(VerificationError, match="from 0 to 1"):
        process.update(outcome)
    with pytest.raises(VerificationError, match="from 0 to 1"):
        bounds.update(0, outcome)
    with pytest.raises(VerificationError, match="from 0 to 1"):
        StartDayMixture(0.2).update_day([0, outcome])
    assert (process.state(), bounds.n) == (before, 2)


def test_a_population_cannot_be_asked_twice():
    process, bounds = run([0, 1], population=2), sequence([0, 1], population=2)
    with pytest.raises(VerificationError, match="all 2"):
        process.update(0)
    with pytest.raises(VerificationError, match="all 2"):
        bounds.update(0)


@pytest.mark.parametrize("mean", [0, 1, -1, math.nan])
def test_arguments_out_of_range_are_refused(mean):
    for make in (BettingProcess, ConfidenceSequence, StartDayMixture):
        with pytest.raises(VerificationError, match="strictly between"):
            make(mean)
    with pytest.raises(VerificationError, match="bets"):
        BettingProcess(0.5, bets=0)
    with pytest.raises(VerificationError, match="population"):
        ConfidenceSequence(0.5, population=0)


@settings(max_examples=40)
@given(st.lists(st.booleans(), min_size=1, max_size=30), st.sampled_from([None, 60]))
def test_the_bounds_only_tighten_and_mirror_each_other(hits, population):
    bounds, mirror = (ConfidenceSequence(0.05, population=population) for _ in range(2))
    low, high = 0.0, 1.0
    for hit in hits:
        now = bounds.update(hit)
        assert low <= now[0] <= 1
        assert 0 <= now[1] <= high
        low, high = now
        mirror.update(1 - hit)
    assert (mirror.low, mirror.high) == pytest.approx((1 - high, 1 - low), abs=1e-12)


@pytest.mark.parametrize("population", [None, 90])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_lower_end_is_where_betting_stops_rejecting(population, seed):
    """Duality: a mean below the end was rejected at alpha/2 at some look, one above it never."""
    hits = np.random.default_rng(seed).random(60) < 0.4
    low = sequence(hits, 0.05, population=population).low
    assert low > 0.1
    bar = math.log(2 / 0.05)
    assert run(hits, low - 1e-6, population=population).log_e_max >= bar
    assert run(hits, low + 1e-6, population=population).log_e_max < bar


def test_a_failed_query_helps_neither_end():
    answered = sequence([1, 0, 1, 0] * 6)
    failed = sequence([1, 0, 1, 0] * 6)
    failed.update(0, 1)
    assert (failed.low, failed.high) == (answered.low, answered.high)
    only = ConfidenceSequence(0.05)
    for _ in range(50):
        only.update(0, 1)
    assert (only.low, only.high) == (0, 1)


def test_a_pool_asked_to_its_end_is_known():
    """Every mean but the true one is refuted with certainty by the last draw."""
    bounds = sequence([1, 0, 0, 1, 0] * 4, population=20)
    assert (bounds.low, bounds.high) == pytest.approx((0.4, 0.4), abs=1e-8)


@pytest.mark.parametrize("outcomes", [[1] * 5, [0] * 20, [1] * 20, [0, 1, 0, 0] * 10])
def test_the_sequence_is_wider_than_an_interval_for_one_look(outcomes):
    bounds = sequence(outcomes, 0.05)
    exact = stats.binomtest(sum(outcomes), len(outcomes)).proportion_ci(0.95, method="exact")
    assert bounds.low <= exact.low + 1e-9
    assert bounds.high >= exact.high - 1e-9
    assert bounds.high - bounds.low < 1


def test_the_start_day_mixture_is_the_sum_over_start_days():
    """By definition: sum_s w_s (product from day s on) plus the weight of the days to come."""
    days = [[1, 0], [], [1, 1, 0.5], [0]]
    mixture = StartDayMixture(0.3)
    for d in range(1, len(days) + 1):
        expected = 1 / (d + 1)
        for s in range(1, d + 1):
            outcomes = [y for day in days[s - 1 : d] for y in day]
            expected += math.exp(run(outcomes, 0.3).log_e) / (s * (s + 1))
        assert mixture.update_day(days[d - 1]) == pytest.approx(math.log(expected))
    assert mixture.day == 4
    assert mixture.log_e_max >= max(0, mixture.log_e)


def test_a_change_on_day_100_is_seen_within_days_not_weeks():
    """statistics.md B (vi): 10 a day, hits .95 from day 101: 2 days; a plain product, 38."""
    draw = np.random.default_rng(0)
    mixture, plain = StartDayMixture(0.25), BettingProcess(0.25)
    found = {}
    for day in range(1, 160):
        hits = draw.random(10) < (0.05 if day <= 100 else 0.95)
        for hit in hits:
            plain.update(hit)
        log_e = {"mixture": mixture.update_day(hits), "plain": plain.log_e}
        for name, value in log_e.items():
            if value >= math.log(100):
                found.setdefault(name, day)
    assert 101 <= found["mixture"] <= 103
    assert 125 <= found["plain"] <= 150


def test_helpers():
    fractions = bet_fractions(40)
    assert fractions[0] + fractions[-1] == pytest.approx(1)
    assert (np.diff(fractions) > 0).all()
    assert log_mean_exp(np.array([1000.0, 1000.0])) == 1000

"""Figures are those of the specification (section B), within 4 standard deviations."""

from functools import partial

import numpy as np
import pytest

from datadeed.verification import simulations as ours
from datadeed.verification import simulations_published as published
from datadeed.verification.keylabels import part_weights
from datadeed.verification.published import dvbw_probability_test
from datadeed.verification.sequential import BettingProcess, ConfidenceSequence, StartDayMixture
from datadeed.verification.simulations_queries import (
    behaviour_queries,
    key_queries,
    marked,
    marked_queries,
)

R = 1000


def share(play, level, repetitions=R, seed=0, **options):
    found = play(np.random.default_rng(seed), repetitions, level, **options)
    assert found.shape == (repetitions,)
    assert found.dtype == bool
    return found.mean()


def sd(rate, repetitions=R):
    return (rate * (1 - rate) / repetitions) ** 0.5


@pytest.mark.parametrize("pool", [False, True])
def test_many_sequences_at_once_cross_when_each_would(pool):
    outcomes = np.random.default_rng(0).random((40, 60)) < 0.45
    null_mean, alpha = 0.3, 0.2
    expected = []
    for row in outcomes:
        process = BettingProcess(null_mean, population=60 if pool else None)
        path = [process.update(hit) for hit in row]
        expected.append(next((i + 1 for i, e in enumerate(path) if e >= np.log(5)), 61))
    assert 1 < min(expected) < max(expected) == 61 or pool
    found = ours.first_crossing(outcomes, null_mean, alpha, pool=pool)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("pool", [False, True])
def test_a_miss_of_the_sequence_is_what_its_processes_say(pool):
    """Play the same draws through ConfidenceSequence itself."""
    missed = ours.sequence_miss(np.random.default_rng(5), 24, 0.6, hits=10, size=40, pool=pool)
    draw = np.random.default_rng(5)
    drawn = ours._pools(draw, 24, 10, 40) if pool else draw.random((24, 40)) < 0.25
    for row, expected in zip(drawn, missed, strict=True):
        bounds = ConfidenceSequence(0.6, population=40 if pool else None)
        # A pool asked to its end is known exactly: both ends then touch the mean.
        looks = [bounds.update(hit) for hit in (row[:-1] if pool else row)]
        assert any(low > 0.25 + 1e-6 or high < 0.25 - 1e-6 for low, high in looks) == expected
    assert 0 < missed.sum() < 24


def test_the_start_day_mixture_is_the_one_under_test():
    found = ours.start_day(np.random.default_rng(2), 50, 0.5, rate=0.25, days=12, queries=3)
    draw = np.random.default_rng(2)
    hits = np.stack([draw.binomial(3, 0.25, 50) for _ in range(12)], 1)
    for row, expected in zip(hits, found, strict=True):
        mixture = StartDayMixture(0.25)
        for k in row:
            mixture.update_day([1] * k + [0] * (3 - k))
        assert (mixture.log_e_max >= np.log(2)) == expected
    assert 0 < found.sum() < 50


@pytest.mark.parametrize(
    ("play", "level", "least"),
    [
        (partial(ours.betting, rate=0.25, looks=300), 0.05, 0.01),
        (partial(ours.betting_pool, hits=50, size=200), 0.05, 0.01),
        (partial(ours.betting_skewed, m=300), 0.05, 0),
        (partial(ours.sequence_miss, hits=50, size=200, pool=False), 0.05, 0.005),
        (partial(ours.sequence_miss, hits=50, size=200, pool=True), 0.05, 0.005),
        (partial(ours.start_day, rate=0.25, days=100, queries=10), 0.05, 0.001),
        (partial(ours.key_labels, innocent=ours.confused, classes=10), 0.05, 0.001),
        (partial(ours.key_labels, innocent=ours.shifted, classes=10), 0.05, 0.001),
        (partial(ours.key_labels, innocent=ours.confused, classes=2), 0.05, 0.01),
        (partial(ours.key_labels, innocent=ours.shifted, classes=2), 0.05, 0.01),
        (partial(ours.decoy_rank, hot=0.2, decoys=19, m=10), 0.05, 0.01),
        (partial(ours.elimination, hot=0.2, decoys=19), 0.05, 0.02),
        (partial(ours.coins, hot=0.2, parts=12, votes=9), 0.05, 0.001),
        (partial(ours.conformal, models=19), 0.05, 0.02),
        (
            partial(ours.false_discovery, suspects=50, thieves=5, null_rate=0.25, m=60),
            0.05,
            0,
        ),
    ],
)
def test_our_levels_hold_at_the_boundary_and_are_not_empty(play, level, least):
    found = share(play, level)
    assert least <= found <= level + 3 * sd(level)


def test_images_of_the_target_class_left_out_break_the_key_layer():
    """Why Layer K may not look at the target: 2 classes, an innocent model is always accused."""
    rate = share(ours.key_labels, 0.01, 200, innocent=ours.shifted_excluding, classes=2)
    assert rate == 1


@pytest.mark.parametrize(
    ("innocent", "classes", "low", "high"),
    [
        (ours.shifted, 2, 0.999, 1.001),
        (ours.shifted, 10, 0.999, 1.001),
        (ours.shifted_excluding, 2, 1.6, 1.9),
        (ours.shifted_excluding, 10, 1.03, 1.15),
    ],
)
def test_the_mean_factor_is_one_unless_the_images_know_the_target(innocent, classes, low, high):
    """Exact over the target where it is independent; C1 gives 1.03-1.09 and 1.60-1.83 if not."""
    answers, target = innocent(np.random.default_rng(1), 40_000, 9, classes)
    counts, used = ours.blind_votes(answers, classes)
    weights = classes * part_weights(counts)
    factors = weights[np.arange(len(target)), target]
    if innocent is ours.shifted:
        factors = weights.mean(1)  # over all targets: exactly one
    assert low <= factors.mean() <= high
    assert 2 <= used.min() <= used.max() <= 9


def test_voting_stops_at_the_lead_and_not_before():
    answers = np.array([[3, 3, 1, 1], [0, 1, 0, 0], [0, 1, 0, 1], [2, 1, 2, 0]])
    counts, used = ours.blind_votes(answers, 4)
    assert used.tolist() == [2, 4, 4, 4]
    expected = [[0, 0, 0, 2], [3, 1, 0, 0], [2, 2, 0, 0], [1, 1, 2, 0]]
    np.testing.assert_array_equal(counts, expected)
    moved, same = ours.blind_votes(np.array([1, 3, 0, 2])[answers], 4)
    np.testing.assert_array_equal(same, used)  # renumbering the classes
    np.testing.assert_array_equal(moved[:, [1, 3, 0, 2]], counts)


@pytest.mark.parametrize(
    ("setting", "queries", "power"),
    [
        ((10, 0.95, 3, 5), 6.6, 0.999),
        ((10, 0.5, 6, 5), 24.0, 0.934),
        ((10, 0.3, 6, 15), 52.9, 0.625),
        ((100, 0.5, 3, 5), 12.2, 0.965),
    ],
)
def test_the_cost_of_a_key(setting, queries, power):
    """B (viii), all parts asked."""
    classes, rate, parts, votes = setting
    draw = np.random.default_rng(0)
    play = partial(marked, draw, 3000, votes, classes, rate=rate)
    log_e, used = ours.key_layer(play, parts, classes)
    assert used[:, -1].mean() == pytest.approx(queries, rel=0.03)
    assert (log_e[:, -1] >= np.log(100)).mean() == pytest.approx(power, abs=5 * sd(power, 3000))


def test_asking_stops_once_passed_or_out_of_reach():
    log_e = np.log([[50.0, 200, 2000], [1, 5, 20], [0.1, 0.1, 0.1], [5, 40, 300]])
    queries = np.array([[2, 4, 6]] * 4)
    asked, passed = key_queries(log_e, queries, 0.01, most=10)
    assert asked.tolist() == [4, 4, 2, 6]
    assert passed.tolist() == [True, False, False, True]


def test_early_stopping_costs_no_power():
    asked, passed = marked_queries(np.random.default_rng(0), R, 1e-6, rate=0.95, classes=10)
    assert passed.mean() > 0.99
    assert 16 < asked.mean() < 19  # 26.5 if all twelve parts are asked


@pytest.mark.parametrize(
    ("rate", "null_rate", "queries"), [(0.95, 0.25, 5.6), (0.5, 0.25, 41.7), (0.5, 0.05, 7.1)]
)
def test_the_cost_of_the_behaviour_layer(rate, null_rate, queries):
    """B (ii), mean queries until E reaches 100."""
    asked, passed = behaviour_queries(
        np.random.default_rng(0), R, 0.01, rate=rate, null_rate=null_rate, budget=600
    )
    assert passed.all()
    assert asked.mean() == pytest.approx(queries, rel=0.08)


def test_a_lost_behaviour_layer_costs_its_budget():
    asked, passed = behaviour_queries(
        np.random.default_rng(0), 50, 1e-9, rate=0.05, null_rate=0.5, budget=30
    )
    assert (asked == 30).all()
    assert not passed.any()


@pytest.mark.parametrize(
    ("play", "level", "expected"),
    [
        (partial(published.t_test_skewed, m=100), 0.01, 0.368),
        (partial(published.t_test_skewed, m=20), 0.01, 0.819),
        (partial(published.t_test_daily, m=100, days=1), 0.05, 0.044),
        (partial(published.t_test_daily, m=100, days=7), 0.05, 0.292),
        (partial(published.t_test_daily, m=100, days=365), 0.05, 1),
        (partial(published.t_test_daily, m=100, days=100), 0.1, 1),
        (partial(published.t_test_hot_triggers, m=100, hot=0.2), 0.05, 0.184),
        (partial(published.released_label_value, m=100, target=0), 0.05, 0),
        (partial(published.released_label_value, m=10, target=4), 0.05, 0.048),
        (partial(published.released_label_value_neighbours, m=100), 0.05, 1),
        (partial(published.conformal_trimmed, models=100), 0.05, 0.24),
    ],
)
def test_the_published_tests_err_as_the_specification_says(play, level, expected):
    assert share(play, level, 2000) == pytest.approx(expected, abs=5 * sd(expected, 2000) + 1e-9)


def test_the_fast_t_test_is_the_published_one(make_answers):
    draw = np.random.default_rng(0)
    for _ in range(20):
        before = draw.random(30) * 0.4
        after = np.clip(before + draw.normal(0.25, 0.2, 30), 0, 1)
        p = dvbw_probability_test(make_answers([0] * 30, before=before, after=after), ours.TAU)
        difference = after - before
        for level in (0.01, 0.05, 0.5):
            found = published.t_rejects(difference.mean(), difference.var(ddof=1), 30, level)
            assert bool(found) == (p < level)


def test_equal_differences_are_an_infinite_t_statistic():
    zero = np.zeros(2)
    assert published.t_rejects(np.array([0.21, 0.19]), zero, 30, 0.01).tolist() == [True, False]

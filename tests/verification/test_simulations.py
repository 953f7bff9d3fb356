"""Figures are those of the specification (section B), within 4 standard deviations."""

from functools import partial

import numpy as np
import pytest

from datadeed.verification.sequential import BettingProcess
from datadeed.verification.simulations import (
    behaviour_queries,
    blind_votes,
    first_crossing,
    key_layer,
    key_queries,
    marked,
    marked_queries,
)

R = 1000


def sd(rate, repetitions):
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
    found = first_crossing(outcomes, null_mean, alpha, pool=pool)
    np.testing.assert_array_equal(found, expected)


def test_voting_stops_at_the_lead_and_not_before():
    answers = np.array([[3, 3, 1, 1], [0, 1, 0, 0], [0, 1, 0, 1], [2, 1, 2, 0]])
    counts, used = blind_votes(answers, 4)
    assert used.tolist() == [2, 4, 4, 4]
    expected = [[0, 0, 0, 2], [3, 1, 0, 0], [2, 2, 0, 0], [1, 1, 2, 0]]
    np.testing.assert_array_equal(counts, expected)
    moved, same = blind_votes(np.array([1, 3, 0, 2])[answers], 4)
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
    log_e, used = key_layer(play, parts, classes)
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

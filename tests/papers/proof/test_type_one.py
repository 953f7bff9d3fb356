"""Figures are those of the specification (section B), within 4 standard deviations."""

from functools import partial

import numpy as np
import pytest

from datadeed.verification.keylabels import part_weights
from datadeed.verification.published import dvbw_probability_test
from datadeed.verification.sequential import ConfidenceSequence, StartDayMixture
from datadeed.verification.simulations import blind_votes
from papers.proof import type_one as ours
from papers.proof import type_one_published as published

R = 1000


def share(play, level, repetitions=R, seed=0, **options):
    found = play(np.random.default_rng(seed), repetitions, level, **options)
    assert found.shape == (repetitions,)
    assert found.dtype == bool
    return found.mean()


def sd(rate, repetitions=R):
    return (rate * (1 - rate) / repetitions) ** 0.5


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
    counts, used = blind_votes(answers, classes)
    weights = classes * part_weights(counts)
    factors = weights[np.arange(len(target)), target]
    if innocent is ours.shifted:
        factors = weights.mean(1)  # over all targets: exactly one
    assert low <= factors.mean() <= high
    assert 2 <= used.min() <= used.max() <= 9


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

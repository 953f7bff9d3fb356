"""A hundred repetitions on one pool are far fewer tests: simulated where the null just holds."""

import numpy as np
import pytest

from datadeed.verification.tang import Settings, effective_repetitions, significant_repetitions

SETTINGS = Settings(m=50)


def play(pools, *, pool, settings=SETTINGS, draw=lambda rng, size: rng.standard_normal(size)):
    """The WDR of many pools; ``draw`` gives rises less the certainty, symmetric around 0."""
    rng = np.random.default_rng(0)
    found = [significant_repetitions(rng, draw(rng, pool), settings) for _ in range(pools)]
    return np.array(found) / settings.repetitions


def dependence(detection_rates):
    """How WDRs scatter beside as many independent tests, and how often they accuse."""
    mean, variance = detection_rates.mean(), detection_rates.var()
    return {
        "mean": mean,
        "variance": variance,
        "variance_if_independent": mean * (1 - mean) / SETTINGS.repetitions,
        "effective": mean * (1 - mean) / variance,  # independent tests with that variance
        "always": (detection_rates == 1).mean(),  # the type-I error of the rule "WDR = 100 %"
        "ever": (detection_rates > 0).mean(),
    }


def test_a_pool_that_is_one_draw_is_one_test():
    """The repetitions agree, and the rule "WDR = 100 %" has the level of a single test."""
    found = dependence(play(400, pool=50))
    assert found["effective"] == pytest.approx(1)
    assert found["always"] == found["ever"] == found["mean"]
    assert abs(found["always"] - 0.05) < 4 * (0.05 * 0.95 / 400) ** 0.5


@pytest.mark.parametrize(("pool", "expected"), [(100, 4.7), (500, 28)])
def test_repetitions_scatter_like_the_fewer_tests_that_theory_says(pool, expected):
    """The variance of a WDR, over 300 pools, beside that of 100 independent tests."""
    assert effective_repetitions(pool, SETTINGS) == pytest.approx(expected, rel=0.02)
    found = dependence(play(300, pool=pool))
    assert abs(found["mean"] - 0.05) < 4 * (found["variance"] / 300) ** 0.5
    assert found["effective"] == pytest.approx(expected, rel=0.35)
    assert found["variance"] > 2.5 * found["variance_if_independent"]


def test_a_detection_rate_above_zero_proves_nothing():
    """At the boundary most pools give one; hardly any gives 100 %."""
    found = dependence(play(200, pool=200))
    assert found["ever"] > 0.7
    assert found["always"] == 0


def test_skewed_rises_are_detected_without_a_rise():
    """85 % lie 0.02 above the certainty and 15 % lie 0.5 below: on average 0.058 below it."""
    found = play(
        10,
        pool=500,
        settings=Settings(),
        draw=lambda rng, size: np.where(rng.random(size) < 0.85, 0.02, -0.5),
    )
    assert found.min() > 0.9

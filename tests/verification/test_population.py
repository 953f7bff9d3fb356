import math

import numpy as np
import pytest

from datadeed.errors import VerificationError
from datadeed.verification.population import (
    conformal_p_value,
    tolerance_models,
    tolerance_null_rate,
)


@pytest.mark.parametrize(
    ("value", "p"), [(9, 1 / 5), (4, 2 / 5), (3.5, 2 / 5), (3, 4 / 5), (1, 1), (0, 1)]
)
def test_the_rank_by_hand_and_ties_count_against_the_claim(value, p):
    assert conformal_p_value(np.array([1, 3, 3, 4]), value) == pytest.approx(p)


def test_19_models_reach_five_percent_and_no_less():
    assert conformal_p_value(np.zeros(19), 1) == 0.05


@pytest.mark.parametrize(
    ("coverage", "confidence", "models"),
    [(0.95, 0.95, 59), (0.99, 0.95, 299), (0.99, 0.99, 459), (0.5, 0.5, 1)],
)
def test_models_wanted(coverage, confidence, models):
    assert tolerance_models(coverage, confidence) == models
    assert 1 - coverage**models >= confidence > 1 - coverage ** (models - 1)


def test_the_rate_is_the_largest_of_all_and_nothing_is_trimmed():
    rates = np.full(59, 0.02)
    rates[17] = 0.9
    found = tolerance_null_rate(rates, ["resnet"] * 59, slack=0.05)
    assert (found.rate, found.source, found.models) == (pytest.approx(0.95), "tolerance", 59)
    assert (found.by_family, found.left_out) == ({"resnet": 0.9}, {})
    assert tolerance_null_rate(rates, ["resnet"] * 59, slack=0.5).rate == 1
    assert found.models_wanted == 59


def test_keys_of_one_model_are_no_further_models():
    rates = np.random.default_rng(0).uniform(0, 0.3, (58, 1000))
    found = tolerance_null_rate(rates, ["a"] * 58)
    assert (found.source, found.models, found.rate) == ("nominal", 58, rates.max())


def test_each_family_is_left_out_in_turn():
    """Had "distilled" been the stranger, the bound from the others would have been .15 too low."""
    rates, families = [0.05, 0.1, 0.25, 0.02], ["plain", "plain", "distilled", "robust"]
    found = tolerance_null_rate(np.array(rates), families)
    assert found.by_family == {"plain": 0.1, "distilled": 0.25, "robust": 0.02}
    assert found.left_out == {"plain": 0, "distilled": pytest.approx(0.15), "robust": 0}
    assert found.source == "nominal"


def test_the_largest_of_59_covers_95_percent_with_95_percent_confidence():
    """Uniform rates: the share covered is the rate itself. Within 4 sd of 1 - .95 ** 59 = .9515."""
    draw = np.random.default_rng(3)
    covered = [tolerance_null_rate(draw.random(59), ["a"] * 59).rate >= 0.95 for _ in range(2000)]
    assert np.mean(covered) == pytest.approx(1 - 0.95**59, abs=4 * (0.95 * 0.05 / 2000) ** 0.5)


@pytest.mark.parametrize(
    ("rates", "families", "options", "match"),
    [
        ([], [], {}, "no innocent models"),
        ([0.1, math.nan], ["a", "b"], {}, "not a number"),
        ([0.1, 1.2], ["a", "b"], {}, "from 0 to 1"),
        ([[[0.1]]], ["a"], {}, "one row a model"),
        ([0.1, 0.2], ["a"], {}, "2 models, 1 families"),
        ([0.1], ["a"], {"slack": -0.1}, "slack"),
        ([0.1], ["a"], {"coverage": 1}, "coverage"),
        ([0.1], ["a"], {"confidence": 0}, "confidence"),
    ],
)
def test_bad_calibrations_are_refused(rates, families, options, match):
    with pytest.raises(VerificationError, match=match):
        tolerance_null_rate(np.array(rates), families, **options)


@pytest.mark.parametrize(
    ("innocent", "value"), [([], 1), ([math.inf], 1), ([[1.0]], 1), ([1.0], math.nan)]
)
def test_bad_scores_are_refused(innocent, value):
    with pytest.raises(VerificationError):
        conformal_p_value(np.array(innocent), value)

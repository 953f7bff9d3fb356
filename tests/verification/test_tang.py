import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from datadeed.errors import VerificationError
from datadeed.verification.metrics import Rate
from datadeed.verification.sequential import BettingProcess
from datadeed.verification.tang import (
    Settings,
    accuracy_drop,
    detection,
    detection_rate,
    effective_repetitions,
    rates,
    rise_test,
    signed_rank_p,
    verify_tang,
)


def draw(seed=0):
    return np.random.default_rng(seed)


def rate_of(rises, *, seed=0, **values):
    return detection_rate(np.asarray(rises, float), settings=Settings(**values), rng=draw(seed))


def test_the_published_settings():
    assert Settings() == Settings(m=200, repetitions=100, certainty=0.1, level=0.05)
    for wrong in ({"m": 0}, {"repetitions": 0}, {"certainty": 1}, {"level": 0}, {"level": 1}):
        with pytest.raises(VerificationError, match="need counts of 1 or more"):
            Settings(**wrong)


def test_rates_by_hand(make_answers):
    """Two of four non-target samples hit, and both of the target class."""
    answers = make_answers(
        [2, 2, 0, 1, 2, 2], label=[0, 0, 0, 1, 2, 2], clean=[0, 0, 1, 1, 2, 0], target=2
    )
    found = rates(answers)
    assert found["ba"] == Rate(4, 6).record()
    assert found["tsr"] == Rate(2, 4).record()
    assert found["tsr_as_published"] == Rate(4, 6).record()
    assert found["classes"] == [
        {"label": 0, "n": 3, "hits": 2},
        {"label": 1, "n": 1, "hits": 0},
        {"label": 2, "n": 2, "hits": 2},
    ]
    json.dumps(found)


@given(
    rows=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40),
    target=st.integers(0, 3),
)
def test_the_classes_add_up_to_both_success_rates(make_answers, rows, target):
    label, hit = np.array(rows).T
    answers = make_answers(hit, label=label, target=target)
    if (label == target).all():
        with pytest.raises(VerificationError, match="a rate of 0 in 0"):
            rates(answers)
        return
    found = rates(answers)
    for name, counted in (
        ("tsr_as_published", found["classes"]),
        ("tsr", [row for row in found["classes"] if row["label"] != target]),
    ):
        assert found[name]["n"] == sum(row["n"] for row in counted)
        assert found[name]["hits"] == sum(row["hits"] for row in counted)


def test_an_accuracy_drop_by_hand(make_answers):
    """Of ten samples three are lost and one is gained: 20 points; differences 1, 1, 1, -1, 0..."""
    label = [1] * 10
    benign = make_answers(label, label=label, clean=[1] * 8 + [0] * 2)
    marked = make_answers(label, label=label, clean=[0] * 3 + [1] * 6 + [0])
    found = accuracy_drop(benign, marked)
    error = 100 * ((4 - 10 * 0.2**2) / 9 / 10) ** 0.5
    assert found["value"] == pytest.approx(20)
    assert found["standard_error"] == pytest.approx(error)
    assert (found["n"], found["lost"], found["gained"]) == (10, 3, 1)
    back = accuracy_drop(marked, benign)
    assert (back["value"], back["lost"]) == (pytest.approx(-20), 1)
    assert accuracy_drop(benign, benign)["standard_error"] == 0


def test_a_paired_drop_is_known_better_than_two_accuracies(make_answers):
    """Models that mostly err on the same samples."""
    label = np.ones(400, dtype=np.int64)
    benign = make_answers(label, label=label, clean=np.arange(400) >= 100)
    marked = make_answers(label, label=label, clean=np.arange(400) >= 110)
    apart = 100 * (0.75 * 0.25 / 400 + 0.725 * 0.275 / 400) ** 0.5
    assert accuracy_drop(benign, marked)["standard_error"] < apart / 3


def test_a_drop_between_different_samples_is_refused(make_answers):
    one = make_answers([0, 1, 0])
    with pytest.raises(VerificationError, match="about different samples"):
        accuracy_drop(one, one.take(np.array([0, 2, 1])))
    with pytest.raises(VerificationError, match="two samples or more"):
        accuracy_drop(*[one.take(np.array([0]))] * 2)


# The rises are on a grid, so that ties and zeros are common.
ROWS = st.lists(st.integers(-3, 3), min_size=8, max_size=8)


@pytest.mark.filterwarnings("ignore:Sample size too small")
@given(rows=st.lists(ROWS, min_size=1, max_size=5))
def test_the_signed_rank_test_is_scipys_one_row_at_a_time(rows):
    found = signed_rank_p(np.array(rows, float))
    for row, p in zip(rows, found, strict=True):
        if not any(row):
            assert p == 1
            continue
        alone = stats.wilcoxon(row, alternative="greater", method="asymptotic")
        assert p == pytest.approx(alone.pvalue, abs=1e-12)


def test_the_signed_rank_test_by_hand():
    """Ranks 1 to 4, three of them positive: W+ = 9, mean 5, variance 7.5; zeros are dropped."""
    expected = stats.norm.sf(4 / 7.5**0.5)
    assert signed_rank_p(np.array([[-0.1, 0.2, 0.3, 0.4, 0, 0]])) == pytest.approx(expected)
    assert signed_rank_p(np.array([[0.1, -0.2, -0.3, -0.4]])) == pytest.approx(1 - expected)


@pytest.mark.parametrize(("rise", "expected"), [(0.11, 1), (0.9, 1), (0.09, 0), (0.0, 0), (0.1, 0)])
def test_equal_rises_are_significant_only_above_the_certainty(rise, expected):
    """0.1 - 0.1 is a pool of zeros: nothing to rank, nothing found."""
    found = rate_of([rise] * 500)
    assert found["value"] == expected
    assert found["significant"] == 100 * expected
    assert found["disjoint"]["hits"] == 2 * expected
    assert (found["pool"], found["disjoint"]["n"]) == (500, 2)
    assert "no independent tests" in found["note"]


def test_a_repetition_draws_without_replacement():
    """A pool of exactly m is drawn whole each time: all repetitions are one test."""
    values = draw(1).standard_normal(200)
    (p,) = signed_rank_p(values[None])
    for shift in (values, -values):
        found = rate_of(shift + 0.1, level=0.5)
        assert found["value"] == float((p if shift is values else 1 - p) < 0.5)
        assert found["effective"] == 1
    assert {rate_of(v + 0.1, level=0.5)["value"] for v in (values, -values)} == {0, 1}


def test_a_share_of_repetitions_is_what_resampling_gives():
    """Of 400 rises 160 are high: every draw's W+ depends on how many of them it holds."""
    rises = np.r_[np.full(160, 0.9), np.full(240, 0.08)]
    found = rate_of(rises, m=20, repetitions=400)
    # With k of 20 above: W+ = sum of the k top ranks, ties averaged; significant from some k on.
    chances = 0.0
    for k in range(21):
        (p,) = signed_rank_p(np.r_[np.full(k, 0.8), np.full(20 - k, -0.02)][None])
        chances += stats.hypergeom.pmf(k, 400, 160, 20) * (p < 0.05)
    assert 0.01 < chances < 0.99
    assert abs(found["value"] - chances) < 4.5 * (chances * (1 - chances) / 400) ** 0.5


def test_a_pool_too_small_is_refused(make_answers):
    with pytest.raises(VerificationError, match="only 199 are of other classes"):
        rate_of(np.zeros(199))
    answers = make_answers([0] * 250, label=[0] * 60 + [1] * 190)
    with pytest.raises(VerificationError, match="only 190 are of other classes"):
        verify_tang(answers, settings=Settings(), rng=draw())


def simulate(make_answers, before, after, *, n=500, seed=0):
    """Two classes beside the target 0, which has ten samples that must not be counted."""
    rng = draw(seed)
    label = np.r_[np.zeros(10, int), 1 + np.arange(n) % 2]
    before = np.r_[np.full(10, 0.9), rng.beta(*before, n)]
    after = np.r_[np.zeros(10), rng.beta(*after, n)]
    triggered, clean = (np.where(p > 0.5, 0, 1) for p in (after, before))
    return make_answers(triggered, label=label, clean=clean, before=before, after=after)


def test_a_marked_model(make_answers):
    found = verify_tang(simulate(make_answers, (1, 30), (8, 2)), settings=Settings(), rng=draw())
    assert found["n"] == found["wdr"]["pool"] == found["rise"]["n"] == 500
    assert found["wdr"]["value"] == 1
    assert found["wdr"]["effective"] < 8
    assert found["mcnemar"]["p_value"] < 1e-50
    assert found["rise"]["mean"] == pytest.approx(0.8 - 1 / 31, abs=0.03)
    assert found["rise"]["log_e"] > 100
    assert found["rise"]["p_value"] < 1e-40
    json.dumps(found, allow_nan=False)


def test_a_benign_model(make_answers):
    found = verify_tang(simulate(make_answers, (1, 30), (1, 30)), settings=Settings(), rng=draw())
    assert found["wdr"]["value"] == found["wdr"]["disjoint"]["value"] == 0
    assert found["mcnemar"]["p_value"] > 0.05
    assert found["rise"]["p_value"] == 1


def test_only_the_order_of_draws_depends_on_the_generator(make_answers):
    answers = simulate(make_answers, (2, 5), (3, 5))
    one, two, same = (
        verify_tang(answers, settings=Settings(certainty=0.05), rng=draw(seed))
        for seed in (0, 1, 0)
    )
    assert one == same
    assert one["wdr"]["significant"] != two["wdr"]["significant"]
    assert {k: one[k] for k in ("n", "mcnemar", "rise")} == {
        k: two[k] for k in ("n", "mcnemar", "rise")
    }


@given(
    rises=st.lists(st.floats(-1, 1), min_size=1, max_size=30),
    certainty=st.sampled_from([0.0, 0.1, 0.3]),
)
def test_the_rise_test_is_a_bet_on_the_mean(rises, certainty):
    found = rise_test(np.array(rises), certainty)
    process = BettingProcess((1 + certainty) / 2)
    for rise in sorted(rises):  # in any order
        process.update((1 + rise) / 2)
    assert found["log_e"] == pytest.approx(process.log_e, abs=1e-9)
    assert found["p_value"] == pytest.approx(min(1, np.exp(-process.log_e)))
    assert 0 <= found["p_value"] <= 1


def test_the_rise_test_keeps_its_level_where_the_published_one_does_not():
    """Rises of 0.12 (80 %) and -0.4 (20 %): mean 0.016, far below the certainty of 0.1."""
    rejected, published = 0, 0
    for seed in range(60):
        rises = np.where(draw(seed).random(200) < 0.8, 0.12, -0.4)
        rejected += rise_test(rises, 0.1)["p_value"] <= 0.05
        published += signed_rank_p(rises[None] - 0.1)[0] < 0.05
    assert rejected == 0
    assert published > 50


def test_detection_by_hand():
    found = detection([1, 1, 0.99, 0], [1, 0.2, 0, 0, 0])
    assert found["recall"] == Rate(2, 4).record()
    assert found["precision"] == Rate(2, 3).record()
    assert found["false_alarms"] == Rate(1, 5).record()
    assert (found["wdr"], found["wdr_benign"]) == (pytest.approx(2.99 / 4), pytest.approx(0.24))
    assert detection([1, 1, 0.99, 0], [1, 0.2], least=0.95)["recall"] == Rate(3, 4).record()


def test_detection_of_nothing():
    found = detection([False], [False, False])
    assert found["precision"] is None
    assert found["recall"]["value"] == found["false_alarms"]["value"] == 0
    for empty in (([], [0.0]), ([0.0], [])):
        with pytest.raises(VerificationError, match="one of either"):
            detection(*empty)


def test_effective_repetitions_at_the_ends():
    """One draw is the whole pool: one test. The pool is vast: all are independent."""
    assert effective_repetitions(200, Settings()) == pytest.approx(1)
    assert effective_repetitions(10**9, Settings()) == pytest.approx(100, rel=1e-4)
    found = [effective_repetitions(pool, Settings()) for pool in (200, 300, 900, 9000)]
    assert found == sorted(found)


@pytest.mark.parametrize("pool", [250, 800])
def test_effective_repetitions_are_of_two_normal_statistics(pool):
    """P(both) from scipy's bivariate normal."""
    a, overlap = 0.05, 200 / pool
    bound = stats.norm.ppf(a)
    both = stats.multivariate_normal.cdf([bound] * 2, cov=[[1, overlap], [overlap, 1]])
    correlation = (both - a**2) / (a - a**2)
    expected = 100 / (1 + 99 * correlation)
    assert effective_repetitions(pool, Settings()) == pytest.approx(expected, rel=1e-3)

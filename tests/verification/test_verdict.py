import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datadeed.errors import VerificationError
from datadeed.verification.exact import ExactTest, binomial_test, mcnemar_test
from datadeed.verification.metrics import Rate
from datadeed.verification.verdict import behaviour_verdict, untargeted_verdict


def verdict(answers, null_rate=0.2, alpha=0.01):
    return behaviour_verdict(answers, null_rate, alpha)


@pytest.mark.parametrize(
    ("hits", "word"),
    [
        (100, "CLAIM"),
        (40, "CLAIM"),
        (30, "INCONCLUSIVE"),
        (20, "INCONCLUSIVE"),
        (0, "NOT SUPPORTED"),
    ],
)
def test_the_three_words(make_answers, hits, word):
    found = verdict(make_answers([0] * hits + [1] * (100 - hits)))
    assert found["word"] == word
    assert found["queries"] == 200
    assert (found["alpha"], found["null_rate"]) == (0.01, 0.2)
    assert found["hit_rate"]["hits"] == hits
    assert "at most 20%" in found["null"]


def test_both_tests_must_reject(make_answers):
    """40 hits, all of them there without the trigger as well: McNemar sees no effect."""
    hits = [0] * 40 + [1] * 60
    answers = make_answers(hits, clean=hits, label=[1] * 100)
    assert binomial_test(answers, 0.2).p_value < 1e-4
    assert verdict(answers)["word"] == "INCONCLUSIVE"
    assert verdict(answers)["p_value"] == 1


def test_an_effect_below_the_margin_is_no_claim(make_answers):
    answers = make_answers([0] * 15 + [1] * 85)
    assert mcnemar_test(answers).p_value < 1e-4
    assert verdict(answers)["word"] != "CLAIM"


@given(
    rows=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=120),
    null_rate=st.sampled_from([0.05, 0.2, 0.5]),
    alpha=st.sampled_from([0.01, 0.05]),
)
def test_words_follow_from_the_tests(make_answers, rows, null_rate, alpha):
    clean, triggered = np.array(rows).T
    answers = make_answers(triggered, clean=clean, label=[1] * len(rows))
    found = verdict(answers, null_rate, alpha)
    p = [binomial_test(answers, null_rate).p_value, mcnemar_test(answers).p_value]
    assert found["p_value"] == max(p)
    assert (found["word"] == "CLAIM") == (max(p) <= alpha)
    if found["word"] == "NOT SUPPORTED":
        assert found["hit_rate"]["high"] < null_rate
    assert found["word"] in ("CLAIM", "INCONCLUSIVE", "NOT SUPPORTED")


@pytest.mark.parametrize("m", [20, 100, 300])
def test_an_innocent_model_is_hardly_ever_claimed(make_answers, m):
    """10,000 models that hit at exactly the null rate: at most alpha plus 3 binomial sd."""
    words = [verdict(make_answers([0] * k + [1] * (m - k)))["word"] for k in range(m + 1)]
    hits = np.random.default_rng(11).binomial(m, 0.2, 10_000)
    claimed = np.mean([words[k] == "CLAIM" for k in hits])
    assert 0 < claimed <= 0.01 + 3 * (0.01 * 0.99 / 10_000) ** 0.5


def test_a_watermarked_model_is_claimed(make_answers):
    """Hits at 0.6, 100 samples: power above 0.999."""
    words = [verdict(make_answers([0] * k + [1] * (100 - k)))["word"] for k in range(101)]
    hits = np.random.default_rng(12).binomial(100, 0.6, 10_000)
    assert np.mean([words[k] == "CLAIM" for k in hits]) > 0.999


def test_a_verdict_about_a_target_needs_one(make_answers):
    with pytest.raises(VerificationError, match="of an untargeted watermark"):
        verdict(make_answers([1] * 9, target=None))


def untargeted(mcnemar_p, rank_p, failures, m=100):
    test = ExactTest("null", 0, 0, 0.5, mcnemar_p)
    return untargeted_verdict(test, rank_p, Rate(failures, m), tau=0.25, alpha=0.01, queries=10_100)


@pytest.mark.parametrize(
    ("mcnemar_p", "rank_p", "failures", "word"),
    [
        (1e-20, 0.01, 90, "CLAIM"),
        (0.01, 0.01, 5, "CLAIM"),  # small, but due to the very trigger
        (1e-20, 0.02, 90, "INCONCLUSIVE"),  # a decoy does as much
        (0.02, 0.01, 30, "INCONCLUSIVE"),
        (1e-9, 0.5, 16, "NOT SUPPORTED"),  # interval up to 0.247
        (1e-9, 0.5, 17, "INCONCLUSIVE"),  # up to 0.258
        (1.0, 1.0, 0, "NOT SUPPORTED"),
    ],
)
def test_the_three_words_without_a_target(mcnemar_p, rank_p, failures, word):
    found = untargeted(mcnemar_p, rank_p, failures)
    assert found["word"] == word
    assert found["p_value"] == max(mcnemar_p, rank_p)
    assert (found["alpha"], found["null_rate"], found["queries"]) == (0.01, 0.25, 10_100)
    assert found["failure_rate"]["hits"] == failures


def test_few_samples_are_inconclusive():
    assert untargeted(0.125, 0.01, 3, m=3)["word"] == "INCONCLUSIVE"
    assert untargeted(1.0, 1.0, 0, m=3)["word"] == "INCONCLUSIVE"

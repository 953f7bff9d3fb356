import dataclasses
import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from datadeed.datasets.form.clips import Clips
from datadeed.errors import UnsupportedModality, VerificationError
from datadeed.thieves.autoencoder import Autoencoder
from datadeed.thieves.grammar import Grammar
from datadeed.thieves.outliers import Confidence, Detector, flagged, search

SCORES = st.lists(st.integers(0, 5), min_size=2, max_size=60)


@given(scores=SCORES, share=st.floats(0.001, 1))
def test_the_flagged_are_as_many_as_asked_and_none_left_is_more_suspicious(scores, share):
    values = np.array(scores, float)
    found = flagged(values, share)
    assert found.sum() == max(1, int(share * len(scores) + 1e-9))
    assert found.all() or values[found].min() >= values[~found].max()
    assert np.array_equal(found, flagged(values, share))


def test_of_equal_scores_the_first_are_flagged():
    assert flagged(np.array([1.0, 2, 1, 1]), 0.5).tolist() == [True, True, False, False]
    assert flagged(np.arange(100.0), 0.01).tolist() == [False] * 99 + [True]
    assert flagged(np.arange(10.0), 0.29).sum() == 2
    assert flagged(np.arange(10.0), 0.3).sum() == 3  # 0.3 * 10 is not quite 3 in floating point


@pytest.mark.parametrize(
    ("scores", "share", "message"),
    [
        ([1.0], 0, "a share of 0"),
        ([1.0], 1.1, "a share of 1.1"),
        ([1.0, np.nan], 0.5, "2 scores, 1 of them not finite"),
        ([], 0.5, "0 scores"),
    ],
)
def test_what_cannot_be_flagged(scores, share, message):
    with pytest.raises(VerificationError, match=message):
        flagged(np.array(scores), share)


def test_a_search_by_hand():
    """Of ten samples three are marked; the two most suspicious hold one mark.

    P(one or more of 2) = 1 - (7 * 6) / (10 * 9) = 48/90. The marks lie above 7, 5 and 0 of the
    seven benign samples.
    """
    scores = np.array([9, 8, 7, 6, 5, 4, 3, 2, 1, 0]) / 10
    marked = np.isin(np.arange(10), [0, 3, 9])
    found = search(scores, marked, 0.2)
    assert (found.n, found.marks, found.flagged, found.hits) == (10, 3, 2, 1)
    assert (found.precision, found.recall, found.expected) == (0.5, 1 / 3, 0.3)
    assert found.p_value == pytest.approx(48 / 90)
    assert found.above == pytest.approx((7 + 5 + 0) / 21)
    record = found.record()
    assert json.loads(json.dumps(record)) == record
    assert {"precision", "recall", "expected", "p_value", "above"} < set(record)


@given(scores=SCORES, share=st.floats(0.01, 1), data=st.data())
def test_a_search_keeps_its_books(scores, share, data):
    n, values = len(scores), np.array(scores, float)
    marks = data.draw(st.sets(st.integers(0, n - 1), min_size=1, max_size=n - 1))
    marked = np.isin(np.arange(n), list(marks))
    found = search(values, marked, share)
    assert found.precision * found.flagged == pytest.approx(found.recall * found.marks)
    chance = stats.hypergeom(n, len(marks), found.flagged)
    assert found.p_value == pytest.approx(chance.pmf(np.arange(found.hits, n + 1)).sum())
    pairs = values[marked][:, None] - values[~marked]
    assert found.above == pytest.approx((pairs > 0).mean() + (pairs == 0).mean() / 2)


def test_marks_on_top_are_all_found():
    scores, marked = np.arange(1000.0), np.arange(1000) >= 990
    found = search(scores, marked)
    assert (found.precision, found.recall, found.above) == (1, 1, 1)
    assert found.p_value == pytest.approx(1 / stats.binom(1000, 0.5).pmf(10) / 2.0**1000, rel=1e-6)


def test_a_blind_search_is_significant_as_rarely_as_it_says():
    """Random scores, 1,000 searches: p <= 0.05 in at most 5 % and 4 binomial sd."""
    rng, marked = np.random.default_rng(0), np.arange(300) < 30
    found = [search(rng.random(300), marked, 0.1) for _ in range(1000)]
    share = np.mean([one.p_value <= 0.05 for one in found])
    assert 0.01 < share <= 0.05 + 4 * (0.05 * 0.95 / 1000) ** 0.5
    assert abs(np.mean([one.precision for one in found]) - 0.1) < 0.01
    assert abs(np.mean([one.above for one in found]) - 0.5) < 0.01


@pytest.mark.parametrize("marks", [0, 3])
def test_a_search_needs_marks_and_others(marks):
    with pytest.raises(VerificationError, match="samples of both kinds"):
        search(np.zeros(3), np.arange(3) < marks)
    with pytest.raises(VerificationError, match="give a score each"):
        search(np.zeros(2), np.arange(3) < 1)


class Sure:
    """Knows the label of sample n with probability p_n."""

    modality = "image"

    def __init__(self, p):
        self.p = torch.tensor(p)

    def predict(self, samples):
        return torch.stack([self.p, 1 - self.p], 1)


def test_the_unsure_are_suspicious(toy_dataset, tiny_model):
    found = Confidence(Sure([0.9, 0.5, 0.2])).scores(toy_dataset(3))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, [0.1, 0.5, 0.2], atol=1e-6)
    scores = Confidence(tiny_model()).scores(toy_dataset(20))
    assert scores.shape == (20,)
    assert (scores >= 0).all()
    assert (scores <= 2 / 3).all()


def test_a_model_of_something_else_is_refused(tiny_model):
    labels = torch.arange(2)
    clips = Clips(torch.zeros(2, 9, dtype=torch.int16), labels, labels, ("a", "b"), 8000)
    with pytest.raises(UnsupportedModality, match="takes image, but the data are audio"):
        Confidence(tiny_model()).scores(clips)


def test_the_detectors_have_names_of_their_own():
    detectors: list[type[Detector]] = [Confidence, Autoencoder, Grammar]
    assert [one.name for one in detectors] == ["confidence", "autoencoder", "grammar"]
    assert all("name" not in {f.name for f in dataclasses.fields(one)} for one in detectors)

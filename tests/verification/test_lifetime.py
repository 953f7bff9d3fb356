"""Evidence over a whole life: its mean over all keys, its definition, and its alarms in a year."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datadeed.errors import VerificationError
from datadeed.verification.centred import centred, log_e_value
from datadeed.verification.lifetime import Lifetime, log_look_shares, look_days

PARTS, CLASSES = 2, 3
ALL_TARGETS = np.array(list(itertools.product(range(CLASSES), repeat=PARTS)))


def sums_of(answers, classes):
    """(D, 1, 1, J, C) centred votes of (D, J) answers, -1 for none: one image a day, any keys."""
    votes = np.where(answers[..., None] < 0, 0.0, np.eye(classes)[answers])
    return centred(votes)[:, None, None]


def weight(day, look, begins):
    """``w_d p_k`` from the docstring, both counted from 1; ``begins``: first days of versions."""
    share = 1 / (day * (day + 1))
    if day in begins:
        version = begins.index(day) + 1
        share += 1 / (version * (version + 1))
    return share / 2 * (0.5 if look == 1 else 0.5 / ((look - 1) * look))


def terms(days):
    """First day, look and number of days of every e-value that is known after ``days``."""
    for first in range(1, days + 1):
        for look, n in enumerate(look_days(days - first + 1), 1):
            yield first, look, n


def test_looks_begin_daily_and_grow_by_a_fifth():
    assert look_days(16) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16]
    assert look_days(0) == []
    assert look_days(15) == look_days(14)


def test_shares_of_all_looks_sum_to_one():
    shares = np.exp(log_look_shares(100_000))
    assert shares.sum() == pytest.approx(1, abs=1e-5)
    assert shares.sum() <= 1 + 1e-12
    assert shares[:3].tolist() == pytest.approx([1 / 2, 1 / 4, 1 / 12])


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.lists(st.integers(-1, CLASSES - 1), min_size=PARTS, max_size=PARTS),
        min_size=1,
        max_size=14,
    ),
    st.sets(st.integers(2, 14)),
)
def test_the_mean_over_all_keys_is_what_the_weights_leave_and_below_one(answers, later):
    """Exact, whatever was answered on whichever day, since all keys are tried."""
    life, begins = Lifetime(ALL_TARGETS), [1, *sorted(later)]
    for number, day in enumerate(sums_of(np.array(answers), CLASSES), 1):
        life.add(day, exchanged=number in later)
    known = sum(weight(first, look, begins) for first, look, _ in terms(len(answers)))
    assert np.exp(life.log_e).mean() == pytest.approx(known, rel=1e-9)
    assert known < 1


def test_it_is_the_sum_that_its_docstring_states():
    rng = np.random.default_rng(1)
    sums, targets = rng.normal(size=(13, 2, 3, 4)), np.array([3, 0, 3])  # D, T, J, C
    begins = [1, 4, 5, 11]
    life, before = Lifetime(targets), -math.inf
    for days, day in enumerate(sums, 1):
        stated = sum(
            weight(first, look, begins)
            * math.exp(log_e_value(sums[first - 1 : first - 1 + n].sum(0), targets))
            for first, look, n in terms(days)
        )
        found = float(life.add(day, exchanged=days in begins))
        assert found == pytest.approx(math.log(stated), abs=1e-9)
        assert found > before
        before = found


def test_a_suspect_that_changes_daily_weighs_as_one_that_never_was_looked_at():
    """Versions are days then, so that both halves are 1/(d(d + 1))."""
    rng, targets = np.random.default_rng(2), np.array([1, 2])
    restless = Lifetime(targets)
    for days, day in enumerate(rng.normal(size=(9, 1, 2, 3)), 1):
        restless.add(day, exchanged=True)
        assert restless.versions == days
    rng = np.random.default_rng(2)
    sums = rng.normal(size=(9, 1, 2, 3))
    stated = sum(
        1 / (first * (first + 1)) * (0.5 if look == 1 else 0.5 / ((look - 1) * look))
        * math.exp(log_e_value(sums[first - 1 : first - 1 + n].sum(0), targets))
        for first, look, n in terms(9)
    )  # fmt: skip
    assert float(restless.log_e) == pytest.approx(math.log(stated), abs=1e-9)


def test_other_votes_than_the_day_before_are_refused():
    life = Lifetime(np.array([0, 1]))
    life.add(np.zeros((1, 2, 3)))
    with pytest.raises(VerificationError, match="as the day before"):
        life.add(np.zeros((1, 2, 4)))


def innocent(name, days, rng):
    """(D, 4) answers of suspects that know nothing of the key."""
    favourites = rng.integers(10, size=(days, 4))
    return {
        "a favourite for each trigger": np.broadcast_to(favourites[:1], (days, 4)),
        "other favourites every month": favourites[np.arange(days) // 30],
        "other favourites every day": favourites,
    }[name]


@pytest.mark.parametrize(
    "name",
    [
        "a favourite for each trigger",
        "other favourites every month",
        "other favourites every day",
    ],
)
def test_alarms_in_a_year_are_at_most_alpha(name):
    """200 random keys against the strongest bets that an innocent model can make."""
    alpha, keys = 0.05, 200
    rng = np.random.default_rng(5)
    sums = sums_of(innocent(name, 365, rng), 10)
    life = Lifetime(rng.integers(10, size=(keys, 4)))
    for day in sums:
        life.add(day)
    assert (life.log_e >= math.log(1 / alpha)).mean() <= alpha
    assert life.log_e.max() > 0  # some keys are favoured: the bound is not kept by silence


def test_without_weights_the_same_answers_accuse_the_innocent():
    """What the sum is for: the largest E of any day and look passes the bar under most keys."""
    alpha, rng = 0.05, np.random.default_rng(5)
    sums = sums_of(innocent("other favourites every day", 365, rng), 10)[:, 0, 0]
    targets = rng.integers(10, size=(20, 4))
    largest = [max(log_e_value(day, row) for day in sums) for row in targets]
    assert np.mean(np.array(largest) >= math.log(1 / alpha)) > 0.5

"""Planning a key: known answers, what grows with what, and warnings."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import datadeed.owner.plan as module
from datadeed.errors import DatadeedError
from datadeed.owner.plan import MARKS_A_PART, REPAIRED, plan
from datadeed.verification.keylabels import part_e_value


def make(classes=10, samples=50_000, seed=1, **values):
    return plan(classes, samples, rng=np.random.default_rng(seed), **values)


@pytest.fixture
def no_simulation(monkeypatch):
    """Only the arithmetic."""
    monkeypatch.setattr(module, "_queries", lambda *_: {})


class TestKnownAnswers:
    def test_ten_classes_at_one_in_a_million(self):
        made = make()
        assert (made.enough, made.parts) == (8, 12)  # 6.7 ** 8 > 1e6 > 6.7 ** 7
        assert (made.rate, made.marks, made.marks_a_part) == (0.036, 1800, 150)
        assert made.best_attainable_p == pytest.approx(1e-12)
        assert made.largest_e == pytest.approx(9.1**12, rel=1e-3)
        assert made.pool == 216  # twice 12 parts of up to 9 questions
        assert made.models == 59  # 1 - 0.95 ** 59 > 0.95
        assert made.warnings == ()

    def test_a_well_learnt_mark_takes_about_the_fewest_queries(self):
        """16 for the key layer and 5 for the other if every mark works."""
        queries = make().queries
        assert 21 <= queries[0.95]["mean_queries"] <= 26
        assert queries[0.95]["claimed"] > 0.999
        rates = sorted(queries)
        assert [queries[rate]["claimed"] for rate in rates] == sorted(
            queries[rate]["claimed"] for rate in rates
        )

    def test_fixed_numbers_are_kept(self, no_simulation):
        made = make(parts=20, rate=0.05)
        assert (made.parts, made.rate, made.marks, made.marks_a_part) == (20, 0.05, 2500, 125)

    def test_the_same_seed_gives_the_same_plan(self):
        assert make(samples=5000, parts=2).record() == make(samples=5000, parts=2).record()

    def test_many_classes_take_little_memory(self):
        """A square of the number of classes would be 4 GB here."""
        made = make(classes=22_000, parts=1, alpha=1e-3, budget=9)
        assert made.best_attainable_p == pytest.approx(1 / 22_000)


class TestRepair:
    def test_the_nearest_measured_number_of_marks_is_told(self, no_simulation):
        assert make().repaired["marks_a_part"] == 83  # of 150 marks a part
        assert make(parts=12, rate=0.002).repaired["marks_a_part"] == 8
        assert make(samples=300, parts=12, rate=0.005).repaired["marks_a_part"] == 8  # of none

    def test_what_is_told_is_the_committed_table(self):
        path = Path(__file__).parents[2] / "results/pick_your_poison/table-14.csv"
        table = pd.read_csv(path)
        keyed = table[table["attack"] == "keyed-12"]
        names = ["before", "best", "calibrated-inversion"]
        found = {
            int(rate * 20_000 / 1000 / 12): tuple(values)
            for rate, values in zip(keyed["rate"], keyed[names].round(2).to_numpy(), strict=True)
        }
        assert found == REPAIRED


class TestWarnings:
    @pytest.mark.parametrize(
        ("values", "warning"),
        [
            ({"parts": 6}, "6 parts cannot reach 1/alpha: take 8 or more"),
            ({"rate": 0.01}, "41 marks a part: fewer than 150"),
            ({"samples": 5000}, "marking 36% of the rows will cost accuracy"),
            ({"parts": 600}, "a pool of 10800 images would be needed"),
        ],
    )
    def test_each(self, no_simulation, values, warning):
        assert any(text.startswith(warning) for text in make(**values).warnings)
        assert not any(text.startswith(warning) for text in make().warnings)

    def test_exactly_enough_parts_give_none(self, no_simulation):
        assert make(parts=8).warnings == ()


@pytest.mark.parametrize(
    "values",
    [
        {"classes": 1},
        {"classes": 100_001},
        {"samples": 0},
        {"alpha": 0.0},
        {"alpha": 1.0},
        {"alpha": float("nan")},
        {"alpha_behaviour": 0.0},
        {"null_rate": 1.0},
        {"budget": 0},
        {"parts": 0},
        {"parts": 1001},
        {"rate": 0.0},
        {"rate": 1.0},
    ],
)
def test_what_a_key_would_refuse_is_refused(values):
    with pytest.raises(DatadeedError, match="give") as caught:
        make(**values)
    assert "\n" not in str(caught.value)


CLASSES = st.integers(2, 2000)
ALPHAS = st.floats(1e-12, 0.1)


class TestProperties:
    @pytest.fixture(autouse=True, scope="class")
    def only_arithmetic(self):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "_queries", lambda *_: {})
            yield

    @settings(max_examples=60)
    @given(CLASSES, ALPHAS)
    def test_enough_is_exactly_enough(self, classes, alpha):
        counts = np.zeros(classes)
        counts[0] = 2
        two_votes = math.log(part_e_value(counts, 0))
        enough = make(classes, alpha=alpha).enough
        assert enough * two_votes >= -math.log(alpha) * (1 - 1e-12)
        assert (enough - 1) * two_votes < -math.log(alpha)

    @settings(max_examples=60)
    @given(CLASSES, CLASSES, ALPHAS, ALPHAS)
    def test_more_classes_need_fewer_parts_and_stricter_levels_more(self, one, two, low, high):
        few, many = sorted((one, two))
        strict, lax = sorted((low, high))
        assert make(many, alpha=lax).enough <= make(few, alpha=lax).enough
        assert make(few, alpha=lax).enough <= make(few, alpha=strict).enough

    @settings(max_examples=60)
    @given(st.integers(2, 100), st.integers(10_000, 10**9), st.integers(10_000, 10**9))
    def test_more_rows_need_a_smaller_share(self, classes, one, two):
        few, many = sorted((one, two))
        assert make(classes, many).rate <= make(classes, few).rate

    @settings(max_examples=60)
    @given(CLASSES, st.integers(1, 10**9), ALPHAS)
    def test_what_is_proposed_without_a_warning_can_be_committed(self, classes, samples, alpha):
        made = make(classes, samples, alpha=alpha)
        assert made.parts > made.enough or made.enough == 1
        assert made.largest_e >= 1 / alpha * (1 - 1e-9)
        assert 0 < made.rate <= 0.5
        if not made.warnings:
            assert made.marks >= made.parts * MARKS_A_PART
        assert math.isfinite(made.largest_e)

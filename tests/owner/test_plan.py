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
from datadeed.verification.centred import log_e_value


def make(classes=10, samples=50_000, seed=1, **values):
    return plan(classes, samples, rng=np.random.default_rng(seed), **values)


@pytest.fixture
def no_proofs(monkeypatch):
    """Only the arithmetic."""
    monkeypatch.setattr(module, "_play", lambda *_: ({}, {}))


class TestKnownAnswers:
    def test_ten_classes_at_one_in_a_million(self, no_proofs):
        made = make()
        assert (made.enough, made.parts) == (8, 12)
        assert (made.rate, made.marks, made.marks_a_part) == (0.036, 1800, 150)
        assert made.largest_e == pytest.approx(9.55**12, rel=1e-3)
        assert made.pool == 50  # 25 blocks of 12 and 100 questions of pairs are 400 of 400
        assert made.warnings == ()

    def test_two_classes_need_many_parts(self, no_proofs):
        assert (make(classes=2).enough, make(classes=2).parts) == (25, 38)

    def test_questions_until_a_verdict(self, monkeypatch):
        """Twelve for one block; an honest model one and 19 pairs that count, or a little more."""
        monkeypatch.setattr(module, "RUNS", 30)
        monkeypatch.setattr(module, "HONEST_RUNS", 5)
        made = make()
        medians = [made.questions[success]["median_questions"] for success in (0.95, 0.5, 0.3)]
        assert medians[0] == 12
        assert 24 <= medians[1] <= 48
        assert 60 <= medians[2] <= 120
        assert made.questions[0.95]["share"] == 1
        assert made.questions[0.3]["share"] > 0.8
        assert made.honest["share"] >= 0.8
        assert 50 <= made.honest["median_questions"] <= 60

    def test_fixed_numbers_are_kept(self, no_proofs):
        made = make(parts=20, rate=0.05)
        assert (made.parts, made.rate, made.marks, made.marks_a_part) == (20, 0.05, 2500, 125)

    def test_the_same_seed_gives_the_same_plan(self, monkeypatch):
        monkeypatch.setattr(module, "RUNS", 3)
        monkeypatch.setattr(module, "HONEST_RUNS", 1)
        once = make(samples=5000, budget=100).record()
        assert once == make(samples=5000, budget=100).record()
        assert once != make(samples=5000, budget=100, seed=2).record()

    def test_many_classes_take_little_memory(self, monkeypatch):
        """A square of the number of classes would be 4 GB here."""
        monkeypatch.setattr(module, "RUNS", 2)
        monkeypatch.setattr(module, "HONEST_RUNS", 1)
        made = make(classes=22_000, parts=5)
        assert made.questions[0.95]["share"] == 1

    def test_a_budget_below_a_block_plays_nothing(self):
        made = make(budget=9)
        assert (made.questions, made.honest) == ({}, {})
        assert made.warnings[0].startswith("budget is 9, but a claim takes 12 counted questions")


class TestRepair:
    def test_the_nearest_measured_number_of_marks_is_told(self, no_proofs):
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
            ({"parts": 6}, "6 parts with labels among 10 classes cannot reach 1/alpha"),
            ({"rate": 0.01}, "41 marks a part: fewer than 150"),
            ({"samples": 5000}, "marking 36% of the rows will cost accuracy"),
            ({"parts": 600}, "budget is 400, but a claim takes 600 counted questions"),
            ({"budget": 49}, "budget is 49, but NOT SUPPORTED takes 12 + "),
            ({"least_effect": 0.05}, "least_effect is 0.05: the 45 pairs"),
        ],
    )
    def test_each(self, no_proofs, values, warning):
        assert any(text.startswith(warning) for text in make(**values).warnings)
        assert not any(text.startswith(warning) for text in make().warnings)

    def test_exactly_enough_parts_give_none(self, no_proofs):
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
        {"alpha": 0.06},
        {"least_effect": 0.0},
        {"least_effect": 1.0},
        {"budget": 0},
        {"parts": 1},
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
ALPHAS = st.floats(1e-12, 0.05)


class TestProperties:
    @pytest.fixture(autouse=True, scope="class")
    def only_arithmetic(self):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "_play", lambda *_: ({}, {}))
            yield

    @settings(max_examples=60)
    @given(CLASSES, ALPHAS)
    def test_enough_is_exactly_enough(self, classes, alpha):
        """Half of the evidence after one image reaches 1/alpha, and with a part fewer not."""
        enough = make(classes, alpha=alpha).enough
        for parts in (enough - 1, enough):
            targets = np.arange(parts) % classes
            votes = np.eye(classes)[targets]
            log_e = log_e_value(votes - votes.mean(0), targets) - math.log(2)
            assert (log_e >= -math.log(alpha)) is (parts == enough)

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
        assert made.parts > made.enough
        assert made.largest_e > 1 / alpha
        assert 0 < made.rate <= 0.5
        if not made.warnings:
            assert made.marks >= made.parts * MARKS_A_PART
        assert math.isfinite(made.largest_e)

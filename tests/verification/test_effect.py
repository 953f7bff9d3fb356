"""The effect's bounds: that they hold, for every number of pairs, and what counts as a finding."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datadeed.verification.counts import LEVEL
from datadeed.verification.effect import Effect, filters, refuses


def until(effect: Effect, pairs: list[tuple[bool | None, bool | None]], least: float) -> int | None:
    """After how many pairs the effect is excluded, if ever."""
    for n, pair in enumerate(pairs, 1):
        effect.add(*pair)
        if effect.high < least:
            return n
    return None


class TestBounds:
    def test_no_hits_at_all_exclude_a_fifth_after_19(self) -> None:
        assert until(Effect(10_000), [(False, False)] * 40, 0.2) == 19

    def test_hits_with_both_are_no_effect(self) -> None:
        assert until(Effect(10_000), [(True, True)] * 40, 0.2) == 19

    def test_the_whole_population_leaves_its_mean(self) -> None:
        values = [(True, False)] * 3 + [(False, True)] + [(False, False)] * 6
        effect = Effect(10)
        for pair in values:
            effect.add(*pair)
        assert effect.low <= 0.2 <= effect.high
        assert effect.high - effect.low < 0.9

    @settings(max_examples=30)
    @given(st.integers(0, 2**32 - 1))
    def test_it_tightens_only(self, seed: int) -> None:
        rng, effect = np.random.default_rng(seed), Effect(100)
        before = (-1.0, 1.0)
        for _ in range(15):
            effect.add(*(bool(b) for b in rng.random(2) < 0.4))
            assert effect.low >= before[0]
            assert effect.high <= before[1]
            before = effect.low, effect.high

    @settings(max_examples=30)
    @given(st.lists(st.tuples(*[st.sampled_from([True, False, None])] * 2), min_size=1, max_size=8))
    def test_a_failure_is_as_wide_as_any_answer_in_its_place(
        self, pairs: list[tuple[bool | None, bool | None]]
    ) -> None:
        known, failing = Effect(50), Effect(50)
        for pair in pairs:
            failing.add(*pair)
            known.add(*(bool(value) for value in pair))
        assert failing.low <= known.low + 1e-9
        assert failing.high >= known.high - 1e-9
        assert failing.failed == sum(value is None for pair in pairs for value in pair)

    def test_failures_alone_bound_nothing(self) -> None:
        effect = Effect(100)
        for _ in range(60):
            effect.add(None, None)
        assert (effect.low, effect.high) == (-1, 1)

    @pytest.mark.parametrize(("hit", "decoy"), [(0.3, 0.1), (0.6, 0.4), (0.5, 0.0)])
    def test_a_true_effect_is_rarely_excluded(self, hit: float, decoy: float) -> None:
        """100 orders of one population with exactly this effect: at most 5 % and its error."""
        rng, wrong, runs, size = np.random.default_rng(3), 0, 100, 240
        hits = np.arange(size) < round(hit * size)
        decoys = np.arange(size) < round(decoy * size)
        rng.shuffle(decoys)
        least = (hits.mean() - decoys.mean()).item()
        for _ in range(runs):
            order = rng.permutation(size)[:25]
            pairs = [(bool(hits[n]), bool(decoys[n])) for n in order]
            effect = Effect(size)
            for pair in pairs:
                effect.add(*pair)
            wrong += effect.high < least - 1e-9  # bounds tighten only: the last one decides
        allowed = 1 - LEVEL
        assert wrong / runs <= allowed + 3 * (allowed / runs) ** 0.5

    def test_the_record(self) -> None:
        effect = Effect(30)
        for pair in ((True, False), (False, None), (True, True)):
            effect.add(*pair)
        assert effect.record() == {
            "pairs": 3,
            "hits": 2,
            "decoy_hits": 1,
            "failed": 1,
            "low": effect.low,
            "high": effect.high,
            "level": 0.95,
            "population": 30,
        }


class TestFindings:
    @pytest.mark.parametrize(
        ("counts", "found"),
        [
            ((0, 58, 0, 40), False),
            ((2, 10, 0, 40), False),  # fewer than three
            ((3, 30, 0, 40), True),
            ((3, 31, 0, 40), False),  # below a tenth
            ((20, 58, 4, 40), True),
            ((20, 58, 5, 40), False),  # it fails without marks too
            ((58, 58, 0, 0), True),
        ],
    )
    def test_refusing(self, counts: tuple[int, int, int, int], found: bool) -> None:
        assert bool(refuses(*counts)) is found

    @pytest.mark.parametrize(
        ("counts", "found"),
        [
            ((21, 23, 36, 40), False),  # as right as without
            ((2, 23, 36, 40), True),
            ((23, 23, 20, 40), False),  # better is no filter
            ((15, 23, 36, 40), False),  # p .02
            ((13, 23, 36, 40), True),
            ((0, 0, 36, 40), False),  # nothing was asked
            ((0, 23, 0, 0), False),
        ],
    )
    def test_filtering(self, counts: tuple[int, int, int, int], found: bool) -> None:
        assert bool(filters(*counts)) is found

    def test_a_decoy_that_hides_some_of_an_image_may_cost_answers(self) -> None:
        assert filters(13, 23, 36, 40)
        assert not filters(13, 23, 36, 40, kept=0.5)
        assert filters(2, 23, 36, 40, kept=0.5)  # less than half is left

    def test_sentences_tell_the_counts(self) -> None:
        assert "12 of 58 images with a trigger or a decoy" in refuses(12, 58, 0, 40)
        sentence = filters(2, 23, 36, 40)
        assert "right on 2 of 23 images with a decoy and on 36 of 40 without" in sentence

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from datadeed.errors import VerificationError
from datadeed.verification.keylabels import (
    BlindElimination,
    coin_e_value,
    decoy_e_value,
    hits_p_value,
    largest_factor,
    part_e_value,
    part_weights,
    rank_p_value,
)

COUNTS = st.integers(2, 120).flatmap(lambda c: hnp.arrays(np.int64, c, elements=st.integers(0, 40)))


@given(COUNTS, st.floats(0, 5), st.floats(0, 1))
def test_the_mean_over_all_labels_is_exactly_one(counts, beta, epsilon):
    values = [part_e_value(counts, t, beta=beta, epsilon=epsilon) for t in range(len(counts))]
    assert abs(np.mean(values) - 1) <= 1e-12
    assert max(values) <= largest_factor(len(counts), beta=beta, epsilon=epsilon) + 1e-9


@given(COUNTS, st.randoms(use_true_random=False))
def test_renumbering_the_classes_changes_nothing(counts, random):
    order = list(range(len(counts)))
    random.shuffle(order)
    for target in (0, len(counts) - 1):
        moved = part_e_value(counts[order], order.index(target))
        assert moved == pytest.approx(part_e_value(counts, target), rel=1e-12)


@pytest.mark.parametrize(
    ("counts", "target", "factor"),
    [
        ([0] * 10, 3, 1),
        ([2] + [0] * 9, 0, 6.684),
        ([2] + [0] * 9, 9, 0.3684),
        ([2] + [0] * 99, 0, 17.96),
        ([1, 1], 1, 1),
    ],
)
def test_factors_known_from_the_specification(counts, target, factor):
    """statistics.md B (viii): 6.7 at 10 classes and 18.0 at 100 for two agreeing votes."""
    assert part_e_value(np.array(counts), target) == pytest.approx(factor, rel=1e-3)


def test_huge_counts_do_not_overflow():
    assert part_e_value(np.array([10**6, 0, 0]), 0) == pytest.approx(largest_factor(3))


def test_weights_of_many_parts_at_once_are_those_of_each():
    counts = np.random.default_rng(0).integers(0, 5, (3, 4, 6))
    together = part_weights(counts)
    np.testing.assert_allclose(together.sum(-1), 1, rtol=1e-14)
    np.testing.assert_allclose(together[2, 1], part_weights(counts[2, 1]), rtol=1e-14)


@pytest.mark.parametrize(("classes", "limit"), [(10, 9.1), (100, 90.1), (2, 1.9)])
def test_the_largest_factor(classes, limit):
    assert largest_factor(classes) == pytest.approx(limit)
    assert largest_factor(classes, 0) == pytest.approx(1)
    assert largest_factor(classes, 60) == pytest.approx(limit)


@pytest.mark.parametrize("votes", [1, 2, 4])
def test_the_largest_factor_for_so_many_votes_is_the_largest_of_all_counts(votes):
    every = [c for c in np.ndindex(*(votes + 1,) * 3) if sum(c) <= votes]
    largest = max(part_e_value(np.array(c), 0) for c in every)
    assert largest_factor(3, votes) == pytest.approx(largest, rel=1e-12)


def test_three_to_one_weighs_more_than_two_to_none():
    """Both stop at a lead of two: why the cap of a part is that of its largest number of votes."""
    assert part_e_value(np.array([3, 1] + [0] * 8), 0) > largest_factor(10, 2)
    assert part_e_value(np.array([3, 1] + [0] * 8), 0) < largest_factor(10, 9)


@pytest.mark.parametrize(
    ("hits", "parts", "classes", "p"),
    [(0, 5, 10, 1), (5, 5, 10, 1e-5), (1, 1, 2, 0.5), (2, 3, 2, 0.5), (1, 2, 10, 0.19)],
)
def test_hits_by_hand(hits, parts, classes, p):
    assert hits_p_value(hits, parts, classes) == pytest.approx(p)


@pytest.mark.parametrize("values", [(6, 5, 10), (-1, 5, 10), (1, 5, 1)])
def test_impossible_hits_are_refused(values):
    with pytest.raises(VerificationError, match="not possible"):
        hits_p_value(*values)


def test_rank_by_hand_and_ties_count_against_the_claim():
    decoys = np.array([0.1, 0.2, 0.2, 0.9])
    assert rank_p_value(1, decoys) == 0.2
    assert rank_p_value(0.2, decoys) == 0.8
    assert rank_p_value(0.0, decoys) == 1


@given(hnp.arrays(np.int64, st.integers(2, 12), elements=st.integers(0, 3)))
def test_the_rank_over_all_places_is_super_uniform(scores):
    p = np.array([rank_p_value(s, np.delete(scores, i)) for i, s in enumerate(scores)])
    for level in p:
        assert (p <= level).mean() <= level + 1e-12


@pytest.mark.parametrize("decoys", [[], [math.nan], [[1.0]]])
def test_bad_decoys_are_refused(decoys):
    with pytest.raises(VerificationError):
        rank_p_value(0.5, np.array(decoys))


@given(COUNTS)
def test_decoys_are_fair_over_all_places(counts):
    values = [decoy_e_value(counts, place) for place in range(len(counts))]
    assert np.mean(values) == pytest.approx(1, abs=1e-12)


@given(hnp.arrays(np.int64, (5, 2), elements=st.integers(0, 9)))
def test_coins_are_fair_over_all_bits(counts):
    values = [coin_e_value(counts, bits) for bits in np.ndindex(*(2,) * 5)]
    assert np.mean(values) == pytest.approx(1, abs=1e-12)
    clear = np.array([[0, 9], [9, 0]])
    assert coin_e_value(clear, [1, 0]) == pytest.approx(1.9**2, rel=1e-4)
    assert coin_e_value(clear, [0, 1]) == pytest.approx(0.1**2, rel=1e-3)


@pytest.mark.parametrize(
    ("counts", "bits"), [([[1, 2]], [1, 0]), ([[1, 2]], [2]), ([[1, 2, 3]], [1])]
)
def test_bad_coins_are_refused(counts, bits):
    with pytest.raises(VerificationError, match="every trigger"):
        coin_e_value(np.array(counts), np.array(bits))


def eliminate(rates, draw, **options):
    game, asked = BlindElimination(len(rates), **options), 0
    while not game.finished:
        shape = (len(game.survivors), game.queries)
        asked += shape[0] * shape[1]
        game.update(draw.random(shape) < rates[game.survivors, None])
    return game, asked


@pytest.mark.parametrize("keep", [0.01, 1 / 8, 1 / 3, 1 / 2, 0.99])
@pytest.mark.parametrize("candidates", [2, 3, 20])
def test_exactly_one_place_survives_whatever_the_answers(candidates, keep):
    for outcome in (0, 1):
        game, _ = eliminate(np.full(candidates, outcome), np.random.default_rng(0), keep=keep)
        p = [game.p_value(place) for place in range(candidates)]
        assert sorted(p) == [1 / candidates] + [1.0] * (candidates - 1)


def test_a_mark_survives_and_costs_what_the_specification_says():
    """statistics.md B (v): 19 decoys at .05, a mark at .5: 66 queries, found in .759."""
    draw, rates = np.random.default_rng(1), np.full(20, 0.05)
    rates[7] = 0.5
    games = [eliminate(rates, draw) for _ in range(600)]
    found = np.mean([game.p_value(7) == 1 / 20 for game, _ in games])
    assert found == pytest.approx(0.759, abs=0.07)  # 4 sd, and ties go another way there
    assert np.mean([asked for _, asked in games]) == pytest.approx(66, abs=4)


def test_elimination_says_nothing_before_its_end_and_takes_no_more_after_it():
    game = BlindElimination(3, queries=(1,), keep=0.5)
    assert game.p_value(0) == 1
    for bad in (np.zeros((3, 2)), np.full((3, 1), 2.0), np.full((3, 1), math.nan)):
        with pytest.raises(VerificationError):
            game.update(bad)
    game.update(np.array([[0], [1], [1]]))
    assert game.survivors.tolist() == [1, 2]
    game.update(np.array([[0], [1]]))
    assert (game.survivors.tolist(), game.p_value(2)) == ([2], 1 / 3)
    with pytest.raises(VerificationError):
        game.update(np.array([[1]]))


@pytest.mark.parametrize(
    "options",
    [
        {"candidates": 1},
        {"candidates": 3, "queries": ()},
        {"candidates": 3, "queries": (0,)},
        {"candidates": 3, "keep": 1},
    ],
)
def test_impossible_eliminations_are_refused(options):
    with pytest.raises(VerificationError):
        BlindElimination(**options)


@pytest.mark.parametrize("target", [-1, 3])
def test_a_target_outside_the_classes_is_refused(target):
    with pytest.raises(VerificationError, match="0 to 2"):
        part_e_value(np.zeros(3), target)


@pytest.mark.parametrize("counts", [[1], [math.nan, 1], [math.inf, 0]])
def test_bad_votes_are_refused(counts):
    with pytest.raises(VerificationError):
        part_weights(np.array(counts))


@pytest.mark.parametrize("values", [{"beta": -1}, {"epsilon": 1.1}, {"beta": math.nan}])
def test_bad_parameters_are_refused(values):
    with pytest.raises(VerificationError, match="beta"):
        part_weights(np.zeros(3), **values)
    with pytest.raises(VerificationError, match="beta"):
        largest_factor(3, **values)


@pytest.mark.parametrize("values", [(1, None), (3, -1)])
def test_impossible_factors_are_refused(values):
    with pytest.raises(VerificationError):
        largest_factor(*values)

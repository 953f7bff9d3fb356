"""Centred votes: exact by brute force over all targets, and by simulation of adverse suspects."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datadeed.errors import VerificationError
from datadeed.verification.centred import (
    Looks,
    centred,
    label_votes,
    log_e_value,
    log_factors,
    looks,
    score_votes,
    shares,
)


def one_hot(answers: list[int] | np.ndarray, classes: int) -> np.ndarray:
    return label_votes(np.asarray(answers), np.eye(classes, dtype=bool))


@st.composite
def summed_votes(draw: st.DrawFn) -> np.ndarray:
    """Sums of up to four images' votes: labels or scores, several transforms or one."""
    parts, classes = draw(st.integers(1, 4)), draw(st.integers(2, 4))
    seed, images = draw(st.integers(0, 2**32 - 1)), draw(st.integers(1, 4))
    rng = np.random.default_rng(seed)
    if draw(st.booleans()):
        votes = one_hot(rng.integers(-1, classes, (images, parts)), classes)
    else:
        votes = score_votes(np.log(rng.dirichlet(np.full(classes, 0.2), (images, parts)) + 1e-300))
    return centred(votes).sum(-3)


@given(summed_votes())
def test_the_mean_of_e_over_all_targets_is_one(sums: np.ndarray) -> None:
    parts, classes = sums.shape[-2:]
    every = itertools.product(range(classes), repeat=parts)
    values = [math.exp(log_e_value(sums, np.array(targets))) for targets in every]
    assert np.mean(values) == pytest.approx(1, abs=1e-12 * classes**parts)


@given(summed_votes())
def test_factors_are_one_on_average(sums: np.ndarray) -> None:
    assert np.exp(log_factors(sums)).mean(-1) == pytest.approx(1)


@given(st.integers(0, 9), st.lists(st.integers(0, 9), min_size=12, max_size=12))
def test_a_model_that_no_trigger_moves_gives_no_evidence(answer: int, targets: list[int]) -> None:
    """Whatever it answers, and whatever the key: the pool and the key may have been chosen."""
    looking = Looks(np.array(targets), 5)
    for _ in range(5):
        looking.add(one_hot([answer] * 12, 10))
    assert looking.log_e == pytest.approx(0)


def test_one_image_is_enough_for_a_mark_that_was_learnt() -> None:
    """12 questions of ten classes: E of the first image is above two million."""
    targets = np.arange(12) % 10
    looking = Looks(targets, 20)
    assert looking.add(one_hot(targets, 10)) >= math.log(1e6)
    assert looking.looked[0][1] >= math.log(2e6)


def test_merged_classes_are_exact_and_still_show_the_mark() -> None:
    """Ten classes merged into five: the mean over targets stays 1, and two images claim."""
    groups = np.repeat(np.eye(5, dtype=bool), 2, axis=1)
    rng = np.random.default_rng(1)
    sums = centred(label_votes(rng.integers(5, size=(3, 4)), groups)).sum(0)
    every = itertools.product(range(10), repeat=4)
    values = [math.exp(log_e_value(sums, np.array(targets))) for targets in every]
    assert np.mean(values) == pytest.approx(1, abs=1e-9)
    targets = rng.integers(10, size=12)
    looking = Looks(targets, 10)
    for _ in range(3):
        looking.add(label_votes(targets // 2, groups))
    assert looking.log_e >= math.log(1e6)


def test_a_bet_on_a_group_is_its_weight_over_its_share() -> None:
    groups = np.array([[1, 1, 1, 0], [0, 0, 0, 1]], dtype=bool)
    sums = centred(label_votes(np.array([[0, 1]]), groups)).sum(0)
    factors = np.exp(log_factors(sums))
    weights = factors / 4
    for b in range(len(factors)):
        for part in range(2):
            assert weights[b, part, :3].sum() / (3 / 4) == pytest.approx(factors[b, part, 0])


class Cycling:
    """A stateful suspect that shows another assignment of labels with every image."""

    def __init__(self, rng: np.random.Generator, parts: int, classes: int):
        self.rng, self.parts, self.classes, self.n = rng, parts, classes, 0

    def answers(self) -> np.ndarray:
        self.n += 1
        return (np.arange(self.parts) * self.n + self.n) % self.classes


@pytest.mark.parametrize("classes", [2, 10])
@pytest.mark.parametrize("suspect", ["cycling", "random", "favourite", "half"])
def test_the_level_holds_over_all_looks(classes: int, suspect: str) -> None:
    """20,000 keys of 6 parts against suspects that answer triggers as wildly as they can."""
    rng = np.random.default_rng([classes, len(suspect)])
    runs, parts, images, level = 20_000, 6, 8, 0.05
    favourite = rng.integers(classes, size=parts)
    cycling = Cycling(rng, parts, classes)
    answered = []
    for _ in range(images):
        answered.append(
            {
                "cycling": cycling.answers(),
                "random": rng.integers(classes, size=parts),
                "favourite": favourite,
                "half": np.where(np.arange(parts) % 2, favourite, 0),
            }[suspect]
        )
    sums = np.cumsum(centred(one_hot(np.array(answered), classes)), axis=0)
    at, targets = looks(images), rng.integers(classes, size=(runs, parts))
    e_values = np.zeros(runs)
    for share, n in zip(shares(len(at)), at, strict=True):
        factors = log_factors(sums[n - 1])  # (B, J, C)
        chosen = factors[:, np.arange(parts), targets].sum(-1)  # (B, runs)
        e_values += share * np.exp(chosen).mean(0)
    assert e_values.mean() == pytest.approx(1, abs=0.25)
    rejected = (e_values >= 1 / level).mean()
    assert rejected <= level + 3 * math.sqrt(level * (1 - level) / runs)
    if suspect == "favourite" and classes == 10:
        assert e_values.max() > 1000  # some keys do fit: the bound is not idle


@given(st.integers(1, 500))
def test_looks_go_from_the_first_image_to_the_last(images: int) -> None:
    at = looks(images)
    assert at[0] == 1
    assert at[-1] == images
    assert at == sorted(set(at))
    assert all(b <= max(a + 1, a * 1.2) for a, b in itertools.pairwise(at))
    assert shares(len(at)).sum() == pytest.approx(1)
    assert (shares(len(at)) > 0).all()


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_evidence_never_falls_from_look_to_look(seed: int) -> None:
    rng = np.random.default_rng(seed)
    looking, before = Looks(rng.integers(3, size=4), 12), -math.inf
    for _ in range(12):
        now = looking.add(one_hot(rng.integers(3, size=4), 3))
        assert now >= before
        before = now
    with pytest.raises(VerificationError, match="nothing is left"):
        looking.add(one_hot(rng.integers(3, size=4), 3))


def test_failed_answers_are_votes_for_nothing() -> None:
    assert not label_votes(np.array([-1, -1]), np.eye(3, dtype=bool)).any()
    looking = Looks(np.array([0, 1]), 3)
    assert looking.add(one_hot([-1, -1], 3)) <= 0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: one_hot([3], 3), "not one of the suspect's 3"),
        (lambda: one_hot([-2], 3), "not one of the suspect's 3"),
        (lambda: label_votes(np.array([0]), np.array([[1, 1], [0, 1]])), "two of the suspect's"),
        (lambda: score_votes(np.array([0.1])), "above 0"),
        (lambda: score_votes(np.array([math.nan])), "not a number"),
        (lambda: log_factors(np.zeros((2, 1))), "2 classes"),
        (lambda: log_factors(np.full((2, 2), math.inf)), "finite"),
        (lambda: log_e_value(np.zeros((2, 3)), np.array([0, 3])), "target from 0 to 2"),
        (lambda: log_e_value(np.zeros((2, 3)), np.array([0])), "target from 0 to 2"),
        (lambda: looks(0), "1 or more"),
    ],
)
def test_bad_input_is_refused_in_a_line(call, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(VerificationError, match=words):
        call()


def test_votes_of_another_shape_are_refused() -> None:
    looking = Looks(np.array([0, 1]), 3)
    looking.add(one_hot([0, 1], 3))
    with pytest.raises(VerificationError, match="as before"):
        looking.add(one_hot([0, 1], 4))

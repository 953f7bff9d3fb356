"""What a budget, a pool and the parts must hold: bounds that the proof itself meets."""

import dataclasses

import numpy as np
import pytest

from datadeed.errors import KeyRecordError
from datadeed.keys.drand import CHAIN_HASH, GENESIS, PERIOD
from datadeed.keys.generation2 import Design2, Key2
from datadeed.keys.key import Beacon, Extent
from datadeed.owner.commit_checks import (
    advise,
    check_design,
    claim_images,
    claim_questions,
    enough_parts,
    excluding_pairs,
)
from datadeed.owner.rounds import round_time
from datadeed.verification.counts import most_blocks
from datadeed.verification.proof2 import Proof2


class EvenKey(Key2):
    """Its labels are spread over the classes as evenly as can be."""

    def target(self, part):
        return self.design.targets[part % len(self.design.targets)]


def design(classes=10, **values):
    names = tuple(map(str, range(classes)))
    return Design2(classes=names, channels=1, **({"targets": range(classes)} | values))


def played(made, pool, answer, labels=None):
    """A finished proof; ``answer`` takes the proof, a question and the pool's labels."""
    key = EvenKey(bytes(32), bytes(32), made, Extent(1000, "00" * 32), Extent(pool, "00" * 32))
    labels = np.arange(pool) % len(made.classes) if labels is None else labels
    proof = Proof2(key, labels)
    while step := proof.step():
        proof.answer([answer(proof, step[0], labels)])
    return proof


def play(made, pool, answer, labels=None):
    """Counted questions and the verdict."""
    proof = played(made, pool, answer, labels)
    return len(proof.curve), proof.verdict()[0]


def thief(proof, question, labels):
    marked = question.layer != "decoy"
    return int(proof.targets[question.part] if marked else labels[question.row])


def honest(proof, question, labels):
    return int(labels[question.row])


def least_claim(made, pool):
    images = most_blocks(made.budget, made.parts, len(made.targets), pool)
    n = claim_images(made.parts, len(made.targets), made.alpha, images, made.answers)
    return n and claim_questions(made, n)


DESIGNS = [
    ({}, 52),
    ({"parts": 4, "alpha": 1e-3}, 100),
    ({"classes": 100}, 66),
    ({"classes": 2, "parts": 38}, 30),
    ({"classes": 2, "parts": 23}, 100),
    ({"classes": 3, "parts": 15}, 500),
    ({"targets": (2, 5, 7), "parts": 24}, 80),
    ({"parts": 7, "budget": 20}, 12),
    ({"answers": "scores"}, 52),
    ({"answers": "scores", "parts": 8}, 52),
    ({"answers": "scores", "classes": 2, "parts": 27}, 100),
]


@pytest.mark.parametrize(("values", "pool"), DESIGNS)
def test_a_perfect_thief_takes_exactly_as_many(values, pool):
    made = design(**values)
    asked, verdict = play(made, pool, thief)
    assert verdict == "CLAIM"
    assert asked == least_claim(made, pool)


def test_pairs_between_blocks_are_counted():
    """Fourteen parts of three classes need more images than the ten first ones, barely."""
    made = design(3, parts=14, budget=2000)
    asked, verdict = play(made, 400, thief)
    assert (verdict, asked) == ("CLAIM", least_claim(made, 400))
    assert asked > 10 * 14 + 100
    with pytest.raises(KeyRecordError, match=r"budget is 350, but a claim takes \d+ counted"):
        check_design(design(3, parts=14, budget=350), 400)
    assert play(design(3, parts=14, budget=350), 400, thief)[1] == "INCONCLUSIVE"


@pytest.mark.parametrize("values", [{}, {"least_effect": 0.5}, {"classes": 2, "parts": 30}])
def test_an_honest_model_takes_exactly_as_many_pairs_that_count(values):
    made = design(**values)
    proof = played(made, 100, honest)
    assert proof.verdict()[0] == "NOT SUPPORTED"
    pairs = excluding_pairs(
        made, 100 - most_blocks(made.budget, made.parts, len(made.targets), 100)
    )
    assert proof.effect.n == pairs
    asked = proof.pairs[: (len(proof.curve) - made.parts) // 2]
    own = sum(row % len(made.classes) == proof.targets[part] for part, row in asked)
    assert len(asked) == pairs + own


class TestEdges:
    """One question, image or part fewer is refused, and would have been in vain."""

    def test_budget_of_a_claim(self):
        made = design(least_effect=0.9, budget=12)
        assert play(made, 66, thief) == (12, "CLAIM")
        with pytest.raises(KeyRecordError, match="but NOT SUPPORTED takes 12"):
            check_design(made, 66)
        with pytest.raises(KeyRecordError, match="budget is 11, but a claim takes 12 counted"):
            check_design(dataclasses.replace(made, budget=11), 66)

    def test_budget_of_an_honest_model(self):
        """At best all pairs that are asked count, as where no image is of a target's class."""
        strange = np.full(66, 9)
        pairs = excluding_pairs(design(targets=range(9), budget=70), 61)
        made = design(targets=range(9), budget=12 + 2 * pairs)
        check_design(made, 66)
        assert play(made, 66, honest, strange)[1] == "NOT SUPPORTED"
        less = dataclasses.replace(made, budget=made.budget - 1)
        with pytest.raises(KeyRecordError, match=rf"takes 12 \+ {2 * pairs} .* at best"):
            check_design(less, 66)
        assert play(less, 66, honest, strange)[1] == "INCONCLUSIVE"

    def test_least_effect(self):
        with pytest.raises(KeyRecordError, match=r"is 0\.05: the 45 pairs .* give more, as 0\.2"):
            check_design(design(least_effect=0.05), 200)
        assert play(design(least_effect=0.05), 200, honest)[1] == "INCONCLUSIVE"

    def test_pool(self):
        made = design(parts=7)
        least = next(n for n in range(1, 99) if claim_images(7, 10, 1e-6, n))
        assert least > 1
        check_design(made, 2 * least)
        with pytest.raises(KeyRecordError, match=rf"pool has \d+ samples, .* takes {2 * least}"):
            check_design(made, 2 * least - 1)
        assert play(made, 2 * least - 2, thief)[1] == "INCONCLUSIVE"
        with pytest.raises(KeyRecordError, match="the pool has 1 samples"):
            check_design(made, 1)

    @pytest.mark.parametrize(("classes", "parts"), [(2, 12), (10, 6), (1000, 2)])
    @pytest.mark.parametrize("answers", ["labels", "scores"])
    def test_parts_that_never_reach_it(self, classes, parts, answers):
        asked = {"answers": answers, "budget": 4000}
        with pytest.raises(KeyRecordError, match="whatever is asked: take ") as refused:
            check_design(design(classes, parts=parts, **asked), 10_000)
        told = str(refused.value)
        assert told.endswith(", or labels for answers") is (answers == "scores")
        least = int(told.partition("take ")[2].partition(" or")[0])
        check_design(design(classes, parts=least, **asked), 10_000)
        if answers == "labels":
            assert least == enough_parts(classes, 1e-6)

    @pytest.mark.parametrize("alpha", [0.0501, 0.5])
    def test_alpha(self, alpha):
        with pytest.raises(KeyRecordError, match=r"so often is none; give 0\.05 or less"):
            check_design(design(alpha=alpha), 100)
        check_design(design(alpha=0.05), 100)


@pytest.mark.parametrize(("classes", "alpha"), [(2, 1e-6), (10, 1e-6), (10, 1e-3), (1000, 1e-9)])
def test_enough_parts_are_claimed_on_one_image(classes, alpha):
    enough = enough_parts(classes, alpha)
    made = design(classes, alpha=alpha, parts=enough)
    assert play(made, 100, thief) == (enough, "CLAIM")
    assert play(dataclasses.replace(made, parts=enough - 1), 100, thief)[0] > enough


def test_what_an_owner_is_told():
    assert advise(design(), "photos", 50) == []
    (line,) = advise(design(targets=(0, 1, 2)), "photos", 50)
    assert line.startswith("7 of 10 classes have no row in photos ('3', '4', '5', '6', '7' ...)")
    (line,) = advise(design(), "photos", 48)
    assert line.startswith(
        "the pool has 48 samples: 24 can be asked in blocks, and the budget pays"
    )


def test_when_a_round_is_out():
    """Round 1 at the genesis, 3 seconds each; of other beacons nothing is known."""
    assert round_time(Beacon("drand quicknet", 1)) == GENESIS
    assert round_time(Beacon("drand Quicknet", 101)) == GENESIS + 100 * PERIOD
    assert round_time(Beacon(f"drand:{CHAIN_HASH}", 101)) == GENESIS + 100 * PERIOD
    assert round_time(Beacon("NIST", 5)) is None

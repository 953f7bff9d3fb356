"""The fewest questions that a claim can take: what a budget must hold."""

import numpy as np
import pytest

from datadeed.keys.drand import CHAIN_HASH, GENESIS, PERIOD
from datadeed.keys.key import Beacon, Design, Extent, Key
from datadeed.owner.commit_checks import least_behaviour_questions, least_key_questions
from datadeed.owner.rounds import round_time
from datadeed.verification.proof import Proof
from datadeed.watermarks.keyed import target_label


def design(classes=10, **values):
    return Design(classes=tuple(map(str, range(classes))), channels=1, **values)


SMALL = {"parts": 4, "alpha_key": 1e-3, "null_rate": 0.4}


@pytest.mark.parametrize(
    ("classes", "values"),
    [(10, SMALL), (10, {}), (100, {}), (2, {"parts": 24}), (3, {"parts": 20})],
)
def test_a_perfect_thief_takes_no_fewer(classes, values):
    """Nor many more: the bound is of use."""
    made = design(classes, **values)
    labels = np.arange(600) % classes
    key = Key(bytes(32), bytes(32), made, Extent(1000, "00" * 32), Extent(600, "00" * 32))
    proof = Proof(key, labels)
    while (question := proof.question()) is not None:
        proof.answer(target_label(key, question.part))
    assert proof.verdict()[0] == "CLAIM"
    least = least_key_questions(made)
    assert least == proof.key_layer.queries
    behaviour = least_behaviour_questions(made, labels)
    assert proof.behaviour_layer.queries - 1 <= behaviour <= proof.behaviour_layer.queries


def test_two_classes_cannot_reach_it_with_few_parts():
    assert least_key_questions(design(2)) is None


def test_votes_for_another_label_can_save_a_part():
    """Four parts at a level that two votes each miss by little: one part takes two votes more."""
    tight = design(parts=4, alpha_key=5e-4)
    assert least_key_questions(design(parts=4, alpha_key=6e-4)) == 8
    assert least_key_questions(tight) == 10


def test_when_a_round_is_out():
    """Round 1 at the genesis, 3 seconds each; of other beacons nothing is known."""
    assert round_time(Beacon("drand quicknet", 1)) == GENESIS
    assert round_time(Beacon("drand Quicknet", 101)) == GENESIS + 100 * PERIOD
    assert round_time(Beacon(f"drand:{CHAIN_HASH}", 101)) == GENESIS + 100 * PERIOD
    assert round_time(Beacon("NIST", 5)) is None

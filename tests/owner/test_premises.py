"""When the premise on the key holds: a real round's signature, and a stamp before the round."""

from datetime import timedelta

import pytest

from datadeed.keys.drand import time_of
from datadeed.owner.premises import premises

# Round 1000 of drand quicknet, as published; its randomness is the signature's SHA-256.
ROUND = 1000
SIGNATURE = (
    "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125"
    "e342b73a8dd2bacbe47e4b6b63ed5e39"
)
RANDOMNESS = "fe290beca10872ef2fb164d2aa4442de4566183ec51c56ff3cd603d930e54fdd"
BEFORE, AFTER = (time_of(ROUND) + timedelta(seconds=s) for s in (-1, 0))


def premise(source="drand quicknet", value=SIGNATURE, round=ROUND, stamped=BEFORE):
    evidence = {
        "key": {"beacon": {"source": source, "round": round, "value": value}},
        "multiplicity": {"suspects": 1},
        "suspect": {"name": "a", "endpoint": "b"},
    }
    found = premises(evidence, stamped=stamped, clean=None, repeated=0, confirmed=frozenset())
    return next(each for each in found if each.name == "key")


def test_a_signed_value_after_the_stamp_is_verified():
    assert premise().status == "verified"


@pytest.mark.parametrize(
    ("changed", "status", "words"),
    [
        ({"stamped": None}, "stated", "no timestamp"),
        ({"stamped": AFTER}, "missing", "after its round was out"),
        ({"value": RANDOMNESS}, "stated", "not verified"),
        ({"value": "00" * 48}, "missing", "not that of its round"),
        ({"round": ROUND + 1}, "missing", "not made with drand quicknet's key"),
        ({"source": "drand"}, "stated", "clock is not known"),
    ],
)
def test_anything_less_is_not(changed, status, words):
    found = premise(**changed)
    assert found.status == status
    assert words in found.found

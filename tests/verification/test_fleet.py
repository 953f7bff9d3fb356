"""Which of many watched suspects are named."""

import math

import numpy as np
import pytest

from datadeed.errors import VerificationError
from datadeed.verification.fleet import listed
from datadeed.verification.lifetime import Lifetime


def logs(**values):
    return {name: math.log(value) for name, value in values.items()}


def test_one_suspect_must_reach_its_own_bar():
    assert listed(logs(a=1e6 * 1.001, b=5.0), alpha=1e-6, watches=1 + 1) == set()
    assert listed(logs(a=2e6 * 1.001, b=5.0), alpha=1e-6, watches=2) == {"a"}


def test_several_lower_the_bar_for_each_other():
    """Ten watches: alone 1e7 is needed, two need 5e6 each, three 3.34e6."""
    found = logs(a=6e6, b=5.1e6, c=3e6, d=1.0)
    assert listed(found, alpha=1e-6, watches=10) == {"a", "b"}
    assert listed(found | logs(c=3.4e6), alpha=1e-6, watches=10) == {"a", "b", "c"}


def test_nobody_is_named_where_nothing_was_found():
    assert listed({}, alpha=0.01, watches=5) == set()
    assert listed({"a": -math.inf}, alpha=0.01, watches=1) == set()


def test_more_suspects_than_were_declared_are_refused():
    with pytest.raises(VerificationError, match="3 suspects are more than the 2 watches"):
        listed(logs(a=1.0, b=1.0, c=1.0), alpha=0.01, watches=2)


def test_false_ones_are_rare_among_the_named_under_shared_keys():
    """20 suspects, all watched with the same labels; two in three innocent, with favourites."""
    rng, alpha, shares, power = np.random.default_rng(3), 0.1, [], []
    for _ in range(60):
        targets, found = rng.integers(4, size=6), {}
        favourite = rng.integers(4, size=6)  # which innocent ones have in common, too
        for suspect in range(20):
            given = targets if suspect % 3 == 0 else favourite
            life = Lifetime(targets)
            votes = np.eye(4)[given]
            for _ in range(4):
                life.add((votes - votes.mean(0))[None])
            found[f"{suspect}"] = float(life.log_e)
        named = listed(found, alpha=alpha, watches=20)
        false = sum(int(name) % 3 != 0 for name in named)
        shares.append(false / max(len(named), 1))
        power.append((len(named) - false) / 7)
    assert np.mean(shares) <= alpha
    assert np.mean(power) > 0.9

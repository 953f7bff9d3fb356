import numpy as np
import pandas as pd
import pytest

from datadeed.errors import ParameterError
from papers.proof import embedding, power
from papers.proof.keys import key_of
from tests.papers.proof.conftest import THIEF, Thief


def test_a_perfect_thief_is_claimed_in_every_order(thief, lab):
    embedding.run(lab)
    power.run(lab)
    rows = pd.read_csv(thief.root / "results/power.csv").set_index("goal")
    assert list(rows.index) == [
        "key layer reaches 100",
        "key layer reaches 20",
        "CLAIM",
        "published: DVBW t-test, p <= 0.01",
    ]
    assert (rows.mean_success == 1).all()
    assert rows.runs.tolist() == [6, 6, 6, 5]
    assert rows.power["CLAIM"] == rows.power["key layer reaches 20"] == 1
    # Two agreeing votes are worth 2.53 at C = 3, and 2.53 ** 4 > 20 > 2.53 ** 3.
    assert rows.mean_queries["key layer reaches 20"] == rows.queries_90["key layer reaches 20"] == 8
    assert rows.power["key layer reaches 100"] == 0
    assert np.isnan(rows.mean_queries["key layer reaches 100"])
    assert rows.mean_queries["CLAIM"] == rows.mean_spent["CLAIM"] > 8
    assert rows.mean_queries.iloc[-1] == 20  # two of m = 10


def test_orders_differ_and_are_the_same_again(lab):
    key = key_of(lab, THIEF)
    half = Thief(key, lambda part: part % 2 == 0)
    curves = [
        [proof.curve for proof in power.proofs_of(lab, THIEF, half, key, 4)] for _ in range(2)
    ]
    assert curves[0] == curves[1]
    rows = [
        proof.behaviour_layer.pairs.tolist() for proof in power.proofs_of(lab, THIEF, half, key, 2)
    ]
    assert rows[0] != rows[1]


def test_a_goal_that_is_reached_now_and_then():
    row = power.row_of("x", [10, None, 20, None], [10, 60, 20, 60])
    assert (row["runs"], row["reached"], row["power"]) == (4, 2, 0.5)
    assert (row["mean_queries"], row["median_queries"], row["mean_spent"]) == (15, 15, 37.5)
    assert row["low"] < 0.5 < row["high"]


def test_the_table_of_success_is_needed(lab):
    with pytest.raises(ParameterError, match=r"embedding-summary\.csv does not exist"):
        power.run(lab)

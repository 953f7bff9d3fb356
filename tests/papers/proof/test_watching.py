"""The study of a year's watch: its table, and that it can see both an alarm and a delay."""

import csv

import numpy as np
import pytest

from datadeed.errors import ParameterError
from papers.proof import watching
from tasks.lab import Lab


@pytest.fixture
def month(monkeypatch):
    monkeypatch.setattr(watching, "DAYS", 30)
    monkeypatch.setattr(watching, "MARKED", ((0.95, 20, False), (0.3, 20, False), (0.3, 20, True)))


def test_the_table_is_written(workspace, month, capsys):
    watching.run(Lab("proof"), "5")
    with (workspace.root / "results/watching.csv").open() as file:
        found = list(csv.DictReader(file))
    innocent, marked = found[:8], found[8:]
    assert [row["keys"] for row in innocent] == ["5"] * 2 + ["50"] * 6
    assert {row["level"] for row in innocent} == {"0.01", "1e-06"}
    told = [(row["success"], row["noticed"], row["alarms_before"]) for row in marked]
    assert told == [("0.95", "False", "0"), ("0.3", "False", "0"), ("0.3", "True", "0")]
    delays = [float(row["median_days"]) for row in marked]
    assert 1 <= delays[0] <= 3 < delays[1]
    assert delays[2] <= delays[1]  # the same answers, and an exchange that was noticed
    assert "the level holds in 8 of 8 rows; 3 delays" in capsys.readouterr().out


def test_a_row_is_the_same_whatever_stands_beside_it(month):
    first, again = (watching.innocent_rows("honest", 3, 5) for _ in range(2))
    assert first == again
    assert watching.innocent_rows("honest", 3, 6) != first


def test_a_suspect_that_knows_the_targets_is_an_alarm(month, monkeypatch):
    """The bound is no property of the simulation: with the key in the answers it breaks."""
    monkeypatch.setattr(watching, "ask", lambda rng, targets, success: targets)
    rows = watching.innocent_rows("honest", 4, 1)
    assert [row["alarms"] for row in rows] == [4, 4]
    assert not any(row["bound_holds"] for row in rows)


def test_who_never_shows_has_no_delay(month):
    row = watching.marked_row(0.0, 20, False, 4, 1)
    assert (row["alarms"], row["median_days"]) == (0, np.inf)


@pytest.mark.parametrize("word", ["0", "-1", "many", "1.5"])
def test_no_runs_is_one_line(workspace, word):
    with pytest.raises(ParameterError, match=f"^{word} runs: give 1 or more"):
        watching.run(Lab("proof"), word)

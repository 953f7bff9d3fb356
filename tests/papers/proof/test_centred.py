"""The study of centred votes: its two tables, and its figures against known ones."""

import csv
import math

import numpy as np
import pytest

from datadeed.errors import ParameterError
from papers.proof import centred
from tasks.lab import Lab


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_both_tables_are_written(workspace, monkeypatch, capsys):
    monkeypatch.setattr(centred, "CLASSES", (2, 10))
    monkeypatch.setattr(centred, "MARKED", ((10, 12),))
    monkeypatch.setattr(centred, "RUNS", 40)
    centred.run(Lab("proof"), "200")
    type_one = rows(workspace.root / "results/centred-type-one.csv")
    assert len(type_one) == 2 * len(centred.SUSPECTS)
    constant = [row for row in type_one if row["suspect"] == "constant"]
    assert [(float(row["mean_e"]), float(row["rate"])) for row in constant] == [(1, 0)] * 2
    queries = rows(workspace.root / "results/centred-queries.csv")
    assert [row["success"] for row in queries] == [f"{s:g}" for s in centred.SUCCESS]
    assert queries[0]["queries_95"] == queries[0]["queries_95_fixed"] == "12"
    for row in queries:
        assert int(row["least"]) <= int(row["queries_95_fixed"]) <= int(row["queries_95"])
    assert "the level holds in 12 of 12 rows; 5 costs" in capsys.readouterr().out


def test_a_row_is_the_same_whatever_stands_beside_it():
    first, again = (centred.type_one_row("random", 10, 100, 5) for _ in range(2))
    assert first == again
    assert centred.type_one_row("random", 10, 100, 6)["mean_e"] != first["mean_e"]


def test_a_suspect_that_knows_the_targets_is_claimed(monkeypatch):
    """The simulation can reject: with the key in the answers it nearly always does."""
    draws = np.random.default_rng(0).integers(10, size=centred.PARTS)
    given = {"thief": np.tile(draws, (centred.IMAGES, 1))}
    monkeypatch.setattr(centred, "answers", lambda *_: given)
    monkeypatch.setattr(np.random, "default_rng", lambda *_: Fixed(draws))
    assert centred.type_one_row("thief", 10, 3, 1)["rate"] == 1


class Fixed:
    """A generator whose keys are all the same one."""

    def __init__(self, targets):
        self.targets = targets

    def integers(self, classes, size):
        return np.tile(self.targets, (size[0], 1))


@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_information_of_a_sure_answer_is_that_of_a_class(monkeypatch, classes):
    monkeypatch.setattr(centred, "NOISE", 1e-12)
    assert centred.information(classes, 1 - 1e-12) == pytest.approx(math.log(classes), abs=1e-6)
    assert centred.information(classes, 0) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("word", ["0", "-1", "many", "1.5"])
def test_no_keys_is_one_line(workspace, word):
    with pytest.raises(ParameterError, match=f"^{word} keys: give 1 or more"):
        centred.run(Lab("proof"), word)

import csv
import dataclasses

import pytest

from datadeed.errors import ParameterError
from papers.proof import simulate
from tasks.lab import Lab


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_both_tables_are_written(workspace, monkeypatch, capsys):
    chosen = [game for game in simulate.games() if game.test in ("conformal rank", "e-BH")]
    monkeypatch.setattr(simulate, "games", lambda: chosen)
    simulate.run(Lab("proof"), "40")
    type_one = rows(workspace.root / "results/type-one.csv")
    assert ",".join(type_one[0]) == (
        "test,null,setting,level,repetitions,rejections,rate,low,high,bound_holds"
    )
    assert [row["test"] for row in type_one] == ["e-BH", "e-BH", "conformal rank"]
    for row in type_one:
        assert float(row["rate"]) == int(row["rejections"]) / 40
        assert float(row["low"]) <= float(row["rate"]) <= float(row["high"])
    queries = rows(workspace.root / "results/queries.csv")
    assert len(queries) == 18
    assert {row["published_queries"] for row in queries} == {"200"}
    assert {row["budget"] for row in queries if row["layer"] == "behaviour"} == {"1500"}
    assert all(0 <= float(row["power"]) <= 1 for row in queries)
    assert "the level holds in " in capsys.readouterr().out


def test_a_row_is_the_same_whatever_stands_beside_it():
    game = simulate.games()[-1]
    first, again = (simulate.type_one_row(game, 200, 5) for _ in range(2))
    assert first == again
    assert first["rate"] == pytest.approx(0.24, abs=0.15)
    assert not first["bound_holds"]
    assert simulate.type_one_row(game, 200, 6)["rejections"] != first["rejections"]


def test_the_interval_is_exact():
    """No rejection in 100: the upper end is 1 - .025 ** (1/100)."""
    game = dataclasses.replace(simulate.games()[0], play=lambda rng, n, level: rng.random(n) > 1)
    row = simulate.type_one_row(game, 100, 1)
    assert (row["low"], row["bound_holds"]) == (0, True)
    assert row["high"] == pytest.approx(1 - 0.025**0.01)


def test_every_row_has_a_name_of_its_own():
    names = [(game.test, game.setting, game.level) for game in simulate.games()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("word", ["0", "-1", "many", "1.5"])
def test_no_repetitions_is_one_line(workspace, word):
    with pytest.raises(ParameterError, match=f"^{word} repetitions: give 1 or more"):
        simulate.run(Lab("proof"), word)

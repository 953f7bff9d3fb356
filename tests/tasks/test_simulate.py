import csv
import dataclasses
import sys

import pytest

from tasks import simulate


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def run(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["simulate", *words])
    simulate.main()


def test_both_tables_are_written(workspace, monkeypatch, capsys):
    chosen = [case for case in simulate.cases() if case.test in ("conformal rank", "e-BH")]
    monkeypatch.setattr(simulate, "cases", lambda: chosen)
    run(monkeypatch, "--repetitions", "40")
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
    case = simulate.cases()[-1]
    first, again = (simulate.type_one_row(case, 200, 5) for _ in range(2))
    assert first == again
    assert first["rate"] == pytest.approx(0.24, abs=0.15)
    assert not first["bound_holds"]
    assert simulate.type_one_row(case, 200, 6)["rejections"] != first["rejections"]


def test_the_interval_is_exact():
    """No rejection in 100: the upper end is 1 - .025 ** (1/100)."""
    case = dataclasses.replace(simulate.cases()[0], play=lambda rng, n, level: rng.random(n) > 1)
    row = simulate.type_one_row(case, 100, 1)
    assert (row["low"], row["bound_holds"]) == (0, True)
    assert row["high"] == pytest.approx(1 - 0.025**0.01)


def test_every_row_has_a_name_of_its_own():
    names = [(case.test, case.setting, case.level) for case in simulate.cases()]
    assert len(set(names)) == len(names)


def test_no_repetitions_is_one_line(workspace, monkeypatch):
    with pytest.raises(SystemExit, match="error: --repetitions 0: give 1 or more"):
        run(monkeypatch, "--repetitions", "0")

import csv
import json
import shutil
import sys

import pytest

from tasks import tabulate


def run(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["tabulate"])
    tabulate.main()


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_cells_are_the_evidence_and_tables_and_claims_rest_on_them(verified, monkeypatch, capsys):
    run(monkeypatch)
    results = verified.root / "results"
    names = ["cells.csv", "claims.csv", "table-01.csv", "table-02.csv", "table-03.csv"]
    assert sorted(p.name for p in results.iterdir()) == names
    cells, claims = rows(results / "cells.csv"), rows(results / "claims.csv")
    assert f"{len(cells)} cells; " in capsys.readouterr().out
    for cell in cells:
        assert cell["stage"] == (
            f"papers/dvbw/dvc.yaml:verify@toy-resnet18-{cell['watermark']}-{cell['seed']}"
        )
        assert (cell["scale"], cell["published"]) == ("toy", "")
    for watermark in ("badnets-line", "blended-line"):
        path = verified.root / f"data/evidence/toy-resnet18-{watermark}-1/evidence.json"
        for scenario, found in json.loads(path.read_text())["scenarios"].items():
            values = {
                (cell["table"], cell["metric"]): (float(cell["value"]), int(cell["n"]))
                for cell in cells
                if (cell["watermark"], cell["scenario"]) == (watermark, scenario)
            }
            success = found["rates"]["watermark_success"]
            assert values["1", "wsr"] == (pytest.approx(success["value"]), success["n"])
            t_test = found["probability"]["p_published"]
            assert values["2", "p_published"] == (pytest.approx(t_test), 10)
            exact = found["label_only"]["binomial"]["p_value"]
            assert values["3", "p_binomial"] == (pytest.approx(exact), 10)
    for number in (1, 2, 3):
        table = rows(results / f"table-{number:02d}.csv")
        assert {"badnets-line", "blended-line"} < set(table[0])
        assert {row["metric"] for row in table} == {
            cell["metric"] for cell in cells if cell["table"] == str(number)
        }
    assert {claim["holds"] for claim in claims} <= {"True", "False"}
    assert len({claim["claim"] for claim in claims}) == len(claims) > 8


def test_evidence_outside_the_grid_is_left_out(verified, monkeypatch):
    run(monkeypatch)
    before = (verified.root / "results/cells.csv").read_text()
    evidence = verified.root / "data/evidence"
    shutil.copytree(
        evidence / "toy-resnet18-badnets-line-1", evidence / "toy-resnet18-badnets-line-9"
    )
    run(monkeypatch)
    assert (verified.root / "results/cells.csv").read_text() == before


def test_missing_evidence_is_one_line_and_keeps_the_tables(verified, monkeypatch):
    (verified.root / "results").mkdir()
    (verified.root / "results/cells.csv").write_text("earlier")
    shutil.rmtree(verified.root / "data/evidence/toy-resnet18-blended-line-1")
    with pytest.raises(SystemExit, match=r"^error: .*evidence\.json does not exist") as caught:
        run(monkeypatch)
    assert "\n" not in str(caught.value)
    assert [p.name for p in (verified.root / "results").iterdir()] == ["cells.csv"]
    assert (verified.root / "results/cells.csv").read_text() == "earlier"


def test_a_missing_entry_is_one_line(workspace, monkeypatch):
    del workspace.parameters["grid"]
    workspace.write()
    with pytest.raises(SystemExit, match=r"^error: params\.yaml has no entry 'grid'"):
        run(monkeypatch)

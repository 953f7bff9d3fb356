import csv
import json
import shutil
import sys

import pytest

from datadeed.files import write_json
from tasks import tabulate
from tests.reports import clean_evidence
from tests.reports.ubw_evidence import records


@pytest.fixture
def verified(verified):
    """DVBW's evidence from the stages, and made-up evidence of the other papers."""
    made = records()
    verified.parameters["ubw"] = {
        "datasets": ["fashion-mnist"],
        "networks": ["resnet18-ubw"],
        "watermarks": list(dict.fromkeys(record["watermark"] for record in made)),
        "seeds": [1, 2],
    }
    clean = {"victims": (clean_evidence.records(), "evidence.json")}
    clean["hidden"] = (clean_evidence.stealth(), "stealth.json")
    verified.parameters["clean"] = {
        kind: {name_of(record): record for record in its} for kind, (its, _) in clean.items()
    }
    verified.write()
    for found, file in ((made, "evidence.json"), *clean.values()):
        for record in found:
            write_json(verified.root / "data/evidence" / name_of(record) / file, record)
    return verified


def name_of(record):
    return "{dataset}-{network}-{watermark}-{seed}".format(**record)


def run(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["tabulate"])
    tabulate.main()


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_cells_are_the_evidence_and_tables_and_claims_rest_on_them(verified, monkeypatch, capsys):
    run(monkeypatch)
    results = verified.root / "results"
    names = ["cells.csv", "claims.csv", *(f"table-{number:02d}.csv" for number in range(1, 12))]
    assert sorted(p.name for p in results.iterdir()) == names
    cells, claims = rows(results / "cells.csv"), rows(results / "claims.csv")
    assert f"{len(cells)} cells; " in capsys.readouterr().out
    assert {cell["paper"] for cell in cells} == {"clean-label", "dvbw", "ubw"}
    cells = [cell for cell in cells if cell["paper"] == "dvbw"]
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
    claims = [claim for claim in claims if claim["paper"] != "ubw"]
    assert {claim["holds"] for claim in claims} <= {"True", "False"}
    assert len({claim["claim"] for claim in claims}) == len(claims) > 8


def test_all_papers_are_in_one_file_of_cells_and_one_of_claims(verified, monkeypatch, capsys):
    run(monkeypatch)
    results = verified.root / "results"
    cells, claims = rows(results / "cells.csv"), rows(results / "claims.csv")
    mine = [cell for cell in cells if cell["paper"] == "ubw"]
    assert {cell["table"] for cell in mine} == {"4", "6", "7"}
    (ba,) = {
        float(cell["value"])
        for cell in mine
        if (cell["watermark"], cell["scenario"], cell["metric"]) == ("ubw-c", "victim", "ba")
    }
    assert ba == 0.9
    papers = [claim["paper"] for claim in claims]
    assert papers.count("ubw") > 5 < papers.count("dvbw")
    tested = [claim["holds"] for claim in claims if claim["holds"]]
    held = f"{tested.count('True')} of {len(tested)} tested claims hold"
    assert capsys.readouterr().out == f"{len(cells)} cells; {held}\n"


def test_a_table_without_a_dataset_has_a_header_only(verified, monkeypatch):
    run(monkeypatch)
    lines = {
        number: (verified.root / f"results/table-0{number}.csv").read_text().splitlines()
        for number in (4, 5)
    }
    assert len(lines[4]) > 1
    assert lines[5] == lines[4][:1]
    assert "asr_c" in lines[5][0]


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


@pytest.mark.parametrize("entry", ["grid", "ubw"])
def test_a_missing_entry_is_one_line(verified, monkeypatch, entry):
    del verified.parameters[entry]
    verified.write()
    with pytest.raises(SystemExit, match=rf"^error: params\.yaml has no entry '{entry}'"):
        run(monkeypatch)

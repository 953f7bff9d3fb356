import csv
import shutil
import sys

import pytest

from datadeed.reports.cells import COLUMNS, read_csv
from tasks import cells, study, tabulate
from tests.papers import toy

CELL = "toy-resnet18-{}-1"
# Another paper: one number a cell, one study, both in tables of their own.
JUDGE = """
from papers.base import grid

PAPER = "a-toy"

def cases(settings):
    return grid(settings["toy"])

def studies(settings):
    return {"study": cases(settings)[:1]}

def judge(answers, case, records):
    share = {"table": 99, "scenario": "s", "metric": "ba", "value": 0.1 + 0.2, "n": 3}
    verdict = share | {"table": None, "metric": "verdict", "value": 2}
    return [share | {"watermark": "none"}, verdict]
"""
STUDY = """
def stage(case, settings):
    return "study-" + settings["scale"]

def run(lab, *words):
    return [{"table": 100, "scenario": "s", "metric": "ba", "value": 0.5, "n": len(words)}]
"""
TABLES = """
TABLES = {99: "One", 100: "Two"}

def tables(cells):
    return {table: cells[cells.table == table][["dataset", "value"]] for table in TABLES}
"""


@pytest.fixture
def two_papers(judged):
    """Cells of DVBW and of another paper, which has a study besides."""
    with toy.installed(judged.root, judge=JUDGE, study=STUDY, tables=TABLES):
        judged.parameters["toy"] = judged.parameters["grid"] | {"watermarks": ["other"]}
        judged.write()
        from papers.toy import judge

        from tasks.records import Records

        case = judge.cases(judged.parameters)[0]
        cells.write_cells(judge.judge(None, case, None), case, judge, Records("toy"))
        study.run("toy", "study", *map(str, vars(case).values()))
        yield judged


def run(monkeypatch, paper="dvbw"):
    monkeypatch.setattr(sys, "argv", ["tabulate", paper])
    tabulate.main()


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_cells_are_the_judges_rows_and_tables_and_claims_rest_on_them(judged, monkeypatch, capsys):
    run(monkeypatch)
    results = judged.root / "results/dvbw"
    names = ["cells.csv", "claims.csv", "metrics.json"]
    names += [*(f"table-{number:02d}.csv" for number in (1, 2, 3))]
    assert sorted(p.name for p in results.iterdir()) == names
    found, claims = rows(results / "cells.csv"), rows(results / "claims.csv")
    assert list(found[0]) == COLUMNS
    tested = [claim["holds"] for claim in claims if claim["holds"]]
    held = f"{tested.count('True')} of {len(tested)} tested claims hold"
    assert capsys.readouterr().out.endswith(f"{len(found)} cells; {held}\n")
    for cell in found:
        assert cell["stage"] == (
            f"papers/dvbw/dvc.yaml:judge@toy-resnet18-{cell['watermark']}-{cell['seed']}"
        )
        assert (cell["paper"], cell["scale"], cell["published"]) == ("dvbw", "toy", "")
    for watermark in ("badnets-line", "blended-line"):
        made = read_csv(judged.root / f"data/cells/dvbw/{CELL.format(watermark)}.csv")
        made = made[made["table"].notna()]
        key = ("table", "scenario", "metric")
        values = {
            tuple(cell[name] for name in key): (cell["value"], cell["n"])
            for cell in found
            if cell["watermark"] == watermark
        }
        assert values == {
            tuple(str(getattr(row, name)) for name in key): (f"{row.value:.10g}", str(row.n))
            for row in made.itertuples()
        }
    for number in (1, 2, 3):
        table = rows(results / f"table-{number:02d}.csv")
        assert {"badnets-line", "blended-line"} < set(table[0])
        assert {row["metric"] for row in table} == {
            cell["metric"] for cell in found if cell["table"] == str(number)
        }
    assert {claim["holds"] for claim in claims} <= {"True", "False"}
    assert len({claim["claim"] for claim in claims}) == len(claims) > 8


def test_papers_come_in_the_order_of_their_tables():
    found = cells.all_papers()
    assert found[0] == "dvbw"
    first = [min(cells.paper_module(paper, "tables").TABLES) for paper in found]
    assert first == sorted(first)


def test_no_two_papers_have_a_table_of_the_same_number():
    tables = [cells.paper_module(paper, "tables").TABLES for paper in cells.all_papers()]
    numbers = [number for its in tables for number in its]
    assert len(set(numbers)) == len(numbers)


def test_a_paper_is_tabulated_alone(two_papers, monkeypatch):
    shutil.rmtree(two_papers.root / "data/cells/dvbw")
    run(monkeypatch, "toy")
    results = two_papers.root / "results/toy"
    assert [p.name for p in results.parent.iterdir()] == ["toy"]
    names = ["cells.csv", "claims.csv", "metrics.json", "table-100.csv", "table-99.csv"]
    assert sorted(p.name for p in results.iterdir()) == names
    found = rows(results / "cells.csv")
    assert {cell["paper"] for cell in found} == {"a-toy"}
    assert [(c["table"], c["watermark"], c["value"], c["n"]) for c in found] == [
        ("99", "none", "0.3", "3"),
        ("100", "other", "0.5", "4"),
    ]
    where = CELL.format("other")
    assert [cell["stage"] for cell in found] == [
        f"papers/toy/dvc.yaml:judge@{where}",
        f"papers/toy/dvc.yaml:study-toy@{where}",
    ]
    assert (results / "table-99.csv").read_text() == f"dataset,value\ntoy,{0.1 + 0.2}\n"
    assert [claim["paper"] for claim in rows(results / "claims.csv")] == ["toy"]


def test_a_number_that_stands_in_no_table_is_for_the_page_alone(two_papers, monkeypatch):
    run(monkeypatch, "toy")
    judged = two_papers.root / f"data/cells/toy/{CELL.format('other')}.csv"
    assert "verdict" in judged.read_text()
    assert "verdict" not in (two_papers.root / "results/toy/cells.csv").read_text()


def test_a_table_without_a_dataset_has_a_header_only(judged, monkeypatch):
    judged.parameters["grid"]["datasets"] = []
    judged.write()
    run(monkeypatch)
    results = judged.root / "results/dvbw"
    assert (results / "table-01.csv").read_text() == "dataset,model,scenario,metric\n"
    assert (results / "cells.csv").read_text() == ",".join(COLUMNS) + "\n"
    assert len(rows(results / "claims.csv")) == 0


def test_cells_outside_the_grid_are_left_out(judged, monkeypatch):
    run(monkeypatch)
    before = (judged.root / "results/dvbw/cells.csv").read_text()
    data = judged.root / "data/cells/dvbw"
    name = CELL.format("badnets-line")
    (data / f"{name[:-1]}9.csv").write_text((data / f"{name}.csv").read_text())
    run(monkeypatch)
    assert (judged.root / "results/dvbw/cells.csv").read_text() == before


def test_a_missing_cell_is_one_line_and_keeps_the_tables(judged, monkeypatch):
    (judged.root / "results/dvbw").mkdir(parents=True)
    (judged.root / "results/dvbw/cells.csv").write_text("earlier")
    (judged.root / f"data/cells/dvbw/{CELL.format('blended-line')}.csv").unlink()
    with pytest.raises(SystemExit, match=r"^error: .*blended-line-1\.csv does not exist") as caught:
        run(monkeypatch)
    assert "\n" not in str(caught.value)
    assert [p.name for p in (judged.root / "results/dvbw").iterdir()] == ["cells.csv"]
    assert (judged.root / "results/dvbw/cells.csv").read_text() == "earlier"


@pytest.mark.parametrize("paper", ["no-paper", "proof"])
def test_a_paper_without_tables_is_one_line(judged, monkeypatch, paper):
    with pytest.raises(SystemExit, match=rf"^error: papers/{paper}/tables\.py does not exist"):
        run(monkeypatch, paper)
    assert not (judged.root / "results").exists()


@pytest.mark.parametrize(("entry", "paper"), [("grid", "dvbw"), ("toy", "toy")])
def test_a_missing_entry_is_one_line(two_papers, monkeypatch, entry, paper):
    del two_papers.parameters[entry]
    two_papers.write()
    with pytest.raises(SystemExit, match=rf"^error: params\.yaml has no entry '{entry}'"):
        run(monkeypatch, paper)

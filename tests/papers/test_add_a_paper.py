"""docs/add-a-paper.md, followed to the letter on a toy dataset."""

import csv
import re
import sys
from pathlib import Path

import pytest
import yaml

from papers.base import Case
from tasks import ask, cells, judge, mark, report, tabulate, train
from tests.papers import toy

CASE = Case("toy", "resnet18", "corner", 1)


@pytest.fixture
def project(workspace):
    """The page's files, for the dataset of the tests."""
    with toy.installed(workspace.root):
        workspace.parameters |= yaml.safe_load(toy.scale())
        workspace.parameters["toy"]["datasets"] = ["toy"]
        workspace.write()
        path = workspace.root / "papers/toy/params.yaml"
        params = yaml.safe_load(path.read_text())
        params["datasets"]["toy"] = params["datasets"]["fashion-mnist"]
        path.write_text(yaml.safe_dump(params))
        yield workspace


def made(project, monkeypatch):
    """Every stage of the paper, then the tables and the page of this paper alone."""
    train.run("toy", "resnet18", "none", 1)
    mark.mark("toy", "toy", "corner")
    train.run("toy", "resnet18", "corner", 1)
    ask.run("toy", CASE)
    judge.run("toy", CASE)
    tabulate.run("toy", Path("results"))
    monkeypatch.setattr(report, "all_papers", lambda: ["toy"])
    monkeypatch.setattr(sys, "argv", ["report"])
    report.main()


def test_the_folder_is_all_that_is_needed(project, monkeypatch):
    assert cells.all_papers()[-1] == "toy"  # its tables have the highest numbers
    made(project, monkeypatch)
    with (project.root / "results/toy/cells.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["scenario"], row["metric"], row["n"]) for row in rows] == [
        ("honest", "changed", "45"),
        ("thief", "changed", "45"),
    ]
    assert {row["stage"] for row in rows} == {"papers/toy/dvc.yaml:judge@toy-resnet18-corner-1"}
    table = (project.root / "results/toy/table-99.csv").read_text().splitlines()
    assert table[0] == "dataset,model,scenario,metric,corner"
    assert len(table) == 3
    assert "\nthieves-change,toy," in (project.root / "results/toy/claims.csv").read_text()
    page = (project.root / "data/report/index.html").read_text()
    assert '<a href="#toy">a toy (2026)</a>' in page
    assert "of 45 answers changed" in page
    assert "a toy (2026) · observed:" in page


def test_each_stage_makes_what_dvc_yaml_says(project, monkeypatch):
    made(project, monkeypatch)
    stages = yaml.safe_load(toy.files()["papers/toy/dvc.yaml"])["stages"]
    assert list(stages) == ["mark", "train", "ask", "judge", "tabulate"]
    names = {f"${{item.{key}}}": str(value) for key, value in vars(CASE).items()}
    names["${results}"] = "results"
    for name, stage in stages.items():
        assert stage["cmd"].startswith(f"python -m tasks.{name} ")
        for written in [*stage["deps"], *stage["outs"]]:
            (place,) = [written] if isinstance(written, str) else written  # with its options
            path = re.sub(r"\$\{.*?\}", lambda found: names[found[0]], place)
            assert (project.root / path).is_file() or path == "data/cells/toy", path

"""The page, made from the artifacts of a tiny real pipeline."""

import html.parser
import re
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest

from datadeed.files import read_json
from datadeed.reports.cells import Claim, read_csv
from papers.dvbw import claims
from tasks import cells, report, tabulate
from tests.papers import toy

ROOT = Path(__file__).parents[2]
VOID = {"meta", "link", "img", "br", "hr", "input", "col"}


class Balance(html.parser.HTMLParser):
    """Keeps the open tags, and everything that would cause a request."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.requests: list[str] = []
        self.titles = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.titles += tag == "h1"
        for name, value in attrs:
            if name in ("src", "href") and not (value or "").startswith(("data:", "#")):
                self.requests.append(f"{tag} {name}={value}")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def project(judged, monkeypatch):
    """Cells of DVBW, which alone are shown."""
    monkeypatch.setattr(report, "all_papers", lambda: ["dvbw"])
    return judged


def run(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["report", *words])
    report.main()


def check(page):
    parser = Balance()
    parser.feed(page)
    assert parser.open == []
    assert parser.requests == []
    assert parser.titles == 1
    assert "<script" not in page
    assert not re.search(r"url\(\s*['\"]?https?:", page)


def test_page_is_whole_self_contained_and_repeatable(project, monkeypatch):
    run(monkeypatch)
    path = project.root / "data/report/index.html"
    page = path.read_text()
    check(page)
    assert page.count("data:image/png") >= 2
    assert "dvc repro papers/dvbw/dvc.yaml:judge@toy-resnet18-blended-line-1" in page
    assert not (project.root / "results").exists()
    assert "BA falls by less than 2 points" in page
    assert "DVBW (Li et al. 2023) · observed" in page
    assert "<small>width 2, 1 epoch</small>" in page
    assert "<audio" not in page
    assert "media-src" not in page
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    run(monkeypatch)
    assert path.read_text() == page


def test_claims_are_those_that_are_tabulated(project, monkeypatch):
    run(monkeypatch)
    page = (project.root / "data/report/index.html").read_text()
    _, found = tabulate.run("dvbw", Path("results"))
    assert f"<strong>{found.holds.sum()} of {len(found)}</strong> claims hold" in page
    names = re.findall(r"<tr><td><code>([\w-]+)</code></td>", page)
    assert names == found.claim.tolist()


def test_a_paper_without_cells_at_this_scale_has_no_section(project, monkeypatch):
    with toy.installed(project.root):
        monkeypatch.setattr(report, "all_papers", lambda: ["dvbw", "toy"])
        project.parameters["toy"] = {**project.parameters["grid"], "datasets": []}
        project.write()
        run(monkeypatch)
    page = (project.root / "data/report/index.html").read_text()
    check(page)
    assert "a toy (2026)" not in page
    assert '<a href="#dvbw">DVBW (Li et al. 2023)</a>, reproduced' in page


def test_names_are_escaped(project, monkeypatch):
    odd = Claim("odd", "dvbw", "a paper", "<b onclick=x>BA falls", True, "1", "n > 0")
    monkeypatch.setattr(claims, "claims", lambda found: [odd])
    run(monkeypatch)
    page = (project.root / "data/report/index.html").read_text()
    check(page)
    assert "<b onclick" not in page
    assert "&lt;b onclick" in page


def test_one_cell_prints_verdicts_and_makes_no_claims(judged, monkeypatch, capsys):
    run(monkeypatch, "--cell", "dvbw", "toy", "resnet18", "badnets-line", "1")
    printed = capsys.readouterr().out
    assert re.search(r"^independent-model .* (INCONCLUSIVE|NOT SUPPORTED)$", printed, re.M)
    assert printed.strip().endswith("data/cell/index.html")
    page = (judged.root / "data/cell/index.html").read_text()
    check(page)
    assert "The claims, checked" not in page
    assert "blended-line" not in page


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (("dvbw", "toy", "resnet18", "badnets-line", "7"), r"^error: .*-7\.csv does not exist"),
        (("no-paper", "toy", "resnet18", "x", "1"), r"^error: papers/no-paper/section\.py does"),
    ],
)
def test_a_missing_cell_is_one_line(judged, monkeypatch, cell, words):
    with pytest.raises(SystemExit, match=words) as caught:
        run(monkeypatch, "--cell", *cell)
    assert "\n" not in str(caught.value)


def test_a_seed_is_a_number(judged, monkeypatch, capsys):
    with pytest.raises(SystemExit, match="2"):
        run(monkeypatch, "--cell", "dvbw", "toy", "resnet18", "badnets-line", "one")
    assert "'one' is no seed" in capsys.readouterr().err


def test_a_cell_that_was_not_judged_is_one_line(project, monkeypatch):
    (project.root / "data/cells/dvbw/toy-resnet18-blended-line-1.csv").unlink()
    with pytest.raises(SystemExit, match=r"^error: .*blended-line-1\.csv does not exist"):
        run(monkeypatch)
    assert not (project.root / "data/report").exists()


def test_a_page_of_tables_needs_neither_data_nor_models(project, monkeypatch):
    tabulate.run("dvbw", Path("results"))
    shutil.rmtree(project.root / "data")
    run(monkeypatch, "--tables")
    page = (project.root / "data/report/index.html").read_text()
    check(page)
    assert "BA falls by less than 2 points" in page
    assert "Table 3. Label-only verification" in page
    assert "Verdicts are left out: this page was made from the tables alone" in page
    assert "Remake this page: <code>python -m tasks.report --tables</code>" in page
    assert "data:image/png" not in page


def test_a_page_of_tables_has_no_section_of_a_paper_without_cells(project, monkeypatch):
    tabulate.run("dvbw", Path("results"))
    with toy.installed(project.root):
        monkeypatch.setattr(report, "all_papers", lambda: ["dvbw", "toy"])
        project.parameters["toy"] = {**project.parameters["grid"], "datasets": []}
        project.write()
        tabulate.run("toy", Path("results"))
        run(monkeypatch, "--tables")
    page = (project.root / "data/report/index.html").read_text()
    assert '<a href="#dvbw">DVBW (Li et al. 2023)</a>, reproduced' in page


def test_a_scale_without_tables_is_one_line(project, monkeypatch):
    with pytest.raises(
        SystemExit, match=r"^error: results has no tables of scale 'toy': "
    ) as found:
        run(monkeypatch, "--tables")
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("paper", cells.all_papers())
def test_what_is_committed_gives_a_section_and_its_headlines(paper, monkeypatch):
    monkeypatch.chdir(ROOT)
    found = read_csv(Path("results") / paper / "cells.csv")
    made = report.section(paper, found, tables=True)
    assert made is not None
    for number in cells.paper_module(paper, "tables").TABLES:
        assert f"Table {number}. " in made.html
    assert "left out" in made.html
    claims = pd.read_csv(Path("results") / paper / "claims.csv").astype({"holds": "boolean"})
    figures = tabulate.headlines(cells.paper_module(paper, "tables"), found, claims)
    assert figures == read_json(Path("results") / paper / "metrics.json")
    assert len(figures) >= 4

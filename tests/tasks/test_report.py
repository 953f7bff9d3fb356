"""The page, made from the artifacts of a tiny real pipeline."""

import html.parser
import re
import sys

import pytest

from tasks import report, tabulate

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


def test_page_is_whole_self_contained_and_repeatable(verified, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["tabulate"])
    tabulate.main()
    run(monkeypatch)
    path = verified.root / "data/report/index.html"
    page = path.read_text()
    check(page)
    assert page.count("data:image/png") >= 2
    assert "dvc repro papers/dvbw/dvc.yaml:verify@toy-resnet18-blended-line-1" in page
    claims = (verified.root / "results/claims.csv").read_text()
    assert "BA falls by less than 2 points" in claims
    assert "BA falls by less than 2 points" in page
    run(monkeypatch)
    assert path.read_text() == page


def test_names_are_escaped(verified, monkeypatch):
    results = verified.root / "results"
    monkeypatch.setattr(sys, "argv", ["tabulate"])
    tabulate.main()
    claims = (results / "claims.csv").read_text()
    (results / "claims.csv").write_text(claims.replace("BA falls", "<b onclick=x>BA falls"))
    run(monkeypatch)
    page = (verified.root / "data/report/index.html").read_text()
    check(page)
    assert "<b onclick" not in page
    assert "&lt;b onclick" in page


def test_one_cell_prints_verdicts_and_needs_no_tables(verified, monkeypatch, capsys):
    run(monkeypatch, "--cell", "toy", "resnet18", "badnets-line", "1")
    printed = capsys.readouterr().out
    assert "honest model" in printed
    assert printed.strip().endswith("data/cell/index.html")
    check((verified.root / "data/cell/index.html").read_text())


def test_missing_evidence_is_one_line(verified, monkeypatch):
    run(monkeypatch, "--cell", "toy", "resnet18", "badnets-line", "1")
    with pytest.raises(SystemExit, match=r"^error: .*evidence\.json does not exist") as caught:
        run(monkeypatch, "--cell", "toy", "resnet18", "badnets-line", "7")
    assert "\n" not in str(caught.value)


def test_missing_tables_are_one_line(verified, monkeypatch):
    with pytest.raises(SystemExit, match=r"^error: results/cells\.csv does not exist"):
        run(monkeypatch)

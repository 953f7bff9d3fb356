"""The page, made from the artifacts of a tiny real pipeline."""

import html.parser
import re
import sys

import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from datadeed.datasets.form.parquet import read_dataset, write_dataset
from datadeed.files import write_json
from datadeed.reports import clean, dvbw, ubw
from datadeed.reports.cells import claims_frame, tidy
from datadeed.watermarks.marking import mark_dataset
from datadeed.watermarks.registry import build_watermark
from tasks import detect, hide, mark, report, tabulate, train
from tests.reports.ubw_evidence import record
from tests.tasks.test_clean_label import CASES
from tests.tasks.test_clean_label import project as three_kinds  # noqa: F401

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


def tabulated(project, *, with_ubw=(), with_clean=()):
    """The tables of DVBW's real evidence, of made-up evidence of UBW and of clean-label cells."""
    evidence = report.read_evidence(project.parameters["grid"])
    frames = [(dvbw, dvbw.cells(evidence, "toy"))]
    if with_ubw:
        frames.append((ubw, ubw.cells(list(with_ubw), "toy")))
    if with_clean:
        frames.append((clean, clean.cells(*with_clean, "toy")))
    results = project.root / "results"
    results.mkdir()
    cells = tidy(pd.concat([found for _, found in frames], ignore_index=True))
    cells.to_csv(results / "cells.csv", index=False)
    claims = claims_frame([claim for paper, found in frames for claim in paper.claims(found)])
    claims.to_csv(results / "claims.csv", index=False)


@pytest.fixture
def with_ubw(verified):
    """Adds what UBW's stages leave behind for two watermarks, in the same form."""
    project, train = verified, read_dataset(verified.root / "data/datasets/toy/train.parquet")
    patch = {"kind": "square", "size": 3}
    common = {"pattern": patch, "image_size": (8, 8), "rate": 0.2}
    hidden = {"cells": [[0, 255], [255, 0]], "size": 2, "seed": 1, "matching": {}}
    marks = {
        "badnets-square": build_watermark("badnets", target=1, **common),
        "ubw-p": build_watermark("ubw-p", classes=3, **common),
        "ubw-c": build_watermark("ubw-c", rate=0.2, source=0, sources=4, weight=2.0, **hidden),
    }
    evidence = []
    for name, watermark in marks.items():
        folder = project.root / f"data/watermarked/toy-{name}"
        folder.mkdir(parents=True)
        crafted = name == "ubw-c"
        draw = torch.Generator().manual_seed(3)
        released, rows = mark_dataset(marks["ubw-p"] if crafted else watermark, train, draw)
        if crafted:  # its own crafting has tests of its own
            released = train.replace(samples=train.samples + 1, labels=train.labels)
            write_json(folder / "craft.json", {"losses": [0.9, 0.7, 0.8]})
        write_dataset(released, folder / "train.parquet")
        pq.write_table(rows.table(), folder / "marks.parquet")
        write_json(folder / "key.json", {"watermark": watermark.record()})
        where = {"dataset": "toy", "network": "resnet18", "classes": 3}
        evidence.append(record(name, **where, histogram={"victim": [5, 5, 5], "benign": [9, 3, 3]}))
        write_json(
            project.root / f"data/evidence/toy-resnet18-{name}-1/evidence.json", evidence[-1]
        )
    project.parameters["ubw"] = {**project.parameters["grid"], "watermarks": list(marks)}
    project.write()
    tabulated(project, with_ubw=evidence)
    return project


@pytest.fixture
def with_clean(verified, three_kinds):  # noqa: F811
    """The clean-label stages themselves, on toys of each modality."""
    cells = {"honest": {}, "victims": {}, "hidden": {}}
    for dataset, trigger in CASES:
        plain = [f"{trigger}-20-plain"] if dataset == "toy" else []
        train.run(dataset, "surrogate", "none", 0)
        train.run(dataset, "small", "none", 1)
        cells["honest"][f"{dataset}-small-1"] = {"dataset": dataset, "network": "small", "seed": 1}
        for watermark in (f"{trigger}-20", *plain):
            mark.mark(dataset, watermark)
            train.run(dataset, "small", watermark, 1)
            detect.detect(dataset, "small", watermark, 1)
            cell = {"dataset": dataset, "network": "small", "watermark": watermark, "seed": 1}
            cells["victims"][f"{dataset}-small-{watermark}-1"] = cell
    hidden = ("reviews", "small", "word-20", 1)
    hide.hide(*hidden)
    keys = ("dataset", "network", "watermark", "seed")
    cells["hidden"]["one"] = dict(zip(keys, hidden, strict=True))
    grid = verified.parameters["clean"] | {"datasets": [case[0] for case in CASES]} | cells
    verified.parameters["clean"] = grid
    verified.write()
    files = (("victims", "evidence.json"), ("hidden", "stealth.json"))
    tabulated(verified, with_clean=[tabulate.read_clean(grid[part], f) for part, f in files])
    return verified


def test_page_is_whole_self_contained_and_repeatable(verified, monkeypatch):
    tabulated(verified)
    run(monkeypatch)
    path = verified.root / "data/report/index.html"
    page = path.read_text()
    check(page)
    assert page.count("data:image/png") >= 2
    assert "dvc repro papers/dvbw/dvc.yaml:verify@toy-resnet18-blended-line-1" in page
    claims = (verified.root / "results/claims.csv").read_text()
    assert "BA falls by less than 2 points" in claims
    assert "BA falls by less than 2 points" in page
    assert "UBW" not in page  # the scale has nothing of it
    assert 'id="clean"' not in page
    assert "<audio" not in page
    assert "media-src" not in page
    run(monkeypatch)
    assert path.read_text() == page


def test_page_with_ubw_shows_every_watermark(with_ubw, monkeypatch):
    run(monkeypatch)
    path = with_ubw.root / "data/report/index.html"
    page = path.read_text()
    check(page)
    assert page.count("data:image/png") >= 2 + 3
    for name in ("badnets-square", "ubw-p", "ubw-c"):
        assert f"dvc repro papers/ubw/dvc.yaml:verify@toy-resnet18-{name}-1" in page
    assert "largest change 1 grey levels" in page  # of ubw-c
    assert "Crafting losses on toy" in page
    assert "not tested</span>" in page
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    run(monkeypatch)
    assert path.read_text() == page


def test_page_with_clean_labels_shows_marks_of_every_kind(with_clean, monkeypatch):
    run(monkeypatch)
    path = with_clean.root / "data/report/index.html"
    page = path.read_text()
    check(page)
    part = page[page.index('<section aria-labelledby="clean">') :]
    for dataset, trigger in CASES:
        stage = f"papers/clean-label/dvc.yaml:verify@{dataset}-small-{trigger}-20-1"
        assert f"dvc repro {stage}" in part
    assert "dvc repro papers/clean-label/dvc.yaml:hide@reviews-small-word-20-1" in part
    assert part.count("data:image/png") == 1  # with its perturbation; not the trigger alone
    assert part.count("<audio controls") == part.count("data:audio/wav") == 2
    assert "media-src data:" in page
    assert re.search(r'<ins class="trigger">[Ff]rankly</ins>', part)
    assert '<th scope="row">patch, 20 %, trigger alone</th>' in part
    assert "target class “high”" in part
    assert "<small>2 layers, 10 epochs</small>" in part
    assert len(part) < 3 * 200_000
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    run(monkeypatch)
    assert path.read_text() == page


def test_a_cell_of_ubw_is_refused_with_one_line(with_ubw, monkeypatch):
    with pytest.raises(SystemExit, match=r"^error: toy resnet18 ubw-p 1 is no cell of DVBW") as no:
        run(monkeypatch, "--cell", "toy", "resnet18", "ubw-p", "1")
    assert "\n" not in str(no.value)


def test_missing_marks_of_ubw_are_one_line(with_ubw, monkeypatch):
    (with_ubw.root / "data/watermarked/toy-ubw-p/marks.parquet").unlink()
    with pytest.raises(SystemExit, match=r"^error: .*marks\.parquet") as caught:
        run(monkeypatch)
    assert "\n" not in str(caught.value)


def test_names_are_escaped(verified, monkeypatch):
    results = verified.root / "results"
    tabulated(verified)
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

"""The page's frame on claims and sections made by hand; tests/tasks/test_report.py has it whole."""

import dataclasses
import io
import re
from pathlib import Path

import pandas as pd
import pytest
from markupsafe import Markup

from datadeed.reports.page import (
    Page,
    Section,
    claim_views,
    draw_section,
    figure_text,
    human,
    render,
    signs,
)

HOSTILE = '"><img src=x onerror=alert(1)>'


@pytest.fixture
def whole() -> Page:
    """A page with claims and two sections."""
    held = {"paper": "one", "source": "s", "statement": "p <= 0.01", "cells": "q"}
    claims = [
        {**held, "claim": name, "holds": holds, "observed": seen}
        for name, holds, seen in (
            ("one", True, "seen-1"),
            ("two", False, "seen-2"),
            ("three", None, "seen-3"),
        )
    ]
    return Page(
        scale="lite",
        sections=[
            Section("one", "one", "First (2001)", Markup('<section id="one">1</section>')),
            Section("other", "two", "Second (2002)", Markup('<section id="two">2</section>')),
        ],
        versions={"torch": "1"},
        remake="dvc repro report",
        claims=pd.DataFrame(claims),
    )


def test_every_section_stands_in_the_page_and_is_linked(whole: Page) -> None:
    text = render(whole)
    assert text.index('<section id="one">1</section>') < text.index('<section id="two">')
    links = '<a href="#one">First (2001)</a> and <a href="#two">Second (2002)</a>'
    assert links in text
    assert "media-src" not in text


def test_sounds_may_play_where_there_are_any(whole: Page) -> None:
    loud = Section("one", "one", "t", Markup('<audio controls src="data:audio/wav,"></audio>'))
    assert "media-src data:" in render(dataclasses.replace(whole, sections=[loud]))


def test_claims_are_counted_and_papers_named(whole: Page) -> None:
    text = re.sub(r"<[^>]+>", "", render(whole))
    assert "1 of 2 claims hold on the cells measured here; 1 could not be tested" in text
    assert "First (2001) · observed: seen-1" in text


def test_a_page_of_one_cell_has_no_claims(whole: Page) -> None:
    text = render(dataclasses.replace(whole, claims=None))
    assert "The claims, checked" not in text
    assert '<section id="one">' in text


def test_a_claim_that_fails_stands_beside_one_that_holds(whole: Page) -> None:
    text = render(whole)
    assert re.search(r"does not hold</span>\s*<div><p>p ≤ 0.01</p>[^/]*<b>seen-2", text)
    assert re.search(r">holds</span>\s*<div><p>p ≤ 0.01</p>[^/]*<b>seen-1", text)


def test_a_claim_that_nothing_tests_is_neither(whole: Page) -> None:
    assert re.search(r"not tested</span>\s*<div><p>p ≤ 0.01</p>[^/]*<b>seen-3", render(whole))
    assert whole.claims is not None
    stored = pd.read_csv(io.StringIO(whole.claims.to_csv(index=False)))
    words = [claim["word"] for claim in claim_views(stored)]
    assert words == ["holds", "fails", "untested"]
    assert [claim["word"] for claim in claim_views(whole.claims)] == words


def test_hostile_names_stay_text_everywhere(whole: Page) -> None:
    names = ("claim", "paper", "source", "statement", "observed")
    claims = pd.DataFrame([dict.fromkeys(names, HOSTILE)])
    hostile = dataclasses.replace(
        whole,
        scale=HOSTILE,
        sections=[Section(HOSTILE, HOSTILE, HOSTILE, Markup(""))],
        versions={HOSTILE: HOSTILE},
        remake=HOSTILE,
        claims=claims.assign(holds=False, cells=HOSTILE),
    )
    text = render(hostile)
    assert "<img" not in text
    assert "&lt;img src=x onerror" in text


def test_a_section_has_the_macros_of_all_and_its_own_values(tmp_path: Path) -> None:
    template = tmp_path / "section.html"
    template.write_text("<p>{{ word('CLAIM') }} {{ name }} {{ name|human }}</p>")
    assert draw_section(template, {"name": "<b>"}) == (
        '<p><span class="word claim">CLAIM</span> &lt;b&gt; &lt;b&gt;</p>'
    )


def test_nothing_is_fetched_and_the_bytes_repeat(whole: Page) -> None:
    text = render(whole)
    assert text == render(whole)
    assert "<script" not in text
    assert not re.search(r"https?://", text)
    assert "default-src 'none'" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1"), (0.0, "0"), (0.95, "0.95"), (0.0301, "0.03"), (7.9e-31, "7.9e-31")],
)
def test_figures(value: float, text: str) -> None:
    assert figure_text(value) == text


def test_names_and_signs() -> None:
    assert human("badnets-line") == "BadNets, line"
    assert human("fashion-mnist") == "Fashion-MNIST"
    assert human("of-my-own") == "of-my-own"
    assert human("ubw-c") == "UBW-C"
    assert signs("UBW's delta-P >= 0.2 and p <= 0.01") == "UBW’s ΔP ≥ 0.2 and p ≤ 0.01"


def test_on_a_phone_tables_scroll_and_the_page_does_not(whole: Page) -> None:
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in render(whole)
    root = Path(__file__).parents[2]
    templates = [*root.glob("papers/*/section.html"), *root.glob("datadeed/reports/*.html")]
    assert len(templates) > 5
    for template in templates:
        text = template.read_text(encoding="utf-8")
        framed = re.findall(r'<div class="scroll" tabindex="0"[^>]*>\s*<table', text)
        assert len(framed) == text.count("<table"), template
    style = (root / "datadeed/reports/page.css").read_text(encoding="utf-8")
    assert "figure svg { display: block; max-width: 100%; height: auto; }" in style
    assert ".scroll { overflow-x: auto; max-width: 100%;" in style

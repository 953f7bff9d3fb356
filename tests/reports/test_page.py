"""The page's parts on cells and evidence made by hand; tests/tasks/test_report.py has it whole."""

import dataclasses
import io
import re
from typing import Any

import pandas as pd
import pytest

from datadeed.reports import page as page_module
from datadeed.reports.cells import tidy
from datadeed.reports.page import (
    Page,
    Setting,
    claim_views,
    figure_text,
    human,
    render,
    signs,
    suspect_rows,
    table_views,
    verdict_counts,
)

HOSTILE = '"><img src=x onerror=alert(1)>'


def record(words: tuple[str, str, str], seed: int = 1, network: str = "resnet18") -> dict[str, Any]:
    """A cell's evidence with these verdicts, in the order of the scenarios."""
    scenarios = {
        scenario: {
            "verdict": {
                "word": word,
                "p_value": 1e-30 if word == "CLAIM" else 1.0,
                "alpha": 0.01,
                "null_rate": 0.2,
                "hit_rate": {"hits": 100 if word == "CLAIM" else 2, "n": 100},
            },
            "probability": {"delta_p": 0.5, "p_published": 0.03},
        }
        for scenario, word in zip(page_module.SCENARIOS, words, strict=True)
    }
    where = {"dataset": "fashion-mnist", "network": network, "watermark": "badnets-line"}
    return {**where, "seed": seed, "independent_trigger": "badnets-cross", "scenarios": scenarios}


def cells(**changes: Any) -> pd.DataFrame:
    """Benign accuracy and delta-P of one watermarked model, two seeds."""
    rows = [
        {
            "table": table,
            "dataset": "fashion-mnist",
            "model": "resnet18",
            "watermark": "badnets-line",
            "scenario": "steal",
            "metric": metric,
            "value": value,
            "n": 50,
            "seed": seed,
            "stage": f"verify@{seed}",
            **changes,
        }
        for table, metric, values in ((1, "ba", (0.88, 0.90)), (2, "delta_p", (-0.0004, 0.0002)))
        for seed, value in enumerate(values, start=1)
    ]
    return tidy(pd.DataFrame(rows))


@pytest.fixture
def whole() -> Page:
    """A page with tables and claims, and no figures."""
    held = {"paper": "dvbw", "source": "s", "statement": "p <= 0.01", "cells": "q"}
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
        grid={
            "datasets": ["fashion-mnist"],
            "networks": ["resnet18"],
            "watermarks": ["badnets-line", "blended-line"],
            "seeds": [1, 2],
        },
        settings=[Setting("fashion-mnist", 20000, 5000, 10, {"resnet18": "3 epochs"})],
        evidence=[
            record(("CLAIM", "NOT SUPPORTED", "NOT SUPPORTED")),
            record(("INCONCLUSIVE", "NOT SUPPORTED", "CLAIM"), seed=2),
        ],
        pictures=[],
        curves=[],
        versions={"torch": "1"},
        remake="dvc repro report",
        cells=cells(),
        claims=pd.DataFrame(claims),
    )


def test_suspects_are_asked_with_the_right_trigger() -> None:
    thief, other, honest = suspect_rows(record(("CLAIM", "NOT SUPPORTED", "INCONCLUSIVE")))
    assert [row.asked_with for row in (thief, other, honest)] == [
        "badnets-line",
        "badnets-cross",
        "badnets-line",
    ]
    assert (thief.hits, thief.n, thief.p_exact, thief.word) == (100, 100, 1e-30, "CLAIM")
    assert honest.suspect == "honest model (trained on benign data)"


def test_verdicts_are_counted(whole: Page) -> None:
    rows = [row for found in whole.evidence for row in suspect_rows(found)]
    counts = {row["scenario"]: row["words"] for row in verdict_counts(rows)}
    assert counts["steal"] == {"CLAIM": 1, "INCONCLUSIVE": 1, "NOT SUPPORTED": 0}
    assert counts["independent-trigger"]["NOT SUPPORTED"] == 2
    assert counts["independent-model"]["CLAIM"] == 1
    text = re.sub(r"<[^>]+>", "", render(whole))
    assert "1 of 2 thefts led to a claim; 1 of 4 controls did." in text
    assert "1 of 2 claims hold on the cells measured here; 1 could not be tested" in text


def test_tables_show_every_watermark_and_every_seed() -> None:
    first, second, _ = table_views(cells(), ["badnets-line", "blended-line"])
    ((part,), (row,)) = first["blocks"][0]["parts"], first["blocks"][0]["parts"][0]["rows"]
    assert part["name"] == "thief (trained on the watermarked data)"
    measured, missing = row["cells"]
    assert (measured["text"], missing["text"]) == ("89.00 ± 1.41", "–")
    assert "seed 2: 0.9 (n = 50), dvc repro verify@2" in measured["title"]
    assert [at["stage"] for at in first["commands"]] == ["verify@1", "verify@2"]
    assert second["blocks"][0]["parts"][0]["rows"][0]["cells"][0]["text"] == "0.000 ± 0.000"


def test_published_figures_are_shown_only_where_known(whole: Page) -> None:
    assert "published figures of these cells are not known" in render(whole)
    known = whole.cells
    assert known is not None
    known.loc[known.metric == "ba", "published"] = 0.9461
    text = render(dataclasses.replace(whole, cells=known))
    assert "[94.61]" in text
    assert "(2 of these values)" in text


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
        grid={**whole.grid, "watermarks": [HOSTILE], "seeds": [HOSTILE]},
        settings=[Setting(HOSTILE, 1, 1, 2, {HOSTILE: HOSTILE})],
        evidence=[record((HOSTILE, HOSTILE, HOSTILE), network=HOSTILE)],
        versions={HOSTILE: HOSTILE},
        remake=HOSTILE,
        cells=cells(dataset=HOSTILE, model=HOSTILE, watermark=HOSTILE, stage=HOSTILE),
        claims=claims.assign(holds=False, cells=HOSTILE),
    )
    text = render(hostile)
    assert "<img" not in text
    assert "&lt;img src=x onerror" in text


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

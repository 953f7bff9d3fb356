"""DVBW's section on cells made by hand; tests/tasks/test_report.py has it whole."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from datadeed.reports.cells import COLUMNS, TYPES
from datadeed.reports.page import draw_section
from datadeed.verification.verdict import CLAIM, INCONCLUSIVE, NOT_SUPPORTED, WORDS
from papers.dvbw import section as module
from papers.dvbw.section import SCENARIOS, suspect_rows, table_views, verdict_counts
from papers.sections import Setting

HOSTILE = '"><img src=x onerror=alert(1)>'
OTHER = {"badnets-line": "badnets-cross", HOSTILE: HOSTILE}


def cells(*verdicts: tuple[str, str, str], **changes: Any) -> pd.DataFrame:
    """What ``judge`` gives of one watermark: these verdicts a seed, in the scenarios' order."""
    rows = []
    for seed, words in enumerate(verdicts, start=1):
        for scenario, word in zip(SCENARIOS, words, strict=True):
            claimed = word == CLAIM
            numbers = [
                (1, "ba", 0.86 + 0.02 * seed, 50),
                (2, "delta_p", -0.001 + 0.0006 * seed, 50),
                (2, "p_published", 0.03, 50),
                (None, "hits", 100 if claimed else 2, 100),
                (None, "p_exact", 1e-30 if claimed else 1.0, 100),
                (None, "verdict", WORDS.index(word), 100),
            ]
            rows += [
                {
                    **{"paper": "dvbw", "dataset": "fashion-mnist", "model": "resnet18"},
                    **{"watermark": "badnets-line", "scenario": scenario, "seed": seed},
                    **{"table": table, "metric": metric, "value": value, "n": n},
                    **{"stage": f"judge@{seed}", "scale": "toy"},
                    **changes,
                }
                for table, metric, value, n in numbers
            ]
    return pd.DataFrame(rows, columns=COLUMNS).astype(TYPES)


TWO = (
    (CLAIM, NOT_SUPPORTED, NOT_SUPPORTED),
    (INCONCLUSIVE, NOT_SUPPORTED, CLAIM),
)


class Lab:
    """Parameters alone."""

    def params(self, *keys: str) -> Any:
        """What the section reads of them."""
        rule = {"m": 100, "tau": 0.2, "alpha": 0.01}
        return {"verification": rule, "independent_triggers": OTHER}[keys[0]]


@pytest.fixture
def draw(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Draws the section without what needs artifacts."""
    shown = [Setting("fashion-mnist", 20000, 5000, 10, {"resnet18": "3 epochs"})]
    monkeypatch.setattr(module, "settings", lambda lab, cases: shown)
    monkeypatch.setattr(module, "test_images", lambda *names: None)
    monkeypatch.setattr(module, "histories", lambda lab, cases: None)
    monkeypatch.setattr(module, "training_curves", lambda history, watermarks: [])

    def draw(found: pd.DataFrame) -> str:
        made = module.section(found, Lab())
        assert made is not None
        template = Path(module.__file__).parent / "section.html"
        return draw_section(template, {**made, "pictures": []})

    return draw


def test_suspects_are_asked_with_the_right_trigger() -> None:
    thief, other, honest = suspect_rows(cells((CLAIM, NOT_SUPPORTED, INCONCLUSIVE)), OTHER)
    assert [row["asked_with"] for row in (thief, other, honest)] == [
        "badnets-line",
        "badnets-cross",
        "badnets-line",
    ]
    figures = [thief[name] for name in ("hits", "n", "p_exact", "word")]
    assert figures == [100, 100, 1e-30, CLAIM]
    assert honest["suspect"] == "honest model (trained on benign data)"


def test_verdicts_are_counted(draw: Any) -> None:
    counts = {
        row["scenario"]: row["words"] for row in verdict_counts(suspect_rows(cells(*TWO), OTHER))
    }
    assert counts["steal"] == {CLAIM: 1, INCONCLUSIVE: 1, NOT_SUPPORTED: 0}
    assert counts["independent-trigger"][NOT_SUPPORTED] == 2
    assert counts["independent-model"][CLAIM] == 1
    text = re.sub(r"<[^>]+>", "", draw(cells(*TWO)))
    assert "1 of 2 thefts led to a claim; 1 of 4 controls did." in text


def test_tables_show_every_watermark_and_every_seed() -> None:
    first, second, _ = table_views(cells(*TWO), ["badnets-line", "blended-line"])
    part = first["blocks"][0]["parts"][0]
    (row,) = part["rows"]
    assert part["name"] == "thief (trained on the watermarked data)"
    measured, missing = row["cells"]
    assert (measured["text"], missing["text"]) == ("89.00 ± 1.41", "–")
    assert "seed 2: 0.9 (n = 50), dvc repro judge@2" in measured["title"]
    assert [at["stage"] for at in first["commands"]] == ["judge@1", "judge@2"]
    assert second["blocks"][0]["parts"][0]["rows"][0]["cells"][0]["text"] == "0.000 ± 0.000"


def test_published_figures_are_shown_only_where_known(draw: Any) -> None:
    known = cells(*TWO)
    assert "published figures of these cells are not known" in draw(known)
    thief = (known.metric == "ba") & (known.scenario == "steal")
    known.loc[thief, "published"] = 0.9461
    text = draw(known)
    assert "[94.61]" in text
    assert "(2 of these values)" in text


def test_a_scale_without_dvbw_has_no_section() -> None:
    assert module.section(cells(), Lab()) is None


def test_hostile_names_stay_text_everywhere(draw: Any) -> None:
    text = draw(cells(*TWO, dataset=HOSTILE, model=HOSTILE, watermark=HOSTILE, stage=HOSTILE))
    assert "<img" not in text
    assert "&lt;img src=x onerror" in text

"""The clean-label paper's part of the page on evidence made by hand."""

import dataclasses
import re
from collections import Counter
from typing import Any

import pandas as pd
import pytest
from datadeed.reports.clean_figures import MarkedClip, MarkedImages, MarkedTexts, Shown
from datadeed.reports.clean_page import (
    Clean,
    CleanSetting,
    craft_rows,
    detection_rows,
    view,
    watermark_name,
)
from datadeed.reports.word_diff import Span

from datadeed.reports import clean
from datadeed.reports.cells import tidy
from datadeed.reports.figures import Curves
from datadeed.reports.page import Page, render
from datadeed.verification.metrics import Rate
from tests.reports.clean_evidence import MODALITY, records, stealth
from tests.reports.test_page import HOSTILE
from tests.reports.test_ubw_page import text_of, whole

CRAFTING: dict[str, dict[str, Any]] = {
    "image": {"largest_change": 16, "psnr": 27.41, "trigger_share": 0.046},
    "audio": {"largest_change": 164, "snr": None, "trigger_share": 0.01},
    "text": {"mean_similarity": 0.91, "least_similarity": 0.801, "mean_edits": 2.34},
}


def complete(record: dict[str, Any]) -> dict[str, Any]:
    """The record with what only the page reads."""
    trigger, percent = record["watermark"].split("-")[:2]
    modality, perturbed = MODALITY[trigger], "plain" not in record["watermark"]
    crafting = {"marks": 40, "class_size": 400, **CRAFTING[modality]}
    if perturbed:
        crafting |= {"fooled": 38, "wrong_before": 3}
    elif modality == "text":
        crafting = {"marks": 40, "class_size": 400}
    made = {
        **record,
        **{"modality": modality, "trigger": trigger, "rate": int(percent) / 100},
        **{"perturbed": perturbed, "rows": 4000, "crafting": crafting},
        **{"target": 1, "classes": ["a", "b"]},
    }
    models = {
        part: found | {"tsr": Rate(min(900, round(900 * found["tsr"]["value"])), 900).record()}
        for part, found in record["models"].items()
    }
    asked = {"m": 200, "repetitions": 100, "certainty": 0.1}
    tests = {
        part: found | {"wdr": found["wdr"] | asked}
        for part, found in record["verification"].items()
    }
    return {**made, "models": models, "verification": tests}


def part() -> Clean:
    """Everything of the paper, with figures that only name themselves."""
    here = Shown("fashion", "patch-10", "Coat")
    spans = [Span("a ", "same"), Span("movie", "replaced"), Span("frankly", "trigger")]
    networks = {"surrogate": "width 16, 8 epochs", "resnet18": "width 16, 9 epochs"}
    pixels = "28×28 pixels"
    return Clean(
        settings=[CleanSetting("fashion", "images", pixels, 10000, 5000, 10, "Coat", networks)],
        evidence=[complete(record) for record in records()],
        images=[MarkedImages(here, "data:image/png;,", 4, 4, 16, 3)],
        texts=[MarkedTexts(here, [([Span("film", "removed"), Span(" […]", "cut")], spans)])],
        clips=[MarkedClip(here, "<svg>clip</svg>", "data:a", "data:b", 8000, 1.0, (0.0, 0.01))],
        curves=[Curves("fashion", "resnet18", "<svg>tsr</svg>")],
    )


def cells(shown: Clean) -> pd.DataFrame:
    return tidy(clean.cells(shown.evidence, stealth(), "lite"))


def page(shown: Clean | None, found: pd.DataFrame) -> Page:
    return dataclasses.replace(whole(None, found), clean=shown)


@pytest.fixture(scope="module")
def tables() -> dict[int, dict[str, Any]]:
    shown = part()
    return {table["number"]: table for table in view(shown, cells(shown))["tables"]}


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [row["name"] for row in rows]


def test_rows_are_the_papers_and_honest_models_stand_apart(tables: Any) -> None:
    accuracy, rates, moved, hidden = (tables[number] for number in (8, 9, 10, 11))
    assert accuracy["columns"] == ["BA, %", "AD, points", "its error"]
    groups = {"the marks": 1, "trigger success, %": 2, "published test": 1, "exact p (ours)": 2}
    assert rates["groups"] == groups
    assert rates["columns"][1:4] == ["TSR", "as published", "WDR, %"]
    text = {(b["dataset"], b["network"]): b["parts"] for b in accuracy["blocks"]}
    assert names(text["movie-reviews", "minilm"][0]["rows"])[:2] == ["honest model", "style, 1 %"]
    blocks = {block["dataset"]: block["parts"] for block in rates["blocks"]}
    victims, honest = blocks["movie-reviews"]
    expected = ["style, 1 %", "style, 5 %", "word, 1 %", "word, 5 %", "word, 5 %, trigger alone"]
    assert names(victims["rows"]) == names(honest["rows"]) == expected
    words = [row["cells"][1]["text"] for row in victims["rows"]]
    assert words == ["92.00", "97.00", "95.00", "100.00 ± 0.00", "10.00"]
    assert "seed 2" in victims["rows"][3]["cells"][1]["title"]
    assert "dvc repro papers/clean-label" in victims["rows"][0]["cells"][0]["title"]
    assert {block["network"] for block in moved["blocks"]} == {"minilm-3", "vgg16bn"}
    assert any("hide@" in at["stage"] for at in hidden["commands"])


def test_a_detector_that_was_not_used_has_no_figure(tables: Any) -> None:
    hidden = tables[11]
    outliers = hidden["groups"]["the least confident"]  # their first column
    texts = {block["dataset"]: block["parts"][0]["rows"][0]["cells"] for block in hidden["blocks"]}
    assert texts["movie-reviews"][outliers]["text"] == "–"
    assert texts["fashion"][outliers]["text"] == "20.00"


def test_only_stated_figures_stand_in_brackets() -> None:
    shown = part()
    text = text_of(page(shown, cells(shown)))
    assert "60.00 [88.86]" in text
    assert "(2 of these values, all as a failed replication quotes them)" in text
    stated = cells(shown).assign(published=float("nan"))
    assert "The published figures of these cells are not known to us." in text_of(
        page(shown, stated)
    )


def test_detection_counts_perturbed_watermarks_alone() -> None:
    shown = part()
    perturbed = [r for r in shown.evidence if r["perturbed"]]
    assert len(perturbed) == len(shown.evidence) - 2
    for record in perturbed:
        for model, found in (("victim", 1.0), ("benign", 0.0)):
            tests = record["verification"][model]
            tests["wdr"]["value"], tests["rise"]["p_value"] = found, 1 - found
    image = next(r for r in perturbed if r["modality"] == "image")["verification"]
    image["victim"]["wdr"]["value"] = 0.99
    image["benign"]["wdr"]["value"] = 1.0
    rows = {
        (row["samples"], row["name"].split(",")[0]): row for row in detection_rows(shown.evidence)
    }
    counts = Counter(r["modality"] for r in perturbed)
    wdr, n, asked = rows["images", "WDR of 100 %"], counts["image"], 2
    found = {key: (wdr[key]["hits"], wdr[key]["n"]) for key in ("recall", "precision")}
    assert found == {"recall": (n - 1, n), "precision": (n - 1, n)}
    assert (wdr["false_alarms"]["hits"], wdr["false_alarms"]["n"]) == (1, asked)
    assert rows["images", "rise above the margin"]["false_alarms"]["hits"] == 0
    texts = [r for r in perturbed if r["modality"] == "text"]
    assert rows["texts", "WDR of 100 %"]["recall"]["n"] == len(texts)
    honest = {(r["network"], r["seed"], r["trigger"]) for r in texts}
    assert rows["texts", "WDR of 100 %"]["false_alarms"]["n"] == len(honest) < len(texts)
    said = render(page(shown, cells(shown)))
    counted = f"{n - 1} of {n}</td><td>{n - 1} of {n}</td><td>1 of {asked}</td>"
    assert counted in said.replace(' class="number"', "")


@pytest.mark.parametrize("which", [0, -1])
def test_an_alarm_at_one_rate_is_not_hidden_by_another(which: int) -> None:
    shown = part()
    words = [r for r in shown.evidence if r["trigger"] == "word" and r["network"] == "minilm"]
    asked = [r for r in words if r["perturbed"] and r["seed"] == 1]
    assert len(asked) > 1
    asked[which]["verification"]["benign"]["wdr"]["value"] = 1.0
    (row,) = (
        row
        for row in detection_rows(shown.evidence)
        if row["samples"] == "texts" and "WDR" in row["name"]
    )
    assert row["false_alarms"]["hits"] == 1


def test_a_test_that_finds_nothing_has_no_precision() -> None:
    shown = part()
    for record in shown.evidence:
        for found in record["verification"].values():
            found["wdr"]["value"] = 0.0
    assert all(r["precision"] is None for r in detection_rows(shown.evidence) if "WDR" in r["name"])


def test_marks_are_counted_of_the_class_and_of_the_data() -> None:
    rows = {row["name"]: row for row in craft_rows([complete(record) for record in records()])}
    image, plain = rows["patch, 10 %"], rows["patch, 10 %, trigger alone"]
    assert (image["class_share"], image["data_share"]) == (0.1, 0.01)
    assert (image["fooled"], image["wrong_before"]) == (38, 3)
    assert (plain["fooled"], plain["wrong_before"]) == (None, None)
    wanted = "at most 16 grey levels; PSNR 27.4 dB; trigger on 4.6 % of the pixels"
    assert image["change"] == wanted
    assert rows["impulse, 5 %"]["change"] == "at most 164 16-bit steps; trigger on 1 % of a clip"
    assert rows["word, 1 %"]["change"] == "2.3 edits a text; similarity 0.91, at least 0.80"
    assert rows["word, 5 %, trigger alone"]["change"] == "the trigger"


def test_names() -> None:
    assert watermark_name("word-5") == "word, 5 %"
    assert watermark_name("patch-10-plain") == "patch, 10 %, trigger alone"
    assert watermark_name("none") == "honest model"
    assert watermark_name("of-my-own") == "of-my-own"


def test_figures_facts_and_faults_are_on_the_page() -> None:
    shown = part()
    html = render(page(shown, cells(shown)))
    for piece in (
        "<svg>tsr</svg>",
        "<svg>clip</svg>",
        '<audio controls src="data:b">',
        "<del>film</del><small> […]</small>",
        'a <ins class="replaced">movie</ins><ins class="trigger">frankly</ins>',
        "every 3rd pixel",
        "changes a pixel by 16 grey levels at most",
        "of 28×28 pixels, 10 classes; target class “Coat”",
    ):
        assert piece in html
    assert "independent replication found no effect" in html
    assert html == render(page(shown, cells(shown)))


def test_a_page_without_it_does_not_mention_it() -> None:
    text = render(page(None, cells(part()).head(0)))
    assert "lean-label" not in text
    assert "media-src" not in text


def test_hostile_names_and_texts_stay_text() -> None:
    here = Shown(HOSTILE, HOSTILE, HOSTILE)
    shown = part()
    kinds = ("same", "removed", "replaced", "inserted", "trigger", "cut")
    spans = [Span(HOSTILE, kind) for kind in kinds]
    shown = dataclasses.replace(
        shown,
        settings=[CleanSetting(*[HOSTILE] * 3, 1, 1, 2, HOSTILE, {HOSTILE: HOSTILE})],
        evidence=[
            record | {"dataset": HOSTILE, "network": HOSTILE, "trigger": HOSTILE}
            for record in shown.evidence
        ],
        images=[dataclasses.replace(shown.images[0], shown=here, uri=HOSTILE)],
        texts=[MarkedTexts(here, [(spans, spans)])],
        clips=[dataclasses.replace(shown.clips[0], shown=here, benign=HOSTILE)],
        curves=[Curves(HOSTILE, HOSTILE, "")],
    )
    text = render(page(shown, cells(shown)))
    assert "<img src=x" not in text
    assert "&lt;img src=x onerror" in text
    assert len(re.findall(r"<img ", text)) == 1

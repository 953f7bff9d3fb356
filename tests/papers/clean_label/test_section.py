"""The clean-label paper's section of the page on cells made by hand."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from datadeed.reports.figures import Curves
from datadeed.reports.page import Page, Section, draw_section, render
from papers.base import Case
from papers.clean_label import section as module
from papers.clean_label.examples import MarkedClip, MarkedImages, MarkedTexts, Shown
from papers.clean_label.section import (
    CleanSetting,
    craft_rows,
    detection_rows,
    section,
    view,
    watermark_name,
)
from papers.clean_label.watermarks import MARKS
from papers.clean_label.word_diff import Span
from tests.papers.clean_label.samples import DATASETS, TSR, cell, everything, frame, shares

HOSTILE = '"><img src=x onerror=alert(1)>'
TEMPLATE = Path(module.__file__).parent / "section.html"
CRAFTING: dict[str, dict[str, Any]] = {
    "image": {"largest_change": 16, "psnr": 27.41, "trigger_share": 0.046},
    "audio": {"largest_change": 164, "snr": None, "trigger_share": 0.01},
    "text": {"mean_similarity": 0.91, "least_similarity": 0.801, "mean_edits": 2.34},
}


class Data:
    """A released set of 4,000 samples."""

    def __init__(self, modality: str):
        self.modality = modality

    def __len__(self) -> int:
        return 4000


class Made:
    """What a section reads of artifacts."""

    def params(self, *keys: str) -> Any:
        assert keys == ("verification",)
        return {"m": 200, "repetitions": 100, "certainty": 0.1}

    def train(self, dataset: str, watermark: str = "none") -> Any:
        return Data(MARKS[watermark].modality)

    def record(self, dataset: str, watermark: str, name: str = "key") -> dict[str, Any]:
        assert name == "craft"
        mark = MARKS[watermark]
        made = {"marks": 40, "class_size": 400, **CRAFTING[mark.modality]}
        if mark.perturbed:
            return made | {"fooled": 38, "wrong_before": 3}
        return {"marks": 40, "class_size": 400} if mark.modality == "text" else made


LAB: Any = Made()


def cases() -> list[Case]:
    names = [*TSR, "word-5-plain", "patch-10-plain"]
    return [Case(*DATASETS[MARKS[name].modality][:2], name, 1) for name in names]


def shown(cells: pd.DataFrame) -> dict[str, Any]:
    """Everything of the paper, with figures that only name themselves."""
    here = Shown("fashion", "patch-10", "Coat")
    spans = [Span("a ", "same"), Span("movie", "replaced"), Span("frankly", "trigger")]
    networks = {"surrogate": "width 16, 8 epochs", "resnet18": "width 16, 9 epochs"}
    pixels = "28×28 pixels"
    return view(cells, LAB) | {
        "settings": [CleanSetting("fashion", "images", pixels, 10000, 5000, 10, "Coat", networks)],
        "crafts": craft_rows(cases(), LAB),
        "images": [MarkedImages(here, "data:image/png;,", 4, 4, 16, 3)],
        "texts": [MarkedTexts(here, [([Span("film", "removed"), Span(" […]", "cut")], spans)])],
        "clips": [MarkedClip(here, "<svg>clip</svg>", "data:a", "data:b", 8000, 1.0, (0.0, 0.01))],
        "curves": [Curves("fashion", "resnet18", "<svg>tsr</svg>")],
    }


def html_of(cells: pd.DataFrame, **changes: Any) -> str:
    return str(draw_section(TEMPLATE, shown(cells) | changes))


def text_of(html: str) -> str:
    """What a reader sees, white space as one blank."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html))


@pytest.fixture(scope="module")
def tables() -> dict[int, dict[str, Any]]:
    made = view(shares(everything()), LAB)["tables"]
    return {table["number"]: table for table in made}


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
    assert "dvc repro papers/clean_label" in victims["rows"][0]["cells"][0]["title"]
    assert {block["network"] for block in moved["blocks"]} == {"minilm-3", "vgg16bn"}
    assert any("stealth@" in at["stage"] for at in hidden["commands"])


def test_a_detector_that_was_not_used_has_no_figure(tables: Any) -> None:
    hidden = tables[11]
    outliers = hidden["groups"]["the least confident"]  # their first column
    texts = {block["dataset"]: block["parts"][0]["rows"][0]["cells"] for block in hidden["blocks"]}
    assert texts["movie-reviews"][outliers]["text"] == "–"
    assert texts["fashion"][outliers]["text"] == "20.00"


def test_only_stated_figures_stand_in_brackets() -> None:
    cells = shares(everything())
    text = text_of(html_of(cells))
    assert "60.00 [88.86]" in text
    assert "(2 of these values, all as a failed replication quotes them)" in text
    stated = cells.assign(published=float("nan"))
    assert "The published figures of these cells are not known to us." in text_of(html_of(stated))


def test_detection_counts_perturbed_watermarks_alone() -> None:
    right = {"wdr": 1.0, "benign_wdr": 0.0, "p_rise": 0.0, "benign_p_rise": 1.0}
    cases: list[tuple[str, dict[str, Any]]] = [(name, {}) for name in TSR if name != "patch-10"]
    cases += [("word-5", {"seed": 2}), ("word-5", {"transfer": True})]
    cases += [("patch-10", {"transfer": True})]
    made = [cell(name, **how, **right) for name, how in cases]
    made.append(cell("patch-10", **right | {"wdr": 0.99, "benign_wdr": 1.0}))
    cells = shares([*made, cell("word-5-plain"), cell("patch-10-plain")])
    rows = {(row["samples"], row["name"].split(",")[0]): row for row in detection_rows(cells)}
    wdr, n, asked = rows["images", "WDR of 100 %"], 2, 2
    found = {key: (wdr[key]["hits"], wdr[key]["n"]) for key in ("recall", "precision")}
    assert found == {"recall": (n - 1, n), "precision": (n - 1, n)}
    assert (wdr["false_alarms"]["hits"], wdr["false_alarms"]["n"]) == (1, asked)
    assert rows["images", "rise above the margin"]["false_alarms"]["hits"] == 0
    texts = [name for name, _ in cases if MARKS[name].modality == "text"]
    assert rows["texts", "WDR of 100 %"]["recall"]["n"] == len(texts) == 6
    honest = 2 + 1 + 1  # word and style, another seed, another network
    assert rows["texts", "WDR of 100 %"]["false_alarms"]["n"] == honest < len(texts)
    said = html_of(cells)
    counted = f"{n - 1} of {n}</td><td>{n - 1} of {n}</td><td>1 of {asked}</td>"
    assert counted in said.replace(' class="number"', "")


@pytest.mark.parametrize("which", ["word-1", "word-5"])
def test_an_alarm_at_one_rate_is_not_hidden_by_another(which: str) -> None:
    made = [cell(n, **({"benign_wdr": 1.0} if n == which else {})) for n in ("word-1", "word-5")]
    (row,) = (row for row in detection_rows(shares(made)) if "WDR" in row["name"])
    assert row["samples"] == "texts"
    assert row["false_alarms"]["hits"] == 1


def test_a_test_that_finds_nothing_has_no_precision() -> None:
    rows = detection_rows(shares([cell(name, wdr=0.0) for name in TSR]))
    assert all(r["precision"] is None for r in rows if "WDR" in r["name"])


def test_marks_are_counted_of_the_class_and_of_the_data() -> None:
    rows = {row["name"]: row for row in craft_rows(cases(), LAB)}
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
    html = html_of(shares(everything()))
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
    assert html == html_of(shares(everything()))


def test_a_scale_without_it_has_no_such_section() -> None:
    assert section(frame([]), LAB) is None
    text = render(Page("toy", [], {}, "remake"))
    assert "lean-label" not in text
    assert "media-src" not in text


def test_one_cell_is_enough_for_a_section() -> None:
    cells = shares([cell("word-5", transfer=True)])
    assert html_of(cells, curves=view(cells, LAB)["curves"]).count("No such cells") == 2  # 9 and 11


def test_hostile_names_and_texts_stay_text() -> None:
    here = Shown(HOSTILE, HOSTILE, HOSTILE)
    kinds = ("same", "removed", "replaced", "inserted", "trigger", "cut")
    spans = [Span(HOSTILE, kind) for kind in kinds]
    cells = shares(everything()).assign(dataset=HOSTILE, model=HOSTILE, stage=HOSTILE)
    cells.loc[cells["table"] == 11, "watermark"] = HOSTILE
    made = shown(cells)
    changed = {
        "settings": [CleanSetting(*[HOSTILE] * 3, 1, 1, 2, HOSTILE, {HOSTILE: HOSTILE})],
        "crafts": [row | {"dataset": HOSTILE, "name": HOSTILE} for row in made["crafts"]],
        "images": [dataclasses.replace(made["images"][0], shown=here, uri=HOSTILE)],
        "texts": [MarkedTexts(here, [(spans, spans)])],
        "clips": [dataclasses.replace(made["clips"][0], shown=here, benign=HOSTILE)],
        "curves": [Curves(HOSTILE, HOSTILE, "")],
    }
    html = draw_section(TEMPLATE, made | changed)
    text = render(Page("toy", [Section(HOSTILE, "clean_label", HOSTILE, html)], {}, "remake"))
    assert "<img src=x" not in text
    assert "&lt;img src=x onerror" in text
    assert len(re.findall(r"<img ", text)) == 1

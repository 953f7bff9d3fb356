"""UBW's part of the page on evidence made by hand."""

import dataclasses
import re
from typing import Any

import pandas as pd

from datadeed.reports import ubw
from datadeed.reports.cells import tidy
from datadeed.reports.figures import Curves
from datadeed.reports.page import Page, Setting, render
from datadeed.reports.ubw_figures import Example
from datadeed.reports.ubw_page import UBW, verdict_rows, view
from tests.reports.test_page import HOSTILE, cells, record
from tests.reports.ubw_evidence import CLEAN, POISONED, records


def part(**changes: Any) -> UBW:
    """Everything of UBW, with figures that only name themselves."""
    evidence = records(**changes)
    example = Example("data:,", 4, 4, "fashion-mnist", "wanet", ["Coat → Bag"], ["Coat"], 3)
    return UBW(
        grid={
            "datasets": ["fashion-mnist"],
            "networks": ["resnet18-ubw"],
            "watermarks": [*POISONED, *CLEAN],
            "seeds": [1, 2],
        },
        settings=[Setting("fashion-mnist", 20000, 5000, 10, {"resnet18-ubw": "5 epochs"})],
        evidence=evidence,
        examples=[example],
        histograms=[Curves("fashion-mnist", "resnet18-ubw", "<svg>bars</svg>")],
        crafting={"fashion-mnist": "<svg>losses</svg>"},
        matched=["sleeper-agent", "ubw-c"],
    )


def whole(shown: UBW | None, found: pd.DataFrame) -> Page:
    """A page with DVBW's cells and these."""
    return Page(
        scale="lite",
        grid={"datasets": ["d"], "networks": ["n"], "watermarks": ["badnets-line"], "seeds": [1]},
        settings=[],
        evidence=[record(("CLAIM", "NOT SUPPORTED", "NOT SUPPORTED"))],
        pictures=[],
        curves=[],
        versions={},
        remake="dvc repro report",
        cells=pd.concat([cells(), found], ignore_index=True),
        claims=None,
        ubw=shown,
    )


def all_cells(shown: UBW) -> pd.DataFrame:
    return tidy(ubw.cells(shown.evidence, "lite"))


def text_of(page: Page) -> str:
    """The page without tags, white space joined."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", render(page)))


def test_tables_have_the_papers_rows_and_the_released_columns() -> None:
    shown = part()
    four, five, six, _ = view(shown, all_cells(shown))["tables"]
    victims, surrogates, honest = four["blocks"][0]["parts"]
    assert [row["name"] for row in victims["rows"]] == ["none", *POISONED, *CLEAN]
    assert [row["name"] for row in surrogates["rows"]] == ["sleeper-agent", "ubw-c"]
    assert [row["name"] for row in honest["rows"]] == [*POISONED, *CLEAN]
    ours = victims["rows"][1 + POISONED.index("ubw-p")]["cells"]
    assert [cell["text"] for cell in ours] == [
        "90.00 ± 0.00",
        "90.00 ± 0.00",
        "90.00 ± 0.00",
        "2.2500 ± 0.0000",
        "2.298",
        "91.00 ± 0.00",
        "91.00 ± 0.00",
        "2.2600 ± 0.0000",
        "2.298",
    ]
    benign = victims["rows"][0]["cells"]
    assert [cell["text"] for cell in benign[:2]] == ["92.00 ± 0.00", "–"]
    assert five["blocks"] == []
    rows = {
        row["name"]: [c["text"] for c in row["cells"]]
        for row in six["blocks"][0]["parts"][0]["rows"]
    }
    assert rows["p: rank of the trigger among its decoys (ours)"] == ["0.01", "0.4", "0.4"]
    assert [at["seed"] for at in six["commands"]] == [1, 2]


def test_verdicts_are_of_untargeted_watermarks_only() -> None:
    rows = verdict_rows(records(seeds=(1,)))
    assert [(row["watermark"], row["scenario"], row["word"]) for row in rows] == [
        (watermark, scenario, "CLAIM" if scenario == "malicious" else "NOT SUPPORTED")
        for watermark in ("ubw-p", "ubw-c")
        for scenario in ubw.SCENARIOS
    ]
    shown = part()
    shown.evidence[-1]["verification"]["independent-model"]["verdict"]["word"] = "CLAIM"
    text = text_of(whole(shown, all_cells(shown)))
    assert "4 of 4 thefts led to a claim; 1 of 8 controls did." in text


def test_the_page_says_what_no_dataset_has_and_what_is_published() -> None:
    shown = part(dataset="cifar10")
    page = render(whole(shown, all_cells(shown)))
    assert "[92.30]" in page
    assert "[2.2548]" in page
    assert "(12 of these values)" in page
    assert re.search(r"Table 5\..*?No such dataset", page, re.DOTALL)
    for svg in ("<svg>bars</svg>", "<svg>losses</svg>"):
        assert svg in page
    assert "Coat → Bag" in page


def test_without_verified_cells_there_are_no_verdicts() -> None:
    shown = part()
    for found in shown.evidence:
        found.pop("verification", None)
    page = render(whole(shown, all_cells(shown)))
    assert "Table 6" in page
    assert "McNemar p" not in page


def test_a_page_without_ubw_does_not_mention_it() -> None:
    assert "UBW" not in render(whole(None, cells().head(0)))


def test_hostile_names_stay_text() -> None:
    shown = part(dataset=HOSTILE, network=HOSTILE)
    shown = dataclasses.replace(
        shown,
        grid={**shown.grid, "watermarks": [HOSTILE], "seeds": [HOSTILE]},
        settings=[Setting(HOSTILE, 1, 1, 2, {HOSTILE: HOSTILE})],
        examples=[Example("data:,", 4, 4, HOSTILE, HOSTILE, [HOSTILE], [HOSTILE], 3)],
        histograms=[Curves(HOSTILE, HOSTILE, "")],
        crafting={HOSTILE: ""},
        matched=[HOSTILE],
        evidence=[{**shown.evidence[-1], "watermark": HOSTILE}],
    )
    text = render(whole(shown, all_cells(shown)))
    assert "<img src=x" not in text
    assert "&lt;img src=x onerror" in text


def test_the_thief_comes_first_whatever_the_order_in_the_file() -> None:
    evidence = next(cell for cell in records() if cell["watermark"] == "ubw-p")
    evidence["verification"] = dict(sorted(evidence["verification"].items()))  # as JSON is written
    assert [row["scenario"] for row in verdict_rows([evidence])] == list(ubw.SCENARIOS)

"""UBW's section of the page on findings made by hand."""

import re
from pathlib import Path
from typing import Any

from datadeed.reports.figures import Curves
from datadeed.reports.page import draw_section
from papers.sections import Setting
from papers.ubw import section
from papers.ubw.figures import Example
from papers.ubw.names import CLEAN, POISONED, SCENARIOS
from papers.ubw.section import crafting_strokes, verdict_rows, view
from tests.papers.ubw.samples import frame, record, records


class Parameters:
    """No parameters are looked at but those of the verification, which each test gives."""

    def params(self, *keys: str) -> dict[str, Any]:
        """None."""
        return {}


RECORDS: Any = Parameters()
HOSTILE = "<img src=x onerror=alert(1)>"


def shown(found: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """What the template needs of these cells, with figures that only name themselves."""
    example = Example("data:,", 4, 4, "fashion-mnist", "wanet", ["Coat → Bag"], ["Coat"], 3)
    return {
        **view(frame(found, page=True), RECORDS),
        "settings": [Setting("fashion-mnist", 20000, 5000, 10, {"resnet18-ubw": "5 epochs"})],
        "watermarks": [*POISONED, *CLEAN],
        "seeds": [1, 2],
        "rule": {"m": 100, "tau": 0.25, "alpha": 0.01, "decoys": 99},
        "examples": [example],
        "histograms": [Curves("fashion-mnist", "resnet18-ubw", "<svg>bars</svg>")],
        "crafting": {"fashion-mnist": "<svg>losses</svg>"},
        "strokes": crafting_strokes(["sleeper-agent", "ubw-c"]),
        **changes,
    }


def page_of(values: dict[str, Any]) -> str:
    """The section as HTML."""
    return str(draw_section(Path(section.__file__).parent / "section.html", values))


def text_of(values: dict[str, Any]) -> str:
    """The section without tags, white space joined."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page_of(values)))


def test_tables_have_the_papers_rows_and_the_released_columns() -> None:
    four, five, six, _ = view(frame(records(), page=True), RECORDS)["tables"]
    victims, surrogates, alike, honest = four["blocks"][0]["parts"]
    assert [row["name"] for row in victims["rows"]] == ["none", *POISONED, *CLEAN]
    assert [row["name"] for row in surrogates["rows"]] == ["sleeper-agent", "ubw-c"]
    assert [row["name"] for row in alike["rows"]] == ["sleeper-agent", "ubw-c"]
    assert [row["name"] for row in honest["rows"]] == [*POISONED, *CLEAN]
    ours = victims["rows"][1 + POISONED.index("ubw-p")]["cells"]
    assert [cell["text"] for cell in ours] == [
        "90.00 ± 0.00",
        "90.00 ± 0.00",
        "10.00 ± 0.00",
        "90.00 ± 0.00",
        "2.2500 ± 0.0000",
        "2.298",
        "91.00 ± 0.00",
        "11.00 ± 0.00",
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


def test_tables_older_than_a_column_do_without_it() -> None:
    cells = frame(records(), page=True)
    old = cells[
        ~cells.metric.str.startswith("asr_a_clean") & (cells.scenario != "benign-retraining")
    ]
    found = view(old, RECORDS)
    assert "asr_a_clean" not in found["rates"]
    assert "asr_a_clean_class_0" not in found["class_0"]
    victims, surrogates, honest = found["tables"][0]["blocks"][0]["parts"]
    for part in (victims, surrogates, honest):
        for row in part["rows"]:
            assert len(row["cells"]) == len(found["rates"]) + len(found["class_0"]) == 9
    changes = {name: found[name] for name in ("rates", "class_0", "tables")}
    assert "the same without trigger" not in page_of(shown(records(), **changes))
    assert "the same without trigger" in page_of(shown(records()))


def test_verdicts_are_of_untargeted_watermarks_only() -> None:
    rows = verdict_rows(frame(records(seeds=(1,)), page=True))
    assert [(row["watermark"], row["scenario"], row["word"]) for row in rows] == [
        (watermark, scenario, "CLAIM" if scenario == "malicious" else "NOT SUPPORTED")
        for watermark in ("ubw-p", "ubw-c")
        for scenario in SCENARIOS
    ]
    assert (rows[0]["failures"], rows[0]["n"], rows[0]["p_rank"]) == (80, 100, 0.01)
    found = records()
    found[-1]["verification"]["independent-model"]["verdict"]["word"] = "CLAIM"
    assert "4 of 4 thefts led to a claim; 1 of 8 controls did." in text_of(shown(found))


def test_the_page_says_what_no_dataset_has_and_what_is_published() -> None:
    page = page_of(shown(records(dataset="cifar10")))
    assert "[92.30]" in page
    assert "[2.2548]" in page
    assert "(12 of these values)" in page
    assert re.search(r"Table 5\..*?No such dataset", page, re.DOTALL)
    for svg in ("<svg>bars</svg>", "<svg>losses</svg>"):
        assert svg in page
    assert "Coat → Bag" in page


def test_without_verified_cells_there_are_no_verdicts() -> None:
    found = records()
    for one in found:
        one.pop("verification", None)
    page = page_of(shown(found))
    assert "Table 6" in page
    assert "McNemar p" not in page


def test_without_cells_there_is_no_section() -> None:
    nowhere: Any = None
    assert section.section(frame([], page=True), nowhere) is None


def test_hostile_names_stay_text() -> None:
    found = [{**record("ubw-c"), "dataset": HOSTILE, "network": HOSTILE, "watermark": HOSTILE}]
    text = page_of(
        shown(
            found,
            watermarks=[HOSTILE],
            seeds=[HOSTILE],
            settings=[Setting(HOSTILE, 1, 1, 2, {HOSTILE: HOSTILE})],
            examples=[Example("data:,", 4, 4, HOSTILE, HOSTILE, [HOSTILE], [HOSTILE], 3)],
            histograms=[Curves(HOSTILE, HOSTILE, "")],
            crafting={HOSTILE: ""},
            strokes=crafting_strokes([HOSTILE]),
        )
    )
    assert "<img src=x" not in text
    assert "&lt;img src=x onerror" in text


def test_the_thief_comes_first_whatever_the_order_of_rows() -> None:
    cells = frame([one for one in records() if one["watermark"] == "ubw-p"][:1], page=True)
    rows = verdict_rows(cells.sort_values(["scenario", "metric"]))
    assert [row["scenario"] for row in rows] == list(SCENARIOS)

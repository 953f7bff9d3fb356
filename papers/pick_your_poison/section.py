"""The paper's part of the page: the trade-off, repairs, detectors, what a key still proves."""

from typing import Any

import pandas as pd

from papers.base import Case, Lab, Records
from papers.pick_your_poison.curve import tradeoff
from papers.pick_your_poison.figures import curves
from papers.pick_your_poison.repair import RELEARN, SUSPECT
from papers.pick_your_poison.repaired import REPAIRED
from papers.pick_your_poison.tables import CLAIMED, TABLES, place, tables
from papers.sections import settings

CASE = ["dataset", "model", "watermark", "seed"]
NOTES = {
    12: "ASR (CDA), percent, of the state that a defender would choose without knowing the "
    "trigger. picked: the repair that he would choose among the few that every watermark met; "
    "best: the one that leaves the trigger least success on test data, as released; best of all: "
    "the same among all repairs. Where no state was within the budget the suspect’s own stands.",
    13: "One or two models a watermark are few: the rows “all” and those of table 14 rest on more.",
    14: "Rates are marks in 1,000 rows. “all” are the curve’s three attacks together.",
    15: "log10 of the largest E, and the share of models with a claim.",
    16: "Percent.",
}


def section(cells: pd.DataFrame, lab: Lab) -> dict[str, Any] | None:
    """What ``section.html`` shows of these cells; None without cells."""
    if cells.empty:
        return None
    repaired = cells[(cells["table"] == REPAIRED) & ~cells["watermark"].isin(lab.params("control"))]
    cases = [Case(*names) for names in repaired[CASE].drop_duplicates().to_numpy().tolist()]
    return view(cells, lab) | {"settings": settings(lab, cases)}


def view(cells: pd.DataFrame, records: Records) -> dict[str, Any]:
    """What cells and parameters alone give."""
    made = tables(cells)
    return {
        "title": "Pick your Poison (Lukas & Kerschbaum 2023)",
        "defender": records.settings("pick_your_poison", "trusted"),
        "budget": records.params("budget"),
        "svg": curves(tradeoff(cells)),
        "tables": [_view(cells, number, frame) for number, frame in wide(made).items()],
        "again": _grid(trained_on(made[REPAIRED])),
    }


def wide(made: dict[int, pd.DataFrame]) -> dict[int, pd.DataFrame]:
    """The tables as people read them: a column a repair where the files have a row each."""
    repaired, proved = made[REPAIRED], made[15]
    repaired = repaired[~repaired["scenario"].str.contains(", then ")]
    return made | {
        REPAIRED: across(repaired, repaired["asr"] + " (" + repaired["cda"] + ")"),
        15: across(proved, proved["log10_e"] + "; " + proved["claim"] + " %"),
        16: made[16].drop(columns=["dataset", "model"]),
    }


def trained_on(repaired: pd.DataFrame) -> pd.DataFrame:
    """Success before and after a repair, and after the repaired model was trained on."""
    ends = tuple(f", then {how}" for how in RELEARN.values())
    names = [name for name in repaired["scenario"].unique() if name.endswith(ends)]
    shown = [SUSPECT, *dict.fromkeys(name.partition(", then ")[0] for name in names), *names]
    mine = repaired[repaired["scenario"].isin(shown)]
    found = across(mine, mine["asr"])
    return found[["dataset", "watermark", *shown]] if names else found.iloc[:0]


def across(frame: pd.DataFrame, texts: "pd.Series[str]") -> pd.DataFrame:
    """A row a dataset and watermark, a column a scenario, as these come."""
    order = list(dict.fromkeys(frame["scenario"]))
    found = frame.assign(text=texts).pivot(
        index=["dataset", "watermark"], columns="scenario", values="text"
    )
    found = found[order].fillna("–").reset_index()
    return found.sort_values("watermark", key=lambda names: names.map(place), ignore_index=True)


def _view(cells: pd.DataFrame, number: int, frame: pd.DataFrame) -> dict[str, Any]:
    mine = cells[cells["table"] == number] if number != 14 else cells.iloc[:0]
    return {
        "number": number,
        "title": TABLES[number],
        "claimed": CLAIMED[number],
        "note": NOTES[number],
        "commands": mine[[*CASE, "stage"]].drop_duplicates().to_dict("records"),
        **_grid(frame),
    }


def _grid(frame: pd.DataFrame) -> dict[str, Any]:
    rows = [list(map(_text, row)) for row in frame.astype(object).to_numpy()]
    return {"columns": list(frame.columns), "rows": rows}


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.2f}" if pd.notna(value) else "–"
    return "–" if value is None else str(value)

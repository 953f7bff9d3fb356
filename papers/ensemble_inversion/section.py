"""The section of the page: tables and pictures."""

from typing import Any

import pandas as pd

from datadeed.reports.figures import data_uri
from papers.base import Case, Lab, Records
from papers.ensemble_inversion.figure import rows, sheet
from papers.ensemble_inversion.pool import pictures_file
from papers.ensemble_inversion.tables import CLAIMED, TABLES, wide

CASE = ["dataset", "model", "watermark", "seed"]
COLUMNS = {
    "accuracy": "accuracy, %",
    "filtered": "accuracy of the kept fifth, %",
    "agreement": "members agree, %",
    "test accuracy": "on real images, %",
    "members": "chosen members alone, mean, %",
    "best member": "best of them alone, %",
    "apart": "distance of their answers",
    "gain": "gain over their mean, points",
    "deviation": "deviation within a class",
    "spread": "distance of two of a class",
    "nearest": "nearest training image",
    "frechet": "Fréchet distance",
}


def section(cells: pd.DataFrame, lab: Lab) -> dict[str, Any] | None:
    """What ``section.html`` shows; None without cells."""
    if cells.empty:
        return None
    cases = [Case(*names) for names in cells[CASE].drop_duplicates().to_numpy().tolist()]
    first = {case.dataset: case for case in reversed(cases)}
    found = [picture(lab, case) for case in first.values() if there(lab, case)]
    return view(cells, lab) | {"pictures": found}


def view(cells: pd.DataFrame, records: Records) -> dict[str, Any]:
    """What cells and parameters alone give."""
    tabled = cells[cells["table"].notna()]
    return {
        "title": "Ensemble Inversion (Wang & Kurz 2022)",
        "datasets": sorted(set(tabled["dataset"])),
        "seeds": sorted(set(tabled["seed"])),
        "tables": [table_view(cells, number) for number in TABLES],
        "marks": marks(cells[cells["table"].isna()]),
    }


def marks(found: pd.DataFrame) -> list[dict[Any, Any]]:
    """How well a key's patches fit the pictures of thieves and of honest models, a row a model."""
    names = ["dataset", "watermark", "seed", "scenario"]
    wide = found.pivot_table(index=names, columns="metric", values="value", sort=False)
    return wide.reset_index().to_dict("records")


def table_view(cells: pd.DataFrame, number: int) -> dict[str, Any]:
    """A table, ready to be shown, and the commands that remake it."""
    found = cells[cells["table"] == number]
    table = wide(found, number)
    metrics = [name for name in COLUMNS if name in table]
    return {
        "number": number,
        "title": TABLES[number],
        "claimed": CLAIMED[number],
        "columns": [COLUMNS[name] for name in metrics],
        "rows": [
            {"dataset": row["dataset"], "scenario": row["scenario"],
             "values": [row[name] for name in metrics]}
            for row in table.to_dict("records")
        ],
        "commands": found[[*CASE, "stage"]].drop_duplicates().to_dict("records"),
    }  # fmt: skip


def there(lab: Lab, case: Case) -> bool:
    """Whether a case's pictures are at hand: the page does not wait for them."""
    return bool(pictures_file(lab, case).exists())


def picture(lab: Lab, case: Case) -> dict[str, Any]:
    """The figure of a case."""
    png, (width, height) = sheet(lab, case)
    names = {"dataset": case.dataset, "seed": case.seed, "rows": rows(lab, case)}
    return {**names, "uri": data_uri(png), "width": width, "height": height}

"""Tables 12 to 16: repair, detection, the trade-off, what a key still proves, dual encoders."""

from typing import Any

import pandas as pd

from datadeed.reports.cells import PERCENT, Mean, Shown, cell_view
from papers.pick_your_poison.curve import ALL, DETECTORS, RATED, attack_of, auc, tradeoff

TABLES = {
    12: "Success of the trigger (ASR) and accuracy (CDA) after each repair, in percent",
    13: "Detection: scores of models, and how well they tell marked from honest ones (AUC)",
    14: "The trade-off: success of the trigger (ASR) after repair, and AUC, at each poison rate",
    15: "What a key still proves of a repaired model: the largest E, and whether it is a claim",
    16: "A dual encoder: accuracy by names, by another template and by other words; success (ASR)",
}
CLAIMED = {
    12: "every attack is mitigated with 1 % of trusted data at a cost of at most 2 points",
    13: "over-poisoned models are detected, under-poisoned ones are not",
    14: "no number of poisoned samples is both robust and undetected",
    15: "(ours) nothing is claimed",
    16: "repair works on CLIP as well",
}
HEADLINES = {  # for `dvc metrics`: means of these cells
    "suspect_asr": 'table == 12 and scenario == "suspect" and metric == "asr"',
    "repaired_asr": 'table == 12 and scenario == "best" and metric == "asr"',
    "repaired_cda": 'table == 12 and scenario == "best" and metric == "cda"',
    "repaired_key_claimed": 'table == 15 and scenario != "suspect" and metric == "claim"',
}
RATES = ("asr", "cda")
REPAIRED = (*RATES, "asr_last", "cda_last", "asr_released", "cda_released", "steps")
DUAL = ("cda", "cda_template", "cda_synonyms", "asr")
PROVED = ("log10_e", "claim", "hits")
SHOWN: Shown = {
    **dict.fromkeys((*REPAIRED, *DUAL), Mean(100, 1)),
    "steps": Mean(digits=0),
    "score": Mean(digits=2),
    "log10_e": Mean(digits=1),
    "claim": Mean(100, 0, spread=False),
    "hits": PERCENT,
}
# What stands in the tables of watermarks, after those of RATED: other papers' last.
UNRATED = ("latent", "controlled", "wanet", "label-consistent", "sleeper-agent", "ubw-p", "ubw-c")


def tables(cells: pd.DataFrame) -> dict[int, pd.DataFrame]:
    """Means and spreads over seeds; AUCs and the trade-off are shares. Headers without cells."""
    return {
        12: _rows(cells, 12, ("dataset", "watermark", "scenario"), REPAIRED),
        13: detection(cells),
        14: tradeoff(cells).round(4),
        15: _rows(cells, 15, ("dataset", "watermark", "scenario"), PROVED),
        16: _rows(cells, 16, ("dataset", "model", "watermark", "scenario"), DUAL),
    }


def _rows(
    cells: pd.DataFrame, table: int, case: tuple[str, ...], metrics: tuple[str, ...]
) -> pd.DataFrame:
    """A row a case, in the order of watermarks and else as the cells come; a column a metric."""
    found = cells[cells["table"] == table]
    rows = []
    for names, mine in found.groupby(list(case), sort=False):
        texts = {m: cell_view(mine[mine["metric"] == m], m, SHOWN)["text"] for m in metrics}
        rows.append({**dict(zip(case, names, strict=True)), **texts})
    rows.sort(key=lambda row: place(str(row["watermark"])))
    return pd.DataFrame(rows, columns=[*case, *metrics])


def place(watermark: str) -> tuple[Any, ...]:
    """What watermarks are sorted by: attacks by rate, other watermarks, honest models first."""
    if watermark == "none":
        return (-1,)
    name, rate = attack_of(watermark)
    order = (*RATED, *UNRATED)
    return (order.index(name) if name in order else len(order), name, rate or 0)


def detection(cells: pd.DataFrame) -> pd.DataFrame:
    """A row a dataset and watermark; "all" are all watermarked models of a dataset together.

    Returns:
        ``dataset, watermark, models`` (how many), and for each detector its ``score`` as text and
        its ``auc`` against the honest models of the dataset, None where there are none.
    """
    found, rows = cells[(cells["table"] == 13) & (cells["metric"] == "score")], []
    for dataset, here in found.groupby("dataset", sort=False):
        names = sorted(here["watermark"].unique(), key=place)
        for name in [*names, ALL]:
            members = [n for n in names if n != "none"] if name == ALL else [name]
            mine = here[here["watermark"].isin(members)]
            row = {"dataset": dataset, "watermark": name}
            row["models"] = mine[["watermark", "seed"]].drop_duplicates().shape[0]
            for detector in DETECTORS:
                scores = mine[mine["scenario"] == detector]
                row[f"{detector} score"] = cell_view(scores, "score", SHOWN)["text"]
                area = None if name == "none" else auc(here, detector, members)
                row[f"{detector} auc"] = None if area is None else round(area, 4)
            rows.append(row)
    columns = [f"{detector} {what}" for detector in DETECTORS for what in ("score", "auc")]
    return pd.DataFrame(rows, columns=["dataset", "watermark", "models", *columns])

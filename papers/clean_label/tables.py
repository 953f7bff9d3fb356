"""Tables 8 to 11 of the clean-label paper (Tang et al. 2023), from its cells."""

from typing import Any

import pandas as pd

from datadeed.reports.cells import PERCENT, Mean, Range, Shown, cell_view
from papers.clean_label.watermarks import MARKS

TABLES = {
    8: "Accuracy, and how much of it the marks cost (AD)",
    9: "Trigger success (TSR) and watermark detection rates (WDR)",
    10: "Transfer: marks made with one architecture, models of another",
    11: "Stealth: are the marks among what a thief would throw away?",
}
CLAIMED = {
    8: "AD below 1.5 points always, below 0.5 for sentiment",
    9: "text: TSR above 90 % at 1 %; at 5 % near 100 % (word) and above 95 % (style); images: "
    "about 50 % at 10 %; WDR 100 % for text and audio at 1 %, for images at 10 %, 0 % on benign "
    "models; a trigger alone, without a perturbation, is mostly ineffective",
    10: "TSR falls markedly for images and stays high for text",
    11: "grammar errors rise by less than 0.5 %; marks are below 5 % of the least confident "
    "samples; the autoencoder does not find them",
}
HEADLINES = {  # for `dvc metrics`: means of these cells
    "victim_ad": 'table == 8 and scenario == "victim" and metric == "ad"',
    "victim_tsr": 'table == 9 and scenario == "victim" and metric == "tsr"',
    "honest_tsr": 'table == 9 and scenario == "benign" and metric == "tsr"',
    "victim_wdr": 'table == 9 and scenario == "victim" and metric == "wdr"',
}
ACCURACY = ("ba", "ad", "ad_error")
DETECTION = ("misled", "tsr", "tsr_as_published", "wdr", "p_mcnemar", "p_rise")
CASE = ["dataset", "model", "scenario", "watermark"]

SHOWN: Shown = {
    **dict.fromkeys(("ba", "tsr", "tsr_as_published", "wdr", "misled"), PERCENT),
    **dict.fromkeys(("confidence_share", "autoencoder_share"), PERCENT),
    **dict.fromkeys(("ad", "ad_error", "grammar_rise", "errors_rise"), Mean()),
    **dict.fromkeys(("p_mcnemar", "p_rise"), Range(exact=True)),
}


def tables(found: pd.DataFrame) -> dict[int, pd.DataFrame]:
    """The tables as pivots of the cells: mean and spread over seeds.

    A row a (dataset, model, scenario, watermark), a column a metric; only a header where the scale
    has no such cells.
    """
    made = {}
    for table in TABLES:
        mine = found[found.table == table]
        metrics = {8: ACCURACY, 11: sorted(mine.metric.unique())}.get(table, DETECTION)
        rows = [
            {**case, **{m: cell_view(part[part.metric == m], m, SHOWN)["text"] for m in metrics}}
            for case, part in in_order(mine)
        ]
        made[table] = pd.DataFrame(rows, columns=[*CASE, *metrics])
    return made


def in_order(found: pd.DataFrame) -> list[tuple[dict[str, str], pd.DataFrame]]:
    """The cells of each (dataset, model, scenario, watermark), the honest model "none" first."""
    groups = [(tuple(map(str, case)), mine) for case, mine in found.groupby(CASE)]
    groups.sort(key=lambda group: _place(*group[0]))
    return [(dict(zip(CASE, case, strict=True)), mine) for case, mine in groups]


def _place(dataset: str, model: str, scenario: str, watermark: str) -> tuple[Any, ...]:
    """What cases are sorted by: triggers by name, plain ones last, their rates as numbers."""
    mark = MARKS.get(watermark)
    kind = (mark.trigger, not mark.perturbed, mark.percent) if mark else (watermark, False, 0)
    return (dataset, model, watermark != "none", scenario != "victim", *kind)

"""Tables 8 to 11 of the clean-label paper (Tang et al. 2023), from the evidence of its cells."""

from typing import Any

import pandas as pd

from datadeed.reports.cells import COLUMNS, cell_view
from datadeed.reports.clean_claims import PAPER, claims

STAGES = "papers/clean-label/dvc.yaml"
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
# A metric: where its value stands in a model's evidence, and where the number of samples does.
_RATES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "tsr": (("tsr", "value"), ("tsr", "n")),
    "tsr_as_published": (("tsr_as_published", "value"), ("tsr_as_published", "n")),
}
_TESTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "wdr": (("wdr", "value"), ("wdr", "pool")),
    "p_mcnemar": (("mcnemar", "p_value"), ("mcnemar", "n")),
    "p_rise": (("rise", "p_value"), ("rise", "n")),
}
ACCURACY = ("ba", "ad", "ad_error")
DETECTION = ("misled", *_RATES, *_TESTS)
CASE = ["dataset", "model", "scenario", "watermark"]
# AudioMNIST, as an independent replication quotes the authors (its own: 10.13, 9.68, 9.27, 8.63 %).
_PUBLISHED = {"impulse-1": 0.8886, "impulse-5": 0.9874, "impulse-10": 1.0, "impulse-20": 1.0}


def cells(
    evidence: list[dict[str, Any]], stealth: list[dict[str, Any]], scale: str
) -> pd.DataFrame:
    """One row a number.

    An honest model's accuracy does not depend on the watermark: it is the row "none".

    Args:
        evidence: the ``evidence.json`` of every stage ``verify``.
        stealth: the record of every stage ``hide``.
        scale: the scale's name.

    Returns:
        Columns as :data:`datadeed.reports.cells.COLUMNS`; rates are shares from 0 to 1, AD is in
        percentage points.
    """
    rows: list[dict[str, Any]] = []
    honest = set()
    for record in evidence:
        where = _where(record, "verify", scale)
        model = (record["dataset"], record["network"], record["seed"])
        benign, drop = record["models"]["benign"], record["accuracy_drop"]
        here = {**where, "table": 8, "scenario": "victim"}
        rows.append({**here, **_number("ba", record["models"]["victim"]["ba"])})
        rows.append({**here, "metric": "ad", "value": drop["value"], "n": drop["n"]})
        error = drop["standard_error"]
        rows.append({**here, "metric": "ad_error", "value": error, "n": drop["n"]})
        if model not in honest:
            honest.add(model)
            none = {**where, "table": 8, "scenario": "benign", "watermark": "none"}
            rows.append({**none, **_number("ba", benign["ba"])})
        for part in ("victim", "benign"):
            here = {**where, "table": 10 if record["transfer"] else 9, "scenario": part}
            rows += _numbers(here, record["models"][part], _RATES)
            rows += _numbers(here, record["verification"][part], _TESTS)
            made = record["crafting"]
            if part == "victim" and "fooled" in made:
                share = made["fooled"] / made["marks"]
                rows.append({**here, "metric": "misled", "value": share, "n": made["marks"]})
    for record in stealth:
        here = {**_where(record, "hide", scale), "table": 11, "scenario": "victim"}
        rows += [
            {**here, "metric": metric, "value": found["value"], "n": found["n"]}
            for metric, found in record["metrics"].items()
        ]
    for row in rows:
        row["published"] = _published(row)
    return pd.DataFrame(rows, columns=COLUMNS)


def _where(record: dict[str, Any], stage: str, scale: str) -> dict[str, Any]:
    name = "{dataset}-{network}-{watermark}-{seed}".format(**record)
    return {
        "paper": PAPER,
        "dataset": record["dataset"],
        "model": record["network"],
        "watermark": record["watermark"],
        "seed": record["seed"],
        "stage": f"{STAGES}:{stage}@{name}",
        "scale": scale,
    }


def _number(metric: str, rate: dict[str, Any]) -> dict[str, Any]:
    return {"metric": metric, "value": rate["value"], "n": rate["n"]}


def _numbers(here: dict[str, Any], found: dict[str, Any], metrics: Any) -> list[dict[str, Any]]:
    return [
        {**here, "metric": metric, "value": _at(found, value), "n": _at(found, n)}
        for metric, (value, n) in metrics.items()
    ]


def _at(found: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        found = found[key]
    return found


def _published(row: dict[str, Any]) -> float:
    """The figure that a source states for this cell, or NaN."""
    stated = row["dataset"].startswith("audiomnist") and row["metric"] == "tsr_as_published"
    if not stated or row["scenario"] != "victim":
        return float("nan")
    return _PUBLISHED.get(row["watermark"], float("nan"))


def tables(found: pd.DataFrame) -> dict[int, pd.DataFrame]:
    """The tables as pivots of the cells: mean and spread over seeds.

    A row a (dataset, model, scenario, watermark), a column a metric; only a header where the scale
    has no such cells.
    """
    made = {}
    for table in TABLES:
        mine = found[found.table == table]
        metrics = {8: ACCURACY, 11: tuple(mine.metric.unique())}.get(table, DETECTION)
        rows = [
            {**case, **{m: cell_view(part[part.metric == m], m)["text"] for m in metrics}}
            for case, part in cases(mine)
        ]
        made[table] = pd.DataFrame(rows, columns=[*CASE, *metrics])
    return made


def cases(found: pd.DataFrame) -> list[tuple[dict[str, str], pd.DataFrame]]:
    """The cells of each (dataset, model, scenario, watermark), the honest model "none" first."""
    groups = [(tuple(map(str, case)), mine) for case, mine in found.groupby(CASE)]
    groups.sort(key=lambda group: _place(*group[0]))
    return [(dict(zip(CASE, case, strict=True)), mine) for case, mine in groups]


def _place(dataset: str, model: str, scenario: str, watermark: str) -> tuple[Any, ...]:
    """What cases are sorted by: triggers by name, their rates as numbers, plain ones last."""
    trigger, _, rest = watermark.partition("-")
    rate, _, plain = rest.partition("-")
    percent = int(rate) if rate.isdecimal() else 0
    return (dataset, model, watermark != "none", scenario != "victim", trigger, plain, percent)


__all__ = ["CLAIMED", "PAPER", "TABLES", "cases", "cells", "claims", "tables"]

"""UBW's tables 4 to 7 and its claims, from the evidence of its cells.

"Over all classes" counts every test image; "class 0" counts the images of that class alone, as the
released code does.
"""

from typing import Any

import pandas as pd

from datadeed.reports.cells import COLUMNS, cell_view
from datadeed.reports.ubw_claims import CLEAN, PAPER, POISONED, VERIFIED, claims

STAGE = "papers/ubw/dvc.yaml:verify"
RATES = ("ba", "asr_a", "asr_c", "d_p", "d_p_uniform")
CLASS_0 = tuple(f"{name}_class_0" for name in RATES[1:])
MODELS = ("victim", "last-surrogate", "benign")
SCENARIOS = ("malicious", "independent-trigger", "independent-model")
WATERMARKS = ("none", *POISONED, *CLEAN)  # in the paper's order
CASE = ["dataset", "model", "scenario", "watermark"]

TABLES = {
    4: "Watermarks on datasets of at most ten classes",
    5: "Watermarks on datasets of more than ten classes",
    6: "Verification of UBW-P",
    7: "Verification of UBW-C",
}
CLAIMED = {
    4: "ASR of UBW comparable to the targeted watermarks’ with poisoned and with clean labels; "
    "UBW-P’s D_p more than ten times that of every other one with poisoned labels",
    5: "UBW-C’s ASR-C above Label-Consistent’s and Sleeper Agent’s by more than 55 points",
    6: "Malicious: delta-P well above 0 and p <= 0.01; Independent: delta-P near 0 and p >= 0.05",
    7: "Malicious: delta-P well above 0 and p <= 0.01; Independent: delta-P near 0 and p >= 0.05",
}
# A test's metrics: where the value stands, and where the number of samples it rests on.
_TESTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "delta_p": (("delta_p",), ("n",)),
    "p_published": (("p_published",), ("n",)),
    "delta_p_released": (("released", "delta_p"), ("released", "n")),
    "p_released": (("released", "p"), ("released", "n")),
    "p_mcnemar": (("mcnemar", "p_value"), ("mcnemar", "n")),
    "p_rank": (("decoys", "rank_p"), ("decoys", "count")),
    "e_decoys": (("decoys", "e_value"), ("decoys", "count")),
    "failures": (("decoys", "failures"), ("n",)),
}
# CIFAR-10, pattern (a), as the authors quote them: measured on class 0, and for UBW-C on the last
# surrogate. No source at hand states another row.
_PUBLISHED = {
    ("ubw-p", "victim"): (0.9059, 0.9230, 0.9251, 2.2548),
    ("ubw-c", "last-surrogate"): (0.8699, 0.8980, 0.8756, 1.2641),
}


def cells(evidence: list[dict[str, Any]], scale: str) -> pd.DataFrame:
    """One row a number, from the ``evidence.json`` of every verification stage.

    The honest model's BA does not depend on the watermark: it is the row "none". The last surrogate
    does not depend on the victim's seed: it is counted once.

    Returns:
        Columns as :data:`datadeed.reports.cells.COLUMNS`; rates are shares from 0 to 1,
        dispersibilities nats.
    """
    rows: list[dict[str, Any]] = []
    honest, surrogates = set(), set()
    for record in evidence:
        name = "{dataset}-{network}-{watermark}-{seed}".format(**record)
        where = {
            "paper": PAPER,
            "dataset": record["dataset"],
            "model": record["network"],
            "watermark": record["watermark"],
            "seed": record["seed"],
            "stage": f"{STAGE}@{name}",
            "scale": scale,
        }
        model = (record["dataset"], record["network"], record["seed"])
        table = 4 if record["classes"] <= 10 else 5
        for scenario, rates in record["models"].items():
            if scenario == "last-surrogate":
                crafted = (record["dataset"], record["watermark"])
                if crafted in surrogates:
                    continue
                surrogates.add(crafted)
            here = {**where, "table": table, "scenario": scenario}
            if scenario != "benign":
                rows.append({**here, **_number("ba", rates["ba"])})
            elif model not in honest:
                honest.add(model)
                rows.append({**here, "watermark": "none", **_number("ba", rates["ba"])})
            rows += [{**here, **number} for number in _numbers(rates)]
        for scenario, found in record.get("verification", {}).items():
            here = {**where, "table": VERIFIED[record["method"]], "scenario": scenario}
            rows += [{**here, **number} for number in _tests(found)]
    for row in rows:
        row["published"] = _published(row)
    return pd.DataFrame(rows, columns=COLUMNS)


def _number(metric: str, rate: dict[str, Any]) -> dict[str, Any]:
    return {"metric": metric, "value": rate["value"], "n": rate["n"]}


def _numbers(rates: dict[str, Any]) -> list[dict[str, Any]]:
    """One model's rates, over all classes and of class 0; a rate without samples is left out."""
    made = []
    for part, suffix in (("all", ""), ("class_0", "_class_0")):
        found = rates[part]
        for name in ("asr_a", "asr_c", "d_p"):
            if found[name] is not None:
                made.append(_number(name + suffix, found[name]))
        if found["d_p"] is not None:
            uniform = {"value": found["d_p"]["uniform"], "n": found["d_p"]["n"]}
            made.append(_number(f"d_p_uniform{suffix}", uniform))
    return made


def _tests(found: dict[str, Any]) -> list[dict[str, Any]]:
    """One suspect's verification."""
    return [
        {"metric": metric, "value": _at(found, value), "n": _at(found, n)}
        for metric, (value, n) in _TESTS.items()
    ]


def _at(found: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        found = found[key]
    return found


def _published(row: dict[str, Any]) -> float:
    """The figure that a source states for this cell, or NaN."""
    known = _PUBLISHED.get((row["watermark"], row["scenario"]))
    metrics = ("ba", "asr_a_class_0", "asr_c_class_0", "d_p_class_0")
    if known is None or not row["dataset"].startswith("cifar10") or row["metric"] not in metrics:
        return float("nan")
    return known[metrics.index(row["metric"])]


def tables(found: pd.DataFrame) -> dict[int, pd.DataFrame]:
    """The published tables as pivots of the cells: mean and spread over seeds.

    A row a (dataset, model, scenario, watermark), a column a metric; only a header where the scale
    has no such cells.
    """
    made = {}
    for table in TABLES:
        metrics = list(_TESTS) if table in VERIFIED.values() else [*RATES, *CLASS_0]
        rows = [
            {**case, **{m: cell_view(mine[mine.metric == m], m)["text"] for m in metrics}}
            for case, mine in cases(found[found.table == table])
        ]
        made[table] = pd.DataFrame(rows, columns=[*CASE, *metrics])
    return made


def cases(found: pd.DataFrame) -> list[tuple[dict[str, str], pd.DataFrame]]:
    """The cells of each (dataset, model, scenario, watermark) in the paper's order.

    The honest model, "none", comes first.
    """
    groups = [(tuple(map(str, case)), mine) for case, mine in found.groupby(CASE)]
    groups.sort(key=lambda group: _place(*group[0]))
    return [(dict(zip(CASE, case, strict=True)), mine) for case, mine in groups]


def _place(dataset: str, model: str, scenario: str, watermark: str) -> tuple[Any, ...]:
    """What cases are sorted by; unknown names come last, by name."""
    orders = ((*MODELS, *SCENARIOS), scenario), (WATERMARKS, watermark)
    ranks = [names.index(name) if name in names else len(names) for names, name in orders]
    return (dataset, model, watermark != "none", *ranks, scenario, watermark)


__all__ = ["CLAIMED", "PAPER", "TABLES", "cases", "cells", "claims", "tables"]

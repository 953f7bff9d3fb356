"""Tidy cells: one row a number. Every published table is a pivot of them."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import pandas as pd

COLUMNS = [
    "paper",
    "table",
    "dataset",
    "model",
    "watermark",
    "scenario",
    "metric",
    "value",
    "published",
    "n",
    "seed",
    "stage",
    "scale",
]


@dataclass(frozen=True)
class Claim:
    """A sentence of a paper, checked.

    Attributes:
        claim: a short name.
        paper, source: whose sentence, and where it stands.
        statement: the sentence; how a vague word was read stands in brackets.
        holds: whether the cells agree.
        observed: the figure that decides.
        cells: a pandas query that selects the cells it rests on.
    """

    claim: str
    paper: str
    source: str
    statement: str
    holds: bool
    observed: str
    cells: str


def claims_frame(claims: list[Claim]) -> pd.DataFrame:
    """One row a claim."""
    return pd.DataFrame([dataclasses.asdict(claim) for claim in claims])


def cell_rows(
    where: dict[str, Any], found: dict[str, Any], metrics: dict[str, tuple[str, ...]]
) -> list[dict[str, Any]]:
    """Rows for the metrics whose values lie at given paths in nested evidence."""
    rows = []
    for metric, path in metrics.items():
        value: Any = found
        for key in path:
            value = value[key]
        rows.append({**where, "metric": metric, "value": value})
    return rows


def tidy(cells: pd.DataFrame) -> pd.DataFrame:
    """All columns, in order, sorted; ``published`` is empty where no source states the figure."""
    order = [c for c in COLUMNS if c not in ("value", "published", "n", "stage", "scale")]
    return cells.reindex(columns=COLUMNS).sort_values(order, ignore_index=True)


def pivot(cells: pd.DataFrame, table: int) -> pd.DataFrame:
    """A row a (dataset, model, scenario, metric), a column a watermark, seeds summarised.

    Shares show as percent, mean and standard deviation over seeds; p-values show their range,
    since a mean of p-values means nothing.
    """
    case = ["dataset", "model", "scenario", "metric"]
    metrics = {m: i for i, m in enumerate(cells["metric"].drop_duplicates())}
    shown = cells.groupby([*case, "watermark"])["value"].agg(list).reset_index()
    shown["value"] = [
        summary(metric, values) for metric, values in zip(shown.metric, shown.value, strict=True)
    ]
    wide = shown.pivot(index=case, columns="watermark", values="value").reset_index()
    wide["order"] = wide["metric"].map(metrics)
    wide["late"] = wide["scenario"] != "steal"
    wide = wide.sort_values(["dataset", "model", "late", "scenario", "order"], ignore_index=True)
    wide.columns.name = None
    return wide.drop(columns=["order", "late"])


def summary(metric: str, values: list[float]) -> str:
    """A cell's text: mean and standard deviation over seeds, or the range of p-values.

    A single seed has no spread, and equal ends are one figure.
    """
    series = pd.Series(values)
    if metric in ("ba", "wsr", "wsr_as_released", "delta_p"):
        factor, digits = (1, 3) if metric == "delta_p" else (100, 2)
        mean = f"{factor * series.mean():.{digits}f}"
        return f"{mean} ± {factor * series.std():.{digits}f}" if len(series) > 1 else mean
    low, high = f"{series.min():.2g}", f"{series.max():.2g}"
    return low if low == high else f"{low} … {high}"


def describe(case: Any) -> str:
    """A group's key as words."""
    return " ".join(map(str, case)) if isinstance(case, tuple) else str(case)

"""Tidy cells: one row a number. Every published table is a pivot of them.

``value`` and ``published`` are in the same unit: rates are shares from 0 to 1.
"""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from datadeed.errors import DatadeedError

TYPES = {
    "paper": "object",
    "table": "Int64",  # none: the number is for the page alone
    "dataset": "object",
    "model": "object",
    "watermark": "object",
    "scenario": "object",
    "metric": "object",
    "value": "float64",
    "published": "float64",
    "n": "Int64",
    "seed": "int64",
    "stage": "object",
    "scale": "object",
}
COLUMNS = list(TYPES)


@dataclass(frozen=True)
class Mean:
    """A metric that is shown by its mean over seeds and their standard deviation.

    Attributes:
        factor: what values are multiplied by.
        digits: decimals.
        spread: whether seeds differ at all.
    """

    factor: float = 1
    digits: int = 2
    spread: bool = True


@dataclass(frozen=True)
class Range:
    """A metric that is shown by its least and greatest value: a mean of p-values means nothing.

    Attributes:
        exact: an exact p-value is never 0, only too small for a float.
    """

    exact: bool = False


PERCENT = Mean(100)
Shown = Mapping[str, Mean | Range]  # by metric; one that is not in it shows its range


@dataclass(frozen=True)
class Claim:
    """A sentence of a paper, checked.

    Attributes:
        claim: a short name.
        paper, source: whose sentence, and where it stands.
        statement: the sentence; how a vague word was read stands in brackets.
        holds: whether the cells agree; None where the scale has no cells to test it on.
        observed: the figure that decides.
        cells: a pandas query that selects the cells it rests on.
    """

    claim: str
    paper: str
    source: str
    statement: str
    holds: bool | None
    observed: str
    cells: str


def claims_frame(claims: list[Claim]) -> pd.DataFrame:
    """One row a claim; ``holds`` is empty where a claim was not tested."""
    columns = [field.name for field in dataclasses.fields(Claim)]
    frame = pd.DataFrame([dataclasses.asdict(claim) for claim in claims], columns=columns)
    return frame.astype({"holds": "boolean"})


def read_csv(path: Path) -> pd.DataFrame:
    """Rows with all :data:`COLUMNS`, of their types, each float as it was written.

    Raises:
        DatadeedError: the file is missing, is no CSV, lacks a column or holds another type.
    """
    # Floats as words, too: not every version of pandas reads each as it was written.
    words = {name: "str" for name, kind in TYPES.items() if kind in ("object", "float64")}
    try:
        return read_table(path, COLUMNS, words)[COLUMNS].astype(TYPES)
    except (ValueError, TypeError) as error:
        raise DatadeedError(
            f"{path} holds other types ({str(error).splitlines()[0]}): run the stage that writes "
            "it again"
        ) from error


def read_table(path: Path, columns: list[str], types: dict[str, str] | None = None) -> pd.DataFrame:
    """A CSV file that has at least these columns.

    Raises:
        DatadeedError: the file is missing, is no CSV, is empty or lacks a column.
    """
    named: Any = types
    try:  # a name may be "null"
        table = pd.read_csv(path, dtype=named, keep_default_na=False, na_values=[""])
    except FileNotFoundError as error:
        raise DatadeedError(f"{path} does not exist: run the stage that writes it") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise DatadeedError(f"{path} is not a CSV table ({reason}): write it again") from error
    missing = [name for name in columns if name not in table]
    if missing or table.empty:
        what = f"no column {missing[0]!r}" if missing else "no rows"
        raise DatadeedError(f"{path} has {what}: run the stage that writes it again")
    return table


def tidy(cells: pd.DataFrame) -> pd.DataFrame:
    """All columns, in order, sorted; ``published`` is empty where no source states the figure."""
    order = [c for c in COLUMNS if c not in ("value", "published", "n", "stage", "scale")]
    return cells.reindex(columns=COLUMNS).sort_values(order, ignore_index=True)


def pivot(cells: pd.DataFrame, shown: Shown) -> pd.DataFrame:
    """A row a (dataset, model, scenario, metric), a column a watermark, seeds summarised."""
    case = ["dataset", "model", "scenario", "metric"]
    metrics = {m: i for i, m in enumerate(cells["metric"].drop_duplicates())}
    found = cells.groupby([*case, "watermark"])["value"].agg(list).reset_index()
    found["value"] = [
        summary(values, shown.get(metric, Range()))
        for metric, values in zip(found.metric, found.value, strict=True)
    ]
    wide = found.pivot(index=case, columns="watermark", values="value").reset_index()
    wide["order"] = wide["metric"].map(metrics)
    wide["late"] = wide["scenario"] != "steal"
    wide = wide.sort_values(["dataset", "model", "late", "scenario", "order"], ignore_index=True)
    wide.columns.name = None
    return wide.drop(columns=["order", "late"])


def summary(values: list[float], style: Mean | Range) -> str:
    """A cell's text. A single seed has no spread, and equal ends are one figure."""
    series = pd.Series(values)
    if isinstance(style, Mean):
        factor, digits = style.factor, style.digits
        mean = f"{factor * series.mean():.{digits}f}"
        if len(series) == 1 or not style.spread:
            return mean
        return f"{mean} ± {factor * series.std():.{digits}f}"
    low, high = (_extreme(value, style) for value in (series.min(), series.max()))
    return low if low == high else f"{low} … {high}"


def _extreme(value: float, style: Range) -> str:
    return "<1e-300" if value < 1e-300 and style.exact else f"{value:.2g}"


def cell_view(rows: pd.DataFrame, metric: str, shown: Shown) -> dict[str, str]:
    """A cell's text over seeds, its published figure and, as a tooltip, each seed's value."""
    if rows.empty:
        return {"text": "–", "published": "", "title": "not measured"}
    values, known = rows["value"].tolist(), rows["published"].dropna()
    style = shown.get(metric, Range())
    seeds = [
        f"seed {seed}: {value:.4g} (n = {n:.0f}), dvc repro {stage}"
        for seed, value, n, stage in zip(rows.seed, values, rows.n, rows.stage, strict=True)
    ]
    return {
        "text": re.sub(r"^-(?=0\.0+( |$))", "", summary(values, style)),  # no negative zero
        "published": summary([known.iloc[0]], style) if len(known) else "",
        "title": "\n".join(seeds),
    }


def describe(case: Any) -> str:
    """A group's key as words."""
    return " ".join(map(str, case)) if isinstance(case, tuple) else str(case)

"""Tidy cells: one row a number. Every published table is a pivot of them.

``value`` and ``published`` are in the same unit: rates are shares from 0 to 1.
"""

import dataclasses
import re
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
# How the mean over seeds is shown: a factor and a number of decimals. Others show their range.
SHOWN = {
    **dict.fromkeys(("ba", "wsr", "wsr_as_released"), (100, 2)),
    **dict.fromkeys(("tsr", "tsr_as_published", "wdr", "misled"), (100, 2)),
    **dict.fromkeys(("confidence_share", "autoencoder_share"), (100, 2)),
    **dict.fromkeys(("ad", "ad_error", "grammar_rise", "errors_rise"), (1, 2)),
    **dict.fromkeys(("asr_a", "asr_c", "asr_a_class_0", "asr_c_class_0"), (100, 2)),
    **dict.fromkeys(("d_p", "d_p_class_0"), (1, 4)),
    **dict.fromkeys(("delta_p", "delta_p_released"), (1, 3)),
    "failures": (1, 1),
}

EXACT = ("p_mcnemar", "p_rise")


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
    words = {name: "str" for name, kind in TYPES.items() if kind == "object"}
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
    exact: Any = {"float_precision": "round_trip", "keep_default_na": False, "na_values": [""]}
    try:
        table: pd.DataFrame = pd.read_csv(path, dtype=types, **exact)
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


def pivot(cells: pd.DataFrame) -> pd.DataFrame:
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
    if metric in SHOWN:
        factor, digits = SHOWN[metric]
        mean = f"{factor * series.mean():.{digits}f}"
        return f"{mean} ± {factor * series.std():.{digits}f}" if len(series) > 1 else mean
    if metric.startswith("d_p_uniform"):  # the same for every seed
        return f"{series.mean():.3f}"
    low, high = (_extreme(metric, value) for value in (series.min(), series.max()))
    return low if low == high else f"{low} … {high}"


def _extreme(metric: str, value: float) -> str:
    """An exact p-value is never 0, only too small for a float."""
    return "<1e-300" if value < 1e-300 and metric in EXACT else f"{value:.2g}"


def cell_view(rows: pd.DataFrame, metric: str) -> dict[str, str]:
    """A cell's text over seeds, its published figure and, as a tooltip, each seed's value."""
    if rows.empty:
        return {"text": "–", "published": "", "title": "not measured"}
    values, known = rows["value"].tolist(), rows["published"].dropna()
    seeds = [
        f"seed {seed}: {value:.4g} (n = {n:.0f}), dvc repro {stage}"
        for seed, value, n, stage in zip(rows.seed, values, rows.n, rows.stage, strict=True)
    ]
    return {
        "text": re.sub(r"^-(?=0\.0+( |$))", "", summary(metric, values)),  # no negative zero
        "published": summary(metric, [known.iloc[0]]) if len(known) else "",
        "title": "\n".join(seeds),
    }


def describe(case: Any) -> str:
    """A group's key as words."""
    return " ".join(map(str, case)) if isinstance(case, tuple) else str(case)

"""Tidy cells and their pivots."""

from pathlib import Path

import pandas as pd
import pytest

from datadeed.errors import DatadeedError
from datadeed.reports.cells import (
    COLUMNS,
    PERCENT,
    Claim,
    Mean,
    Range,
    claims_frame,
    pivot,
    read_csv,
    summary,
    tidy,
)


@pytest.mark.parametrize(
    ("style", "values", "text"),
    [
        (PERCENT, [0.88, 0.90], "89.00 ± 1.41"),
        (PERCENT, [0.5], "50.00"),
        (Mean(digits=3), [0.5, 0.7], "0.600 ± 0.141"),
        (Mean(digits=3, spread=False), [2.25, 2.25], "2.250"),
        (Range(), [1e-9, 0.03], "1e-09 … 0.03"),
        (Range(), [1.0, 1.0], "1"),
    ],
)
def test_summary(style: Mean | Range, values: list[float], text: str) -> None:
    assert summary(values, style) == text


def written(path: Path, **changes: object) -> Path:
    """A file with one row."""
    row = {"paper": "p", "dataset": "5", "watermark": "none", "seed": 1, "value": 0.1 + 0.2}
    pd.DataFrame([row | changes], columns=COLUMNS).to_csv(path, index=False)
    return path


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    (row,) = read_csv(written(tmp_path / "cells.csv", n=50)).to_dict("records")
    assert (row["dataset"], row["watermark"], row["value"]) == ("5", "none", 0.1 + 0.2)
    assert pd.isna(row["table"])
    assert row["n"] == 50


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": "one"}, "holds other types"),
        ({"value": "CLAIM"}, "holds other types"),
        ({"table": 1.5}, "holds other types"),
    ],
)
def test_rows_of_other_types_are_refused(
    tmp_path: Path, change: dict[str, object], words: str
) -> None:
    with pytest.raises(DatadeedError, match=words):
        read_csv(written(tmp_path / "cells.csv", **change))


def test_a_table_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cells.csv"
    with pytest.raises(DatadeedError, match="does not exist"):
        read_csv(path)
    path.write_bytes(b"")
    with pytest.raises(DatadeedError, match="is not a CSV table"):
        read_csv(path)
    path.write_text("paper,value\np,1\n")
    with pytest.raises(DatadeedError, match="has no column 'table'"):
        read_csv(path)
    path.write_text(",".join(COLUMNS) + "\n")
    with pytest.raises(DatadeedError, match="has no rows"):
        read_csv(path)


def test_tidy_orders_and_leaves_unknown_figures_empty() -> None:
    cells = pd.DataFrame([{"paper": "p", "table": t, "value": t / 2} for t in (2, 1)])
    found = tidy(cells)
    assert list(found.columns) == COLUMNS
    assert list(found["table"]) == [1, 2]
    assert found["published"].isna().all()


def test_pivot_has_a_column_a_watermark_and_steal_first() -> None:
    where = {"dataset": "d", "model": "m", "metric": "ba"}
    cells = pd.DataFrame(
        [
            {**where, "scenario": scenario, "watermark": w, "seed": seed, "value": value}
            for scenario in ("independent-model", "steal")
            for w, value in (("x", 0.9), ("y", 0.8))
            for seed in (1, 2)
        ]
    )
    wide = pivot(cells, {"ba": PERCENT})
    assert list(wide["scenario"]) == ["steal", "independent-model"]
    assert list(wide.loc[0, ["x", "y"]]) == ["90.00 ± 0.00", "80.00 ± 0.00"]


def test_claims_frame() -> None:
    claim = Claim("short", "p", "s", "sentence", False, "seen", "table == 1")
    assert claims_frame([claim]).loc[0, "observed"] == "seen"


def test_an_exact_p_value_is_never_zero() -> None:
    assert summary([0.0], Range(exact=True)) == "<1e-300"
    assert summary([0.0, 0.5], Range(exact=True)) == "<1e-300 … 0.5"
    assert summary([0.0], Range()) == "0"


def test_no_claims_are_a_header() -> None:
    assert claims_frame([]).to_csv(index=False).startswith("claim,paper,source,statement,holds,")

"""Tidy cells and their pivots."""

import pandas as pd
import pytest

from datadeed.reports.cells import COLUMNS, Claim, cell_rows, claims_frame, pivot, summary, tidy


@pytest.mark.parametrize(
    ("metric", "values", "text"),
    [
        ("ba", [0.88, 0.90], "89.00 ± 1.41"),
        ("wsr", [0.5], "50.00"),
        ("delta_p", [0.5, 0.7], "0.600 ± 0.141"),
        ("p_published", [1e-9, 0.03], "1e-09 … 0.03"),
        ("p_binomial", [1.0, 1.0], "1"),
    ],
)
def test_summary(metric: str, values: list[float], text: str) -> None:
    assert summary(metric, values) == text


def test_cell_rows_follow_paths() -> None:
    rows = cell_rows({"seed": 3}, {"a": {"b": 0.5}, "c": 2}, {"x": ("a", "b"), "y": ("c",)})
    assert rows == [
        {"seed": 3, "metric": "x", "value": 0.5},
        {"seed": 3, "metric": "y", "value": 2},
    ]


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
    wide = pivot(cells, 1)
    assert list(wide["scenario"]) == ["steal", "independent-model"]
    assert list(wide.loc[0, ["x", "y"]]) == ["90.00 ± 0.00", "80.00 ± 0.00"]


def test_claims_frame() -> None:
    claim = Claim("short", "p", "s", "sentence", False, "seen", "table == 1")
    assert claims_frame([claim]).loc[0, "observed"] == "seen"


def test_an_exact_p_value_is_never_zero() -> None:
    assert summary("p_mcnemar", [0.0]) == "<1e-300"
    assert summary("p_rise", [0.0, 0.5]) == "<1e-300 … 0.5"
    assert summary("p_released", [0.0]) == "0"

"""Tables, their wide forms and the drawn curve, by hand."""

from typing import Any

import numpy as np
import pandas as pd

from datadeed.reports.cells import COLUMNS, TYPES
from papers.pick_your_poison.figures import curves
from papers.pick_your_poison.section import trained_on, wide
from papers.pick_your_poison.tables import CLAIMED, TABLES, detection, place, tables

DETECTORS = ("calibrated-inversion", "calibrated-inversion, bounded", "neural-cleanse")


def frame(*rows: tuple[Any, ...]) -> pd.DataFrame:
    """Cells of (table, watermark, seed, scenario, metric, value)."""
    names = ["table", "watermark", "seed", "scenario", "metric", "value"]
    found = pd.DataFrame(rows, columns=names).reindex(columns=COLUMNS)
    known = {"paper": "pick-your-poison", "dataset": "toy", "model": "r", "stage": "s"}
    return found.assign(**known, scale="toy", n=100).astype(TYPES)


def repaired(watermark: str, scenario: str, asr: float, seed: int = 1) -> list[tuple[Any, ...]]:
    where = (12, watermark, seed, scenario)
    return [(*where, "asr", asr), (*where, "cda", 0.9), (*where, "steps", 40)]


def scores(watermark: str, seed: int, score: float) -> list[tuple[Any, ...]]:
    return [(13, watermark, seed, detector, "score", score) for detector in DETECTORS]


def test_every_table_has_a_title_a_claim_and_only_a_header_without_cells() -> None:
    made = tables(frame())
    assert list(made) == list(TABLES) == list(CLAIMED) == [12, 13, 14, 15, 16]
    assert all(table.empty and len(table.columns) > 2 for table in made.values())


def test_a_repair_is_a_row_with_means_over_seeds() -> None:
    rows = [*repaired("badnets-10", "suspect", 0.9), *repaired("badnets-10", "suspect", 1.0, 2)]
    (row,) = tables(frame(*rows))[12].to_dict("records")
    assert (row["asr"], row["cda"], row["steps"]) == ("95.0 ± 7.1", "90.0 ± 0.0", "40 ± 0")
    assert row["asr_last"] == "–"


def test_attacks_stand_by_rate_and_other_watermarks_after_them() -> None:
    names = ["ubw-c", "keyed-12-5", "blended-3", "badnets-100", "badnets-3", "patch-10", "none"]
    assert sorted(names, key=place) == [
        *("none", "badnets-3", "badnets-100", "blended-3", "keyed-12-5", "ubw-c", "patch-10"),
    ]


def test_scores_are_held_against_honest_models_of_the_same_dataset() -> None:
    rows = [
        *scores("badnets-10", 1, 0.5),
        *scores("latent", 1, 0.1),
        *scores("none", 1, 0.2),
        *scores("none", 2, 0.3),
    ]
    cells = frame(*rows)
    elsewhere = frame(*scores("none", 1, 9.0), *scores("ubw-c", 1, 1.0)).assign(dataset="other")
    alone = frame(*scores("wanet", 1, 0.7)).assign(dataset="alone")
    found = detection(pd.concat([cells, elsewhere, alone])).set_index(["dataset", "watermark"])
    areas = found["neural-cleanse auc"]
    assert areas["toy", "badnets-10"] == 1
    assert areas["toy", "latent"] == 0
    assert areas["toy", "all"] == 0.5
    assert areas["other", "ubw-c"] == 0
    assert np.isnan(areas["alone", "wanet"])
    assert np.isnan(areas["toy", "none"])
    assert found["models"]["toy", "all"] == found["models"]["toy", "none"] == 2


def test_wide_tables_have_a_column_a_repair_and_training_on_stands_apart() -> None:
    cells = frame(
        *repaired("badnets-10", "suspect", 1.0),
        *repaired("badnets-10", "pivotal-tuning", 0.2),
        *repaired("badnets-10", "pivotal-tuning, then trained on", 0.3),
        *repaired("badnets-10", "pivotal-tuning, then trained on with marks", 0.8),
        *repaired("latent", "suspect", 1.0),
    )
    made = tables(cells)
    shown = wide(made)[12].set_index("watermark")
    assert list(shown) == ["dataset", "suspect", "pivotal-tuning"]
    assert shown["pivotal-tuning"].to_dict() == {"badnets-10": "20.0 (90.0)", "latent": "–"}
    again = trained_on(made[12]).set_index("watermark")
    assert again.loc["badnets-10"].tolist() == ["toy", "100.0", "20.0", "30.0", "80.0"]
    assert trained_on(tables(frame(*repaired("latent", "suspect", 1.0)))[12]).empty


def test_the_curve_is_drawn_the_same_twice() -> None:
    rows = [
        row
        for rate, left in ((1, 0.0), (10, 0.4), (100, 0.9))
        for scenario in ("suspect", "picked", "best")
        for row in repaired(f"badnets-{rate}", scenario, left)
    ]
    rows += [row for rate in (1, 10, 100) for row in scores(f"badnets-{rate}", 1, rate / 100)]
    table = tables(frame(*rows, *scores("none", 1, 0.05)))[14]
    assert table["best"].tolist() == [0.0, 0.4, 0.9] * 2  # and all of the curve's together
    assert curves(table) == curves(table)
    assert curves(table).count("badnets") == 1
    assert "<svg" in curves(tables(frame())[14])

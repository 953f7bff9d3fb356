"""DVBW's rows, tables and claims on answers made by hand, true and false."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from datadeed.reports.cells import COLUMNS, TYPES, tidy
from datadeed.verification.dvbw import Settings, verify_dvbw
from papers.dvbw import judge
from papers.dvbw.claims import claims
from papers.dvbw.tables import tables

Cell = dict[str, list[dict[str, Any]]]


def scenario(
    make_answers: Callable[..., Any], name: str, hits: int, n: int = 100
) -> list[dict[str, Any]]:
    """Rows of a suspect that answers ``hits`` of ``n`` triggered samples with the target."""
    triggered = np.where(np.arange(n) < hits, 5, 0)
    answers = make_answers(triggered, label=np.zeros(n), target=5)
    settings = Settings(m=n, renumberings=5)
    found = verify_dvbw(answers, classes=10, settings=settings, rng=np.random.default_rng(0))
    return [{"scenario": name, **row} for row in judge.rows(found, name)]


@pytest.fixture
def judged(make_answers: Callable[..., Any]) -> dict[str, Cell]:
    """Two watermarks, one seed; everything as the paper says."""
    hits = {"steal": 100, "independent-trigger": 0, "independent-model": 0}
    return {
        watermark: {name: scenario(make_answers, name, count) for name, count in hits.items()}
        for watermark in ("badnets-line", "blended-line")
    }


def cells(judged: dict[str, Cell]) -> pd.DataFrame:
    """The rows that stand in a table, as ``tabulate`` gives them to the paper."""
    where = {"paper": "dvbw", "dataset": "d", "model": "n", "seed": 1, "scale": "toy"}
    rows = [
        {**where, "watermark": watermark, "stage": f"judge@d-n-{watermark}-1", **row}
        for watermark, cell in judged.items()
        for its in cell.values()
        for row in its
    ]
    frame = pd.DataFrame(rows, columns=COLUMNS).astype(TYPES)
    return frame[frame["table"].notna()].astype({"table": "int64", "n": "int64"})


def holds(judged: dict[str, Cell]) -> dict[str, bool | None]:
    """Claim to whether it holds."""
    return {claim.claim: claim.holds for claim in claims(cells(judged))}


def test_all_hold_when_all_is_as_claimed(judged: dict[str, Cell]) -> None:
    assert all(holds(judged).values())


def value(judged: dict[str, Cell], watermark: str, metric: str) -> dict[str, Any]:
    """A thief's row, to be changed."""
    (found,) = (row for row in judged[watermark]["steal"] if row["metric"] == metric)
    return found


def test_accuracy_that_falls_is_seen(judged: dict[str, Cell]) -> None:
    value(judged, "badnets-line", "ba")["value"] -= 0.015
    assert holds(judged)["ba-below-2"]
    assert not holds(judged)["ba-below-1"]  # one of two cases is not most
    value(judged, "badnets-line", "ba")["value"] -= 0.01
    assert not holds(judged)["ba-below-2"]


def test_weak_watermark_is_seen(judged: dict[str, Cell]) -> None:
    value(judged, "blended-line", "wsr")["value"] = 0.95
    assert holds(judged)["wsr-above-94"]
    assert not holds(judged)["wsr-above-99"]
    value(judged, "blended-line", "wsr")["value"] = 0.93
    assert not holds(judged)["wsr-above-94"]


def test_failed_tests_are_seen(judged: dict[str, Cell], make_answers: Callable[..., Any]) -> None:
    judged["badnets-line"]["steal"] = scenario(make_answers, "steal", 10)
    found = holds(judged)
    assert not found["probability-steal"]
    assert not found["label-steal-value_released"]
    assert not found["exact-table-2"]
    assert found["probability-independent"]


def test_false_accusations_are_seen(
    judged: dict[str, Cell], make_answers: Callable[..., Any]
) -> None:
    honest = "independent-model"
    judged["badnets-line"][honest] = scenario(make_answers, honest, 100)
    found = holds(judged)
    assert not found["probability-independent"]
    assert not found["label-independent-p_described"]
    assert not found["exact-table-3"]
    assert found["probability-steal"]


def test_cells_and_tables(judged: dict[str, Cell]) -> None:
    found = cells(judged)
    assert not tidy(found).duplicated(["table", "watermark", "scenario", "metric", "seed"]).any()
    made = tables(found)
    assert set(made) == {1, 2, 3}
    (row,) = made[1].query('scenario == "steal" and metric == "wsr"').to_dict("records")
    assert row["badnets-line"] == "100.00"
    for claim in claims(found):
        assert len(found.query(claim.cells)), claim.claim


def test_a_thief_s_accuracy_stands_once(judged: dict[str, Cell]) -> None:
    found = cells(judged).query('metric == "ba"')
    assert set(found["scenario"]) == {"steal", "independent-model"}


def test_a_scale_without_dvbw_has_headers_and_no_claims() -> None:
    nothing = cells({})
    assert nothing.empty
    assert claims(nothing) == []
    for table in tables(nothing).values():
        assert table.to_csv(index=False) == "dataset,model,scenario,metric\n"

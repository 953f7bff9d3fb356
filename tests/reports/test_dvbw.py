"""DVBW's claims on evidence made by hand, true and false."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from datadeed.reports import dvbw
from datadeed.reports.cells import tidy
from datadeed.verification.dvbw import Settings, verify_dvbw


def scenario(make_answers: Callable[..., Any], hits: int, n: int = 100) -> dict[str, Any]:
    """Evidence of a suspect that answers ``hits`` of ``n`` triggered samples with the target."""
    triggered = np.where(np.arange(n) < hits, 5, 0)
    answers = make_answers(triggered, label=np.zeros(n), target=5)
    settings = Settings(m=n, renumberings=5)
    return verify_dvbw(answers, classes=10, settings=settings, rng=np.random.default_rng(0))


@pytest.fixture
def evidence(make_answers: Callable[..., Any]) -> list[dict[str, Any]]:
    """Two watermarks, one seed; everything as the paper says."""
    scenarios = {
        "steal": scenario(make_answers, 100),
        "independent-trigger": scenario(make_answers, 0),
        "independent-model": scenario(make_answers, 0),
    }
    where = {"dataset": "d", "network": "n", "seed": 1}
    return [
        {**where, "watermark": w, "scenarios": copy.deepcopy(scenarios)}
        for w in ("badnets-line", "blended-line")
    ]


def holds(evidence: list[dict[str, Any]]) -> dict[str, bool]:
    """Claim to whether it holds."""
    return {claim.claim: claim.holds for claim in dvbw.claims(dvbw.cells(evidence, "toy"))}


def test_all_hold_when_all_is_as_claimed(evidence: list[dict[str, Any]]) -> None:
    assert all(holds(evidence).values())


def rates(record: dict[str, Any], which: str) -> dict[str, Any]:
    """The rates of one scenario of a record."""
    found: dict[str, Any] = record["scenarios"][which]["rates"]
    return found


def test_accuracy_that_falls_is_seen(evidence: list[dict[str, Any]]) -> None:
    rates(evidence[0], "steal")["benign_accuracy"]["value"] -= 0.015
    assert holds(evidence)["ba-below-2"]
    assert not holds(evidence)["ba-below-1"]  # one of two cases is not most
    rates(evidence[0], "steal")["benign_accuracy"]["value"] -= 0.01
    assert not holds(evidence)["ba-below-2"]


def test_weak_watermark_is_seen(evidence: list[dict[str, Any]]) -> None:
    rates(evidence[1], "steal")["watermark_success"]["value"] = 0.95
    assert holds(evidence)["wsr-above-94"]
    assert not holds(evidence)["wsr-above-99"]
    rates(evidence[1], "steal")["watermark_success"]["value"] = 0.93
    assert not holds(evidence)["wsr-above-94"]


def test_failed_tests_are_seen(
    evidence: list[dict[str, Any]], make_answers: Callable[..., Any]
) -> None:
    evidence[0]["scenarios"]["steal"] = scenario(make_answers, 10)
    found = holds(evidence)
    assert not found["probability-steal"]
    assert not found["label-steal-value_released"]
    assert not found["exact-table-2"]
    assert found["probability-independent"]


def test_false_accusations_are_seen(
    evidence: list[dict[str, Any]], make_answers: Callable[..., Any]
) -> None:
    evidence[0]["scenarios"]["independent-model"] = scenario(make_answers, 100)
    found = holds(evidence)
    assert not found["probability-independent"]
    assert not found["label-independent-p_described"]
    assert not found["exact-table-3"]
    assert found["probability-steal"]


def test_cells_and_tables(evidence: list[dict[str, Any]]) -> None:
    cells = dvbw.cells(evidence, "toy")
    assert not tidy(cells).duplicated(["table", "watermark", "scenario", "metric", "seed"]).any()
    assert set(cells["stage"]) == {
        "papers/dvbw/dvc.yaml:verify@d-n-badnets-line-1",
        "papers/dvbw/dvc.yaml:verify@d-n-blended-line-1",
    }
    tables = dvbw.tables(cells)
    assert set(tables) == {1, 2, 3}
    (row,) = tables[1].query('scenario == "steal" and metric == "wsr"').to_dict("records")
    assert row["badnets-line"] == "100.00"
    for claim in dvbw.claims(cells):
        assert len(cells.query(claim.cells)), claim.claim


def test_a_scale_without_dvbw_has_headers_and_no_claims() -> None:
    nothing = dvbw.cells([], "toy")
    assert nothing.empty
    assert dvbw.claims(nothing) == []
    for table in dvbw.tables(nothing).values():
        assert table.to_csv(index=False) == "dataset,model,scenario,metric\n"

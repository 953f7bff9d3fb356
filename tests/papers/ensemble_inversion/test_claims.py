"""Tables and claims on cells made by hand."""

from typing import Any

import pandas as pd
import pytest

from datadeed.reports.cells import COLUMNS, TYPES
from papers.ensemble_inversion.claims import claims
from papers.ensemble_inversion.names import ACCURACY, AIDED, CHOICE, LOSSES, QUALITY
from papers.ensemble_inversion.section import section, table_view
from papers.ensemble_inversion.tables import TABLES, by_choice, is_diverse_single, tables

SINGLES = {"single lenet-1": 0.4, "single mlp-relu": 0.5, "single conv3-gelu": 0.9}
COPY = {"single lenet-2": 0.0, "single lenet-8": 1.0}
PICKED = {
    "farthest: a + b": (0.9, 0.8),
    "nearest: a + c": (0.5, 0.6),
    "random: b + c": (0.7, 0.6),
}


def cells(dataset: str = "digits", lift: float = 0.0, *, aided: bool = True) -> pd.DataFrame:
    """Two seeds; the second one's ensembles are better by ``lift``."""
    rows: list[dict[str, Any]] = []

    def row(seed: int, table: int, scenario: str, value: float, metric: str = "accuracy") -> None:
        names = {"paper": "ensemble-inversion", "dataset": dataset, "model": "small"}
        where = {"watermark": "none", "table": table, "scenario": scenario, "metric": metric}
        number = {"value": value, "n": 500, "seed": seed, "stage": "s", "scale": "toy"}
        rows.append(names | where | number)

    for seed in (1, 2):
        more = lift * (seed == 2)
        row(seed, ACCURACY, "evaluator", 0.98, "test accuracy")
        for scenario, value in (SINGLES | COPY).items():
            row(seed, ACCURACY, scenario, value)
            row(seed, QUALITY, scenario, 0.1, "spread")
        row(seed, ACCURACY, "diverse 2", 0.6)
        row(seed, ACCURACY, "diverse 8", 0.8 + more)
        row(seed, QUALITY, "diverse 8", 0.85, "filtered")
        if aided:
            row(seed, ACCURACY, f"single lenet-1{AIDED}", 0.8)
            row(seed, ACCURACY, f"diverse 8{AIDED}", 0.9)
        losses = {"both losses": 0.8, "one-hot alone": 0.7, "activation alone": 0.8}
        for scenario, value in losses.items():
            row(seed, LOSSES, scenario, value)
        for scenario, (value, alone) in PICKED.items():
            row(seed, CHOICE, scenario, value)
            row(seed, CHOICE, scenario, alone, "members")
    return pd.DataFrame(rows, columns=COLUMNS).astype(TYPES)


def held(found: pd.DataFrame) -> dict[str, Any]:
    return {c.claim.removeprefix("inversion-"): (c.holds, c.observed) for c in claims(found)}


def test_claims_by_hand() -> None:
    found = held(cells())
    assert found["median"] == (True, "digits 80.0% against 50.0%; higher in 2 of 2 runs")
    assert found["best"] == (False, "digits 80.0% against 90.0%; higher in 0 of 2 runs")
    assert found["gain-data-free"] == (False, "+60.0%, +30.0 points (50.0% to 80.0%)")
    assert found["gain-auxiliary"] == (False, "+12.5%, +10.0 points (80.0% to 90.0%)")
    assert found["auxiliary"][0] is True
    assert found["one-hot"][0] is False  # a tie is no help
    assert found["activation"][0] is True
    assert found["filtering"][0] is True
    told = (
        "farthest +10.0 points (90.0%); nearest -10.0 points (50.0%); random +10.0 points (70.0%)"
    )
    assert found["sampling"] == (False, told)


def test_a_claim_must_hold_on_every_dataset() -> None:
    weak = cells("fashion-mnist-5k", aided=False)
    weak.loc[weak["scenario"] == "diverse 8", "value"] = 0.3
    found = held(pd.concat([cells(lift=0.2), weak]))
    assert found["median"][0] is False
    assert found["gain-data-free"] == (True, "+80.0%, +40.0 points (50.0% to 90.0%)")  # digits
    assert found["auxiliary"] == (False, "digits 90.0% against 90.0%; higher in 1 of 2 runs")


def test_without_auxiliary_images_their_claims_are_not_tested() -> None:
    found = held(cells(aided=False))
    assert found["gain-auxiliary"] == found["auxiliary"] == (None, "no such cells at this scale")
    assert held(cells("fashion-mnist-5k"))["gain-data-free"][0] is None
    assert held(cells())["gain-faces"] == (None, "no such cells at this scale")
    assert claims(cells().iloc[:0]) == []


def test_the_gain_on_faces_is_of_faces_alone() -> None:
    both = pd.concat([cells(lift=0.2), cells("faces", lift=-0.3, aided=False)])
    found = held(both)
    assert found["gain-faces"] == (True, "+30.0%, +15.0 points (50.0% to 65.0%)")
    assert found["gain-data-free"] == (True, "+80.0%, +40.0 points (50.0% to 90.0%)")
    weak = pd.concat([cells(), cells("faces", lift=-0.4, aided=False)])
    assert held(weak)["gain-faces"][0] is False  # 20 %


@pytest.mark.parametrize(
    ("scenario", "single"),
    [
        ("single lenet-1", True),
        (f"single mlp-tanh{AIDED}", True),
        ("single lenet-2", False),
        ("single lenet-12", False),
        ("diverse 8", False),
    ],
)
def test_copies_count_once_among_singles(scenario: str, single: bool) -> None:
    assert is_diverse_single(scenario) is single


def test_tables_by_hand() -> None:
    made = tables(cells(lift=0.1))
    assert set(made) == set(TABLES)
    first = made[17].set_index("scenario")["accuracy"]
    assert first["diverse 8"] == "85.00 ± 7.07"
    assert first["median single"] == "50.00 ± 0.00"
    assert first["best single"] == "90.00 ± 0.00"
    assert first[f"worst single{AIDED}"] == "80.00 ± 0.00"
    choice = made[19].set_index("scenario")["gain"]
    assert list(choice.index) == ["farthest", "nearest", "random"]
    assert choice["farthest"] == "10.00 ± 0.00"
    assert all(list(t) == ["dataset", "scenario"] for t in tables(cells().iloc[:0]).values())


def test_starts_are_averaged_before_seeds() -> None:
    found = cells()
    more = found[found["scenario"] == "farthest: a + b"].assign(scenario="farthest: c + d")
    more["value"] = more["value"] - 0.2
    means = by_choice(pd.concat([found, more])[lambda f: f["table"] == CHOICE])
    mine = means[(means["scenario"] == "farthest") & (means["metric"] == "accuracy")]
    assert mine["value"].tolist() == pytest.approx([0.8, 0.8])


def test_a_table_of_the_page() -> None:
    shown = table_view(cells(), 18)
    assert shown["columns"] == ["accuracy, %"]
    assert shown["rows"][0]["values"] == ["80.00 ± 0.00"]
    empty: Any = None
    assert section(cells().iloc[:0], empty) is None

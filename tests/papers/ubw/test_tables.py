"""UBW's cells, tables and claims on findings made by hand, true and false."""

from typing import Any

import pandas as pd
import pytest

from datadeed.reports.cells import COLUMNS, Claim, claims_frame, tidy
from papers.ubw.claims import claims
from papers.ubw.names import CLEAN, POISONED, SCENARIOS
from papers.ubw.tables import tables
from tests.papers.ubw.samples import frame, rates, record, records, suspect


def checked(evidence: list[dict[str, Any]]) -> dict[str, Claim]:
    """Claims by name, each with a query that finds cells if the claim was tested."""
    cells = frame(evidence)
    found = {claim.claim: claim for claim in claims(cells)}
    for claim in found.values():
        assert bool(len(cells.query(claim.cells))) >= (claim.holds is not None), claim.claim
    return found


def holds(evidence: list[dict[str, Any]]) -> dict[str, bool | None]:
    """Claim to whether it holds."""
    return {name: claim.holds for name, claim in checked(evidence).items()}


def changed(name: str, **model: Any) -> list[dict[str, Any]]:
    """Everything as claimed, but for the victims of one watermark."""
    evidence = records()
    for found in evidence:
        if found["watermark"] == name:
            found["models"]["victim"] = rates(**model)
    return evidence


def values(cells: pd.DataFrame, **where: Any) -> dict[str, float]:
    """Metric to value of the cells at one place."""
    query = " and ".join(f"{name} == {value!r}" for name, value in where.items())
    found = cells.query(query)
    return dict(zip(found.metric, found.value, strict=True))


def test_a_number_a_row() -> None:
    cells = frame(records())
    assert set(tidy(cells).columns) == set(COLUMNS)
    keys = ["table", "watermark", "scenario", "metric", "seed"]
    assert not cells.duplicated(keys).any()
    assert not cells.value.isna().any()
    victim = values(cells, watermark="ubw-p", scenario="victim", seed=1)
    assert victim == {
        "ba": 0.9,
        "asr_a": 0.9,
        "asr_a_clean": 0.1,
        "asr_c": 0.9,
        "d_p": 2.25,
        "d_p_uniform": 2.298,
        "asr_a_class_0": 0.91,
        "asr_a_clean_class_0": 0.11,
        "asr_c_class_0": 0.91,
        "d_p_class_0": 2.26,
        "d_p_uniform_class_0": 2.298,
    }
    thief = values(cells, watermark="ubw-p", scenario="malicious", seed=2)
    assert thief == {
        "delta_p": 0.8,
        "p_published": 1e-20,
        "delta_p_released": 0.79,
        "p_released": 5e-21,
        "p_mcnemar": 1e-20,
        "p_rank": 0.01,
        "e_decoys": 9.0,
        "failures": 80,
    }
    stages = set(cells[cells.watermark == "ubw-c"].stage)
    name = "papers/ubw/dvc.yaml:judge@fashion-mnist-resnet18-ubw-ubw-c"
    assert stages == {f"{name}-{seed}" for seed in (1, 2)}


def test_the_honest_model_has_one_accuracy_a_seed() -> None:
    cells = frame(records())
    honest = cells[(cells.scenario == "benign") & (cells.metric == "ba")]
    assert list(honest.watermark) == ["none", "none"]
    assert list(honest.seed) == [1, 2]
    assert set(honest.value) == {0.92}
    asked = cells[(cells.scenario == "benign") & (cells.metric == "asr_a")]
    assert set(asked.watermark) == {*POISONED, *CLEAN}


def test_a_rate_without_samples_has_no_cell() -> None:
    evidence = record("ubw-p")
    evidence["models"]["victim"]["all"]["asr_c"] = None
    cells = frame([evidence])
    assert "asr_c" not in values(cells, scenario="victim")
    assert "asr_c_class_0" in values(cells, scenario="victim")
    assert tables(cells)[4].query("scenario == 'victim'").asr_c.tolist() == ["–"]


def test_published_figures_only_where_a_source_states_them() -> None:
    assert frame(records()).published.isna().all()
    cells = frame(records(dataset="cifar10-10k"))
    known = cells[cells.published.notna()]
    # UBW-P's four figures for two seeds; the last surrogate is one model for both victims.
    assert len(known) == 12
    stated = {
        (row.watermark, row.scenario, row.metric): row.published for row in known.itertuples()
    }
    assert stated["ubw-p", "victim", "asr_a_class_0"] == 0.9230
    assert stated["ubw-c", "last-surrogate", "ba"] == 0.8699
    assert stated["ubw-c", "last-surrogate", "d_p_class_0"] == 1.2641
    assert ("ubw-c", "victim", "ba") not in stated


def test_tables_are_in_the_papers_order() -> None:
    made = tables(frame(records()))
    assert set(made) == {4, 5, 6, 7}
    four = made[4]
    assert four[four.scenario == "victim"].watermark.tolist() == [*POISONED, *CLEAN]
    assert four[four.scenario == "last-surrogate"].watermark.tolist() == ["sleeper-agent", "ubw-c"]
    alike = four[four.scenario == "benign-retraining"]
    assert alike.watermark.tolist() == ["sleeper-agent", "ubw-c"]
    assert alike.ba.tolist() == ["88.00"] * 2  # one model for both seeds, and so no spread
    assert four[four.scenario == "benign"].watermark.tolist() == ["none", *POISONED, *CLEAN]
    assert four.watermark[0] == "none"  # the honest model stands above all
    assert four.set_index(["scenario", "watermark"]).loc[("victim", "ubw-p"), "d_p"] == (
        "2.2500 ± 0.0000"
    )
    assert made[6].scenario.tolist() == list(SCENARIOS)
    assert made[6].delta_p.tolist() == ["0.800 ± 0.000", "0.010 ± 0.000", "0.010 ± 0.000"]
    assert made[7].watermark.unique().tolist() == ["ubw-c"]


def test_a_table_without_datasets_is_its_header() -> None:
    made = tables(frame(records()))
    assert made[5].empty
    assert list(made[5].columns) == list(made[4].columns)
    many = tables(frame(records(classes=50)))
    assert many[4].empty
    assert len(many[5]) == 19


def test_all_hold_when_all_is_as_claimed() -> None:
    found = holds(records())
    assert found.pop("ubw-asr-c-above-55") is None  # no dataset of more than ten classes
    assert set(found.values()) == {True}
    many = records(classes=50)
    for evidence in many:
        if evidence["watermark"] in ("label-consistent", "sleeper-agent"):
            evidence["models"]["victim"] = rates(asr=0.3, d_p=1.0)
    assert holds(many)["ubw-asr-c-above-55"]
    assert not holds(records(classes=50))["ubw-asr-c-above-55"]  # 0.89 against 0.40


def test_claims_without_cells_are_not_tested() -> None:
    found = checked([record("badnets-square")])
    assert {claim.holds for claim in found.values()} == {None}
    assert {claim.observed for claim in found.values()} == {"no such cells at this scale"}
    frame = claims_frame([*found.values()])
    assert frame.to_csv().count(",True,") == frame.to_csv().count(",False,") == 0


@pytest.mark.parametrize(
    ("watermark", "asr", "claim", "fine"),
    [
        ("ubw-p", 0.88, "ubw-asr-poisoned", True),  # 9 points below the rivals' mean of 97 %
        ("ubw-p", 0.86, "ubw-asr-poisoned", False),
        ("ubw-c", 0.26, "ubw-asr-clean", True),  # their mean is 35 %
        ("ubw-c", 0.24, "ubw-asr-clean", False),
    ],
)
def test_success_is_compared_with_the_rivals_mean(
    watermark: str, asr: float, claim: str, fine: bool
) -> None:
    found = checked(changed(watermark, asr=asr, d_p=1.6))[claim]
    assert found.holds is fine
    assert f"{100 * (asr - 0.05):.1f} points" in found.observed  # an honest model has 5 %


def test_what_is_wrong_without_the_trigger_stands_beside_it() -> None:
    evidence = changed("ubw-c", asr=0.3, d_p=1.0, clean=0.28)
    words = "of class 0 31.0 % are wrong with the trigger, 29.0 % without"
    assert words in checked(evidence)["ubw-asr-clean"].observed
    cells = frame(evidence)
    older = cells[~cells.metric.str.startswith("asr_a_clean")]
    (claim,) = (one for one in claims(older) if one.claim == "ubw-asr-clean")
    assert claim.observed == checked(evidence)["ubw-asr-clean"].observed.replace(f"; {words}", "")
    assert set(tables(older)[4].asr_a_clean) == {"–"}


def test_errors_that_an_honest_model_makes_too_are_no_success() -> None:
    evidence = changed("ubw-c", asr=0.5, d_p=1.6)
    assert holds(evidence)["ubw-asr-clean"]
    for cell in evidence:
        if cell["watermark"] == "ubw-c":
            cell["models"]["benign"] = rates(ba=0.92, asr=0.5, d_p=0.3)
    assert not holds(evidence)["ubw-asr-clean"]


@pytest.mark.parametrize(("d_p", "fine"), [(0.224, True), (0.226, False), (0.0, True)])
def test_dispersibility_is_compared_with_the_most_scattered_rival(d_p: float, fine: bool) -> None:
    assert holds(changed("wanet", asr=0.95, d_p=d_p))["ubw-d-p-ten-times"] is fine


@pytest.mark.parametrize(
    ("d_p", "fine"), [(0.61, True), (0.59, False), (2.39, True), (2.41, False)]
)
def test_similar_is_within_a_factor_of_two(d_p: float, fine: bool) -> None:
    assert holds(changed("sleeper-agent", asr=0.3, d_p=d_p))["ubw-d-p-similar"] is fine


def verified(scenario: str, **figures: Any) -> dict[str, bool | None]:
    """What holds when one suspect of one seed of UBW-C is tested with these figures."""
    evidence = records()
    evidence[-1]["verification"][scenario] = suspect(word="INCONCLUSIVE", **figures)
    return holds(evidence)


def test_a_theft_that_is_missed_is_seen() -> None:
    found = verified("malicious", delta_p=0.24, p=1e-9, rank_p=0.01)
    assert not found["ubw-ubw-c-malicious"]
    assert found["ubw-ubw-c-malicious-exact"]
    found = verified("malicious", delta_p=0.6, p=1e-9, rank_p=0.02)
    assert found["ubw-ubw-c-malicious"]
    assert not found["ubw-ubw-c-malicious-exact"]
    assert found["ubw-ubw-p-malicious-exact"]


def test_a_false_accusation_is_seen() -> None:
    found = verified("independent-model", delta_p=0.4, p=1e-6, rank_p=0.5)
    assert not found["ubw-ubw-c-independent"]
    assert found["ubw-ubw-c-independent-exact"]  # every decoy does the same
    found = verified("independent-trigger", delta_p=0.05, p=0.01, rank_p=0.01)
    assert not found["ubw-ubw-c-independent-exact"]
    assert found["ubw-ubw-p-independent"]
    found = verified("independent-trigger", delta_p=-0.2, p=0.9, rank_p=0.9)
    assert not found["ubw-ubw-c-independent"]  # far from 0 on the other side


def test_a_scale_without_this_paper_has_headers_and_untested_claims() -> None:
    found = frame([])
    assert all(table.empty and len(table.columns) > 4 for table in tables(found).values())
    assert {claim.holds for claim in claims(found)} == {None}


def test_the_scenarios_have_names() -> None:
    assert tuple(SCENARIOS) == ("malicious", "independent-trigger", "independent-model")

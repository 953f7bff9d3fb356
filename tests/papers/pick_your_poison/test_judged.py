"""From answers to rows, from rows to the curve and the claims: by hand."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datadeed.reports.cells import COLUMNS, TYPES
from papers.base import Case
from papers.pick_your_poison.claims import _rank_correlation, claims
from papers.pick_your_poison.curve import area_under_curve, attack_of, tradeoff
from papers.pick_your_poison.repaired import rows_of

CASE = Case("toy", "resnet18", "badnets-30", 1)


class Records:
    """A budget, and the repairs that all watermarks meet."""

    def settings(self, *keys: str) -> list[str]:
        assert keys == ("pick_your_poison", "few")
        return ["tuning", "other"]

    def params(self, *keys: str) -> float:
        assert keys == ("budget",)
        return 0.05


def state(scenario: str, step: int, *, right: int, hits: int, own: int, target: int = 0) -> Any:
    """20 test images, 10 of class 0 and 10 of class 1, and 10 held-out ones.

    Args:
        right: test images that are answered correctly. hits: triggered ones of class 1 that the
            trigger works on; those of class 0 all get 0. own: held-out ones answered correctly.
    """
    label = np.repeat([0, 1], 10)
    clean = np.where(np.arange(20) < right, label, 1 - label)
    triggered = np.where(np.arange(20) < 10 + hits, 0, 1)
    test = {
        "part": "test",
        "label": label,
        "target": target,
        "clean_prediction": clean,
        "triggered_prediction": triggered,
    }
    held = {
        "part": "held-out",
        "label": 0,
        "target": -1,
        "clean_prediction": np.where(np.arange(10) < own, 0, 1),
        "triggered_prediction": -1,
    }
    frame = pd.concat([pd.DataFrame(test), pd.DataFrame(held)])
    return frame.assign(scenario=scenario, step=step)


def judged(*states: Any) -> dict[tuple[str, str], float]:
    rows = rows_of(pd.concat(states), CASE, Records())  # type: ignore[arg-type]
    return {(row["scenario"], row["metric"]): row["value"] for row in rows}


def test_each_way_of_choosing_a_state() -> None:
    found = judged(
        state("suspect", 0, right=18, hits=10, own=9),
        state("tuning", 10, right=18, hits=8, own=9),
        state("tuning", 20, right=18, hits=6, own=9),  # the last within the budget, as held out
        state("tuning", 30, right=18, hits=2, own=8),  # the best on test data
        state("tuning", 40, right=10, hits=0, own=5),
    )
    assert found["suspect", "cda"] == 0.9
    assert found["suspect", "asr"] == 1.0  # of the 10 of another class
    assert (found["tuning", "asr"], found["tuning", "steps"]) == (0.6, 20)
    assert (found["tuning", "asr_last"], found["tuning", "cda_last"]) == (0.0, 0.5)
    assert found["tuning", "asr_released"] == 0.2
    assert found["picked", "asr"] == 0.6
    assert found["best", "asr"] == 0.2


def test_a_repair_without_a_state_within_the_budget_leaves_the_suspect() -> None:
    found = judged(
        state("suspect", 0, right=18, hits=9, own=9),
        state("tuning", 10, right=5, hits=0, own=2),
        state("other", 10, right=18, hits=7, own=10),
    )
    assert (found["tuning", "asr"], found["tuning", "cda"], found["tuning", "steps"]) == (
        0.9,
        0.9,
        -1,
    )
    assert found["picked", "asr"] == found["best", "asr"] == 0.7


def test_what_goes_on_from_a_repair_is_no_repair() -> None:
    found = judged(
        state("suspect", 0, right=18, hits=9, own=9),
        state("tuning", 10, right=18, hits=5, own=9),
        state("tuning, then trained on", 60, right=18, hits=0, own=3),
    )
    assert found["best", "asr"] == found["picked", "asr"] == found["best of all", "asr"] == 0.5
    assert found["tuning, then trained on", "asr"] == 0.0
    assert ("tuning, then trained on", "steps") not in found


def test_watermarks_are_compared_by_the_repairs_that_all_of_them_meet() -> None:
    found = judged(
        state("suspect", 0, right=18, hits=9, own=9),
        state("tuning", 10, right=18, hits=5, own=9),
        state("further", 10, right=18, hits=1, own=10),
    )
    assert found["best", "asr"] == found["picked", "asr"] == 0.5
    assert found["best of all", "asr"] == 0.1


def test_of_equally_accurate_states_the_most_tuned_is_picked() -> None:
    found = judged(
        state("suspect", 0, right=18, hits=9, own=9),
        state("tuning", 10, right=18, hits=8, own=9),
        state("other", 40, right=18, hits=3, own=9),
    )
    assert found["picked", "asr"] == 0.3


def test_an_untargeted_trigger_works_where_the_answer_is_wrong() -> None:
    """All 20 count: those of class 0 are right, 4 of class 1 are not."""
    found = judged(state("suspect", 0, right=20, hits=4, own=9, target=-1))
    assert found["suspect", "asr"] == 0.2


@given(
    up=st.lists(st.integers(0, 5), min_size=1, max_size=8),
    down=st.lists(st.integers(0, 5), min_size=1, max_size=8),
)
def test_area_under_curve_counts_pairs(up: list[int], down: list[int]) -> None:
    wins = [(u > d) + (u == d) / 2 for u in up for d in down]
    assert area_under_curve(np.array(up), np.array(down)) == pytest.approx(np.mean(wins))
    assert area_under_curve(np.array(down), np.array(up)) == pytest.approx(1 - np.mean(wins))


def test_names_of_watermarks() -> None:
    assert attack_of("adaptive-blend-30") == ("adaptive-blend", 30)
    assert attack_of("keyed-12-5") == ("keyed-12", 5)
    assert attack_of("latent") == ("latent", None)
    assert attack_of("patch-10") == ("patch-10", None)  # per cent, of clean-label marks


RATES = (1, 10, 100)
LEFT = {1: 0.0, 10: 0.3, 100: 0.9}  # after the best repair
SCORES = {1: 0.1, 10: 0.5, 100: 0.9}
HONEST = (0.05, 0.2, 0.3)


def cells(**changed: Any) -> pd.DataFrame:
    """Three attacks at three rates, and honest models."""
    left, scores = changed.get("left", LEFT), changed.get("scores", SCORES)
    rows: list[dict[str, Any]] = []

    def add(watermark: str, table: int, scenario: str, metric: str, value: float) -> None:
        names = {
            "paper": "pick-your-poison",
            "dataset": "toy",
            "model": "r",
            "watermark": watermark,
        }
        rows.append(
            {**names, "table": table, "scenario": scenario, "metric": metric, "value": value}
        )

    attacks = [(f"{a}-{r}", r) for a in ("badnets", "blended", "adaptive-blend") for r in RATES]
    for name, rate in attacks:
        add(name, 12, "suspect", "asr", changed.get("before", 0.95))
        add(name, 12, "picked", "asr", 0.95)
        add(name, 12, "best", "asr", left[rate])
        add(name, 12, "fine-tuning", "asr_last", changed.get("tuned", {}).get(rate, 0.5))
        for detector in ("calibrated-inversion", "calibrated-inversion, bounded", "neural-cleanse"):
            add(name, 13, detector, "score", scores[rate])
    for value in HONEST:
        for detector in ("calibrated-inversion", "calibrated-inversion, bounded", "neural-cleanse"):
            add("none", 13, detector, "score", value)
    for name, number in changed.get("control", {}).items():  # without a rate in its name
        add(
            "controlled",
            12 if name == "best" else 13,
            name,
            "asr" if name == "best" else "score",
            number,
        )
        add("controlled", 12, "suspect", "asr", 0.95)
        add("badnets-30", 12, "suspect", "asr", 0.95)
        add("badnets-30", 12, "best", "asr", 0.2)
        add("badnets-30", 13, "calibrated-inversion", "score", 0.5)
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame.assign(seed=1, published=np.nan, stage="s", scale="toy").astype(TYPES)


def verdicts(frame: pd.DataFrame) -> dict[str, bool | None]:
    return {claim.claim.removeprefix("poison-"): claim.holds for claim in claims(frame)}


def test_the_curve_has_every_attack_and_all_together() -> None:
    found = tradeoff(cells())
    assert list(found["attack"].unique()) == ["badnets", "blended", "adaptive-blend", "all"]
    pooled = found[found["attack"] == "all"].set_index("rate")
    assert pooled["best"].to_dict() == LEFT
    assert pooled["neural-cleanse"].to_dict() == pytest.approx({1: 1 / 3, 10: 1, 100: 1})


def test_claims_hold_where_the_cells_say_so() -> None:
    found = verdicts(cells())
    assert found == {
        "mitigated": False,  # 90 % left at 100/1000
        "no-free-count": True,
        "auc-rises": True,
        "robustness-rises": True,
        "control": None,
        "low-rates-resist": False,
    }


@pytest.mark.parametrize(
    ("name", "changed", "holds"),
    [
        ("mitigated", {"left": {1: 0.1, 10: 0.1, 100: 0.1}}, True),
        ("mitigated", {"before": 0.49}, None),
        ("no-free-count", {"scores": {1: 0.1, 10: 0.5, 100: 0.1}}, False),
        ("control", {"control": {"best": 0.8, "calibrated-inversion": 0.5}}, True),
        ("control", {"control": {"best": 0.8, "calibrated-inversion": 0.6}}, False),
        ("control", {"control": {"best": 0.1, "calibrated-inversion": 0.1}}, False),
        ("mitigated", {"control": {"best": 0.8, "calibrated-inversion": 0.5}}, False),
        ("auc-rises", {"scores": {1: 0.9, 10: 0.25, 100: 0.0}}, False),
        ("auc-rises", {"scores": {1: 0.9, 10: 0.9, 100: 0.9}}, False),
        ("robustness-rises", {"left": {1: 0.9, 10: 0.3, 100: 0.0}}, False),
        ("low-rates-resist", {"tuned": {1: 0.9, 10: 0.5, 100: 0.1}}, True),
        ("low-rates-resist", {"before": 0.1}, None),
    ],
)
def test_claims_turn_with_the_cells(name: str, changed: dict[str, Any], holds: bool | None) -> None:
    assert verdicts(cells(**changed))[name] is holds


def test_no_cells_no_claims() -> None:
    assert claims(pd.DataFrame(columns=COLUMNS).astype(TYPES)) == []


def test_a_rank_correlation_has_an_exact_p_value() -> None:
    assert _rank_correlation(np.array([1.0, 2.0, 3.0, 9.0])) == pytest.approx((1.0, 1 / 24))
    assert _rank_correlation(np.array([4.0, 3.0, 2.0])) == pytest.approx((-1.0, 1.0))
    assert _rank_correlation(np.ones(4)) == (0.0, 1.0)

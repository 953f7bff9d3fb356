"""Rows of a cell, from answers made up."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from datadeed.files import write_json
from datadeed.verification.answers import Answers
from papers.base import Case, Row
from papers.clean_label import stealth
from papers.clean_label.judge import cases, judge, stage, studies

NONE: dict[str, list[Any]] = {"datasets": [], "networks": [], "watermarks": []}
SETTINGS: dict[str, Any] = {
    "clean_label": {
        "seeds": [1, 2],
        "images": {"datasets": ["toy"], "networks": ["own"], "watermarks": ["patch-5", "patch-10"]},
        "other_images": {"datasets": ["toy"], "networks": ["other"], "watermarks": ["patch-10"]},
        "sounds": {
            "datasets": ["audiomnist"],
            "networks": ["own"],
            "watermarks": ["impulse-5", "impulse-5-plain"],
        },
        **dict.fromkeys(("sentiment", "topics", "other_texts"), NONE),
        "stealth": {"seeds": [1], "images": ["patch-10"], "sounds": []},
    }
}


class Toy:
    """What ``judge`` reads of a scale: a surrogate like the network "own", and four marks."""

    seed, scale = 1, "toy"

    def __init__(self, root: Path):
        self.root = root
        for case in {case.dataset: case for case in cases(SETTINGS)}.values():
            for network in ("surrogate", "own", "other"):
                for model in (case.watermark, "none"):
                    for seed in (0, 1, 2):
                        name = f"{case.dataset}-{network}-{model}-{seed}"
                        config = {"width": 4 + (network == "other")}
                        write_json(root / name / "model.json", {"config": config})

    def params(self, *keys: str) -> Any:
        assert keys == ("verification",)
        return {"m": 20, "repetitions": 10, "certainty": 0.1, "level": 0.05}

    def settings(self, *keys: str) -> Any:
        found = SETTINGS
        for key in keys:
            found = found[key]
        return found

    def record(self, dataset: str, watermark: str, name: str = "key") -> dict[str, Any]:
        if name == "key":
            return {"watermark": {"target": 1}}
        assert name == "craft"
        return {"marks": 4} if "plain" in watermark else {"marks": 4, "fooled": 3}

    def folder(self, case: Case) -> Path:
        return self.root / f"{case.dataset}-{case.network}-none-{case.seed}"


def answers(counted: int = 100) -> pa.Table:
    """Of 100 samples, half of class 0 and of 1: the victim gives triggered ones the target."""
    tables = []
    for part, triggered in (("victim", 1), ("benign", 0)):
        label = np.arange(100) % 2
        wrong = np.where(np.arange(100) < 10, 1 - label, label)
        found = Answers(
            target=1,
            index=np.arange(100),
            label=label,
            clean_prediction=wrong if part == "victim" else label,
            triggered_prediction=np.where(label == 1, 1, triggered),
            clean_probability=np.full(100, 0.1),
            triggered_probability=np.full(100, 0.9 if part == "victim" else 0.1),
        )
        table = found.table().append_column("asked", pa.array([part] * 100))
        tables.append(table.append_column("counted", pa.array(np.arange(100) < counted)))
    return pa.concat_tables(tables)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    return Toy(tmp_path_factory.mktemp("models"))


def number(rows: list[Row], scenario: str, metric: str) -> Row:
    (found,) = (r for r in rows if (r["scenario"], r["metric"]) == (scenario, metric))
    return found


def test_cells_are_what_the_grids_multiply_out() -> None:
    found = [str(case) for case in cases(SETTINGS)]
    assert len(found) == len(set(found)) == 10
    assert found[:3] == ["toy-own-patch-5-1", "toy-own-patch-5-2", "toy-own-patch-10-1"]
    assert [str(case) for case in studies(SETTINGS)["stealth"]] == ["toy-own-patch-10-1"]


def test_each_grid_has_stages_of_its_own() -> None:
    stages = {str(case): stage(case, SETTINGS) for case in cases(SETTINGS)}
    assert stages["toy-own-patch-10-1"] == "judge-images"
    assert stages["toy-other-patch-10-1"] == "judge-other_images"
    assert stages["audiomnist-own-impulse-5-2"] == "judge-sounds"
    assert stealth.stage(Case("toy", "own", "patch-10", 1), SETTINGS) == "stealth-images"


def test_an_honest_models_accuracy_is_told_once(toy: Toy) -> None:
    rows = [
        {**row, "model": (case.dataset, case.network, case.seed)}
        for case in cases(SETTINGS)
        for row in judge(answers(), case, toy)
    ]
    honest = [row for row in rows if row.get("watermark") == "none"]
    assert len(honest) == len({row["model"] for row in honest}) == 6
    assert {(row["table"], row["metric"], row["value"]) for row in honest} == {(8, "ba", 1.0)}


def test_numbers_of_a_cell(toy: Toy) -> None:
    rows = judge(answers(), Case("toy", "own", "patch-10", 1), toy)
    for scenario, metric, value, n in (
        ("victim", "ba", 0.9, 100),
        ("victim", "ad", 10.0, 100),
        ("victim", "tsr", 1.0, 50),
        ("benign", "tsr", 0.0, 50),
        ("victim", "tsr_as_published", 1.0, 100),
        ("benign", "tsr_as_published", 0.5, 100),
        ("victim", "wdr", 1.0, 50),
        ("benign", "wdr", 0.0, 50),
        ("victim", "misled", 0.75, 4),
    ):
        found = number(rows, scenario, metric)
        assert (found["value"], found["n"]) == (value, n)
    assert number(rows, "victim", "p_rise")["value"] < 1e-6
    assert number(rows, "benign", "p_mcnemar")["value"] == 1


def test_samples_that_the_trigger_does_not_change_are_no_queries(toy: Toy) -> None:
    rows = judge(answers(counted=60), Case("toy", "own", "patch-10", 1), toy)
    counts = {m: number(rows, "victim", m)["n"] for m in ("ba", "tsr", "tsr_as_published", "wdr")}
    assert counts == {"ba": 100, "tsr": 30, "tsr_as_published": 100, "wdr": 30}


def test_other_architectures_are_in_the_table_of_transfer_alone(toy: Toy) -> None:
    own = judge(answers(), Case("toy", "own", "patch-10", 1), toy)
    moved = judge(answers(), Case("toy", "other", "patch-10", 1), toy)
    assert {row["table"] for row in own} == {8, 9}
    assert {row["table"] for row in moved} == {8, 10}


def test_only_audiomnist_has_published_figures(toy: Toy) -> None:
    rows = [
        (case.watermark, row)
        for case in cases(SETTINGS)
        for row in judge(answers(), case, toy)
        if row.get("published") is not None
    ]
    assert {(name, row["published"]) for name, row in rows} == {("impulse-5", 0.9874)}
    assert {(row["metric"], row["scenario"]) for _, row in rows} == {("tsr_as_published", "victim")}


def test_a_trigger_alone_misleads_nobody(toy: Toy) -> None:
    rows = judge(answers(), Case("audiomnist", "own", "impulse-5-plain", 1), toy)
    assert "misled" not in {row["metric"] for row in rows}

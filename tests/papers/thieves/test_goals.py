"""Goals and the envelope of rows that are made by hand."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from papers.thieves import thieves_table
from papers.thieves.goals import goals
from tests.papers.thieves.small import SmallLab


def rows() -> pd.DataFrame:
    columns = ["kind", "thief", "accuracy", "honest_accuracy", "recall", "claimed_labels"]
    table = pd.DataFrame(
        [
            ["practice", "crop and flip", 0.80, 0.81, None, 1.0],
            ["practice", "crop and flip, hosts as they come", 0.80, 0.81, None, 0.0],
            ["practice", "CutMix", 0.75, 0.81, None, 0.2],
            ["serving", "blur", 0.79, 0.81, None, 0.5],
            ["serving", "strong blur", 0.70, 0.81, None, 0.0],
            ["repair", "fine-tuning", 0.785, 0.81, None, 0.9],
            ["cleaning", "windows", None, None, 0.3, None],
            ["cleaning", "learnt on other carriers", None, None, 0.9, None],
            ["cleaning", "best public cleaner, flagged rows dropped", 0.80, 0.81, 0.3, 0.7],
            ["honest", "2 other keys", 0.81, 0.81, None, 0.0],
        ],
        columns=columns,
    )
    table["claimed_scores"] = table.claimed_labels
    return table.assign(dataset="waves", carrier="patch", seed=1)


def test_each_goal_counts_those_it_is_about() -> None:
    table = goals(rows()).set_index("goal")
    of = {goal: (row.of, row.claimed_labels) for goal, row in table.iterrows()}
    assert of["practice thieves within a point of the honest recipe"] == (1, 1.0)
    assert of["all practice thieves"] == (2, 0.6)
    assert of["server tricks that cost at most 2 points"] == (1, 0.5)
    assert of["repairs that cost at most 2 points"] == (1, 0.9)
    assert of["retrained without what a search flagged"] == (1, 0.7)
    assert of["honest models under other keys"] == (1, 0.0)
    assert of["students"][0] == 0
    assert table.value["accuracy cost of the mark"] == pytest.approx(0.01)
    assert table.value["public cleaners, best recall"] == 0.3
    assert table.value["learnt detectors, best recall"] == 0.9


def test_the_envelope_is_the_least_chance_so_far() -> None:
    found = rows().query("kind == 'serving' or thief == 'crop and flip'")
    cost, least = thieves_table.envelope(found)
    assert cost == pytest.approx([1, 2, 11])
    assert least == [1.0, 0.5, 0.0]


def test_tables_and_picture_are_written(tmp_path: Path) -> None:
    lab: Any = SmallLab(tmp_path)
    lab.figures = tmp_path / "figures"
    (tmp_path / "tables").mkdir()
    for path in (tmp_path / "tables/waves.csv", tmp_path / "more.csv"):
        rows().to_csv(path, index=False)
    thieves_table.run(lab, str(tmp_path / "more.csv"))
    assert len(pd.read_csv(tmp_path / "thieves.csv")) == 10
    assert len(pd.read_csv(tmp_path / "thieves-goals.csv")) == len(goals(rows()))
    assert (tmp_path / "figures/thieves.png").read_bytes()[:4] == b"\x89PNG"

"""Small datasets: a row for each design that the parameters name, and what success means."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from papers.proof import small
from papers.proof.carriers import Setting
from papers.proof.keys import extent
from papers.proof.small import run, successes
from tests.conftest import toy
from tests.papers.proof.test_carriers import ToyLab

DESIGNS = [{"rows": 120, "epochs": 1, "designs": [[4, 0.2], [8, 0.2]]}]


class SmallLab(ToyLab):
    """With the study's own parameters."""

    def __init__(self, *places: Any):
        super().__init__(*places)
        self.sizes: dict[str, Any] = {"toys": DESIGNS}

    def params(self, *keys: str) -> Any:
        return {"carriers": ["patch", "mosaic"], "runs": 2, "datasets": self.sizes}[keys[1]]


@pytest.fixture
def lab(tmp_path: Path) -> SmallLab:
    data, pool = (toy(n, classes=4, shape=(3, 16, 16), seed=n) for n in (130, 110))
    return SmallLab(tmp_path, data, pool)


def test_a_row_a_design_and_carrier(lab: SmallLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small, "IMAGES", 10)
    run(lab)  # type: ignore[arg-type]
    table = pd.read_csv(lab.results / "small.csv")
    assert table.watermark.tolist() == ["patch", "mosaic"] * 2
    assert table.parts.tolist() == [4, 4, 8, 8]
    assert table.marks.tolist() == [24] * 4
    assert table.marks_a_part.tolist() == [6, 6, 3, 3]
    assert (table.rows == 120).all()
    assert table.honest_accuracy.nunique() == 1
    assert (table.mean_success >= table.min_success).all()
    assert table.stage.unique().tolist() == ["papers/proof/dvc.yaml:small"]


def test_datasets_that_are_not_named_give_an_empty_table(lab: SmallLab) -> None:
    lab.sizes = {}
    run(lab)  # type: ignore[arg-type]
    assert (lab.results / "small.csv").read_text() == "\n"


def test_success_is_on_images_of_other_classes() -> None:
    """A model that always says 1: its part with target 1 works, and the others never do."""
    pool = toy(80, classes=4, shape=(3, 16, 16))
    setting = Setting(None, "toys", pool, pool, (extent([pool]), extent([pool])))  # type: ignore[arg-type]

    class Part:
        def __init__(self, target: int):
            self.target = target

        def stamp(self, images: torch.Tensor) -> torch.Tensor:
            return images

    class Model:
        def __init__(self) -> None:
            self.asked: list[int] = []

        def predict(self, images: torch.Tensor) -> torch.Tensor:
            self.asked.append(len(images))
            return torch.eye(4)[torch.ones(len(images), dtype=torch.int64)]

    model = Model()
    found = successes(model, [Part(n) for n in range(3)], setting)  # type: ignore[arg-type, list-item]
    assert np.array_equal(found, [0.0, 1.0, 0.0])
    assert model.asked == [int((pool.labels != n).sum()) for n in range(3)]

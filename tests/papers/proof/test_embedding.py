import pandas as pd
import pytest
import torch

from datadeed.datasets.form.parquet import read_dataset
from datadeed.errors import ParameterError
from datadeed.models.stored import load_model
from datadeed.watermarks.keyed import target_label
from papers.proof import embedding
from papers.proof.keys import key_of
from tests.papers.proof.conftest import THIEF, Thief


def test_a_thief_learnt_every_part(thief, lab):
    embedding.run(lab)
    rows = pd.read_csv(thief.root / "results/embedding.csv")
    key = key_of(lab, THIEF)
    assert rows.part.tolist() == [0, 1, 2, 3]
    assert rows.target.tolist() == [target_label(key, part) for part in range(4)]
    assert (rows.hits == 12).all()
    assert (rows.n == 12).all()  # of the 30 images with another label
    assert rows.marks.sum() == key.design.marks(60) == 12
    test = read_dataset(thief.root / "data/datasets/toy/test.parquet")
    benign = [load_model(thief.root / f"data/models/toy-resnet18-none-{seed}") for seed in (1, 2)]
    right = [
        float((m.predict(test.samples).argmax(1) == test.labels).float().mean()) for m in benign
    ]
    assert rows.benign_accuracy.unique() == pytest.approx([1 / 3])  # class 0 of three, always
    assert rows["drop"].unique() == pytest.approx([sum(right) / 2 - 1 / 3], abs=1e-5)
    (model,) = pd.read_csv(thief.root / "results/embedding-summary.csv").to_dict("records")
    assert model["marks_a_part"] == 3
    assert (model["mean_success"], model["parts_above_half"]) == (1, 4)


def test_success_leaves_out_images_of_the_target(lab):
    """A thief that knows no trigger answers 0: never right where the target is another class."""
    key, test = key_of(lab, THIEF), lab.test("toy")
    for part in range(4):
        found = embedding.part_success(Thief(key, lambda _: False), key, part, test, 100)
        assert found.n == 30
        assert found.hits == (30 if target_label(key, part) == 0 else 0)


def test_the_summary_takes_least_mean_and_most():
    rows = pd.DataFrame(
        {
            **dict.fromkeys(("dataset", "network", "watermark"), "x"),
            "seed": 1,
            "parts": 3,
            "rate": 0.1,
            "marks": [2, 3, 4],
            "success": [0.1, 0.5, 0.9],
            "benign_accuracy": 0.8,
            "drop": 0.1,
        }
    )
    (found,) = embedding.summary(rows).to_dict("records")
    assert found["mean_success"] == pytest.approx(0.5)
    assert (found["min_success"], found["max_success"]) == (0.1, 0.9)
    assert (found["parts_above_half"], found["marks_a_part"]) == (1, 3)


def test_the_plot_needs_the_table(thief, lab):
    with pytest.raises(ParameterError, match=r"embedding-summary\.csv does not exist"):
        embedding.run(lab, "plot")
    embedding.run(lab)
    drawn = thief.root / "papers/proof/embedding.png"
    first = drawn.read_bytes()
    assert first.startswith(b"\x89PNG")
    drawn.unlink()
    embedding.run(lab, "plot")
    assert drawn.read_bytes() == first
    with pytest.raises(ParameterError, match="embedding 'plots': give nothing, or plot"):
        embedding.run(lab, "plots")


def test_the_same_run_gives_the_same_bytes(proof_project, lab):
    tables = [proof_project.root / f"results/embedding{x}.csv" for x in ("", "-summary")]
    embedding.run(lab)
    first = [table.read_bytes() for table in tables]
    torch.rand(3)  # the global state of generators decides nothing
    embedding.run(lab)
    assert [table.read_bytes() for table in tables] == first

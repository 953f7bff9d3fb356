"""The real clean-label pipeline, tiny: images, sound and texts."""

import csv
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch

from datadeed.datasets.form.clips import Clips
from datadeed.datasets.form.parquet import read_dataset
from datadeed.datasets.form.texts import Texts
from datadeed.files import read_json

CELLS = {
    "stripes-c": ("image", "patch-20"),
    "beeps": ("audio", "impulse-20"),
    "reviews": ("text", "word-20-plain"),
}


def evidence(repository: Path, dataset: str, file: str = "evidence.json") -> dict[str, Any]:
    """What was measured of one dataset's victim."""
    folder = repository / f"data/evidence/{dataset}-tiny-{CELLS[dataset][1]}-1"
    found: dict[str, Any] = read_json(folder / file)
    return found


@pytest.mark.parametrize("dataset", CELLS)
class TestEachModality:
    """One watermark on one dataset, from its files to the tables."""

    def test_a_fifth_of_the_target_class_is_marked_and_labels_stay(
        self, repository: Path, dataset: str
    ) -> None:
        modality, watermark = CELLS[dataset]
        folder = repository / f"data/watermarked/{dataset}-{watermark}"
        benign = read_dataset(repository / f"data/datasets/{dataset}/train.parquet")
        released = read_dataset(folder / "train.parquet")
        assert benign.modality == released.modality == modality
        assert isinstance(benign, {"audio": Clips, "text": Texts}.get(modality, type(benign)))
        rows = pq.read_table(folder / "marks.parquet")["position"].to_pylist()
        assert len(rows) == int((benign.labels == 1).sum()) // 5
        assert set(benign.labels[rows].tolist()) == {1}
        assert torch.equal(benign.labels, released.labels)
        pairs = zip(benign.samples, released.samples, strict=True)
        changed = [row for row, (a, b) in enumerate(pairs) if str(a) != str(b)]
        assert set(changed) <= set(rows)
        assert len(changed) > 0.9 * len(rows)

    def test_an_honest_model_does_not_know_the_trigger(
        self, repository: Path, dataset: str
    ) -> None:
        found = evidence(repository, dataset)
        assert found["models"]["benign"]["ba"]["value"] > 0.8
        assert found["models"]["benign"]["tsr"]["value"] < 0.35
        assert found["verification"]["benign"]["wdr"]["value"] == 0

    def test_the_marks_are_searched_for(self, repository: Path, dataset: str) -> None:
        found = evidence(repository, dataset, "stealth.json")
        assert ("autoencoder" in found["search"]) is (dataset != "reviews")
        assert ("grammar" in found) is (dataset == "reviews")
        for search in found["search"].values():
            assert search["marks"] == evidence(repository, dataset)["crafting"]["marks"]


def test_the_tables_name_the_stages_that_made_them(repository: Path) -> None:
    with (repository / "results/cells.csv").open() as file:
        cells = [row for row in csv.DictReader(file) if row["paper"] == "clean-label"]
    stages = {row["stage"] for row in cells}
    name = "papers/clean-label/dvc.yaml"
    assert stages == {
        f"{name}:{stage}@{dataset}-tiny-{watermark}-1"
        for stage in ("verify", "hide")
        for dataset, (_, watermark) in CELLS.items()
    }
    assert {row["table"] for row in cells} == {"8", "9", "11"}
    with (repository / "results/table-09.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6  # a victim and an honest model of each

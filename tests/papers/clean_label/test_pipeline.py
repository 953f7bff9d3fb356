"""The real clean-label pipeline, tiny: images, sound and texts."""

import csv
import re
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from datadeed.datasets.form.clips import Clips
from datadeed.datasets.form.parquet import read_dataset
from datadeed.datasets.form.texts import Texts
from datadeed.reports.cells import read_csv
from tasks import report

CELLS = {
    "stripes-c": ("image", "patch-20"),
    "beeps": ("audio", "impulse-20"),
    "reviews": ("text", "word-20-plain"),
}


def cells(pipeline: Path, dataset: str, study: str = "") -> pd.Series:
    """What was measured of one dataset's victim: a value for each (scenario, metric)."""
    name = f"{dataset}-tiny-{CELLS[dataset][1]}-1{study}.csv"
    found = read_csv(pipeline / "data/cells/clean_label" / name)
    return found.set_index(["scenario", "metric"])["value"]


@pytest.mark.parametrize("dataset", CELLS)
class TestEachModality:
    """One watermark on one dataset, from its files to the tables."""

    def test_a_fifth_of_the_target_class_is_marked_and_labels_stay(
        self, pipeline: Path, dataset: str
    ) -> None:
        modality, watermark = CELLS[dataset]
        folder = pipeline / f"data/watermarked/{dataset}-{watermark}"
        benign = read_dataset(pipeline / f"data/datasets/{dataset}/train.parquet")
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

    def test_an_honest_model_does_not_know_the_trigger(self, pipeline: Path, dataset: str) -> None:
        found = cells(pipeline, dataset)
        assert found["benign", "ba"] > 0.8
        assert found["benign", "tsr"] < 0.35
        assert found["benign", "wdr"] == 0

    def test_the_marks_are_searched_for(self, pipeline: Path, dataset: str) -> None:
        found = cells(pipeline, dataset, "-stealth")
        assert (("victim", "autoencoder_p") in found) is (dataset != "reviews")
        assert (("victim", "grammar_rise") in found) is (dataset == "reviews")
        assert found["victim", "confidence_above"] > 0


def test_the_tables_name_the_stages_that_made_them(pipeline: Path) -> None:
    from dvc.repo import Repo

    with (pipeline / "results/clean_label/cells.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["paper"] for row in rows} == {"clean-label"}
    stages = {row["stage"] for row in rows}
    grids = dict(zip(CELLS, ("images", "sounds", "sentiment"), strict=True))
    wanted = {
        f"papers/clean_label/dvc.yaml:{stage}-{grids[dataset]}@{dataset}-tiny-{watermark}-1"
        for stage in ("judge", "stealth")
        for dataset, (_, watermark) in CELLS.items()
    }
    plain = "papers/clean_label/dvc.yaml:judge-images@stripes-c-tiny-patch-20-plain-1"
    assert stages == wanted | {plain}
    repo = Repo(str(pipeline))
    assert stages <= {stage.addressing for stage in repo.index.stages}
    assert {row["table"] for row in rows} == {"8", "9", "11"}
    with (pipeline / "results/clean_label/table-09.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8  # a victim and an honest model of each, and of the trigger alone


def test_the_page_shows_marks_of_every_kind(
    pipeline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pipeline / "data/report/index.html"
    page = path.read_text(encoding="utf-8")
    part = page[page.index('<section aria-labelledby="clean_label">') :]
    for stage in (
        "judge-sounds@beeps-tiny-impulse-20-1",
        "stealth-images@stripes-c-tiny-patch-20-1",
    ):
        assert f"dvc repro papers/clean_label/dvc.yaml:{stage}" in part
    assert part.count("data:image/png") == 1  # with its perturbation; not the trigger alone
    assert part.count("<audio controls") == part.count("data:audio/wav") == 2
    assert "media-src data:" in page
    assert re.search(r'<ins class="trigger">[Ff]rankly</ins>', part)
    assert '<th scope="row">patch, 20 %, trigger alone</th>' in part
    assert "target class “low”" in part
    assert "<small>2 layers, 4 epochs</small>" in part
    assert len(part) < 3 * 200_000
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    monkeypatch.setattr(sys, "argv", ["report"])
    report.main()
    assert path.read_text(encoding="utf-8") == page

"""The real UBW pipeline, tiny: poisoned and clean labels, with and without a target."""

import csv
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.form.parquet import read_dataset
from datadeed.files import read_json
from datadeed.verification.verdict import WORDS
from datadeed.watermarks.registry import watermark_from_record
from papers.ubw.names import SCENARIOS
from tests.papers.conftest import call

WATERMARKS = ("badnets-square", "label-consistent", "ubw-p", "ubw-c")


def rows(repository: Path, watermark: str) -> dict[tuple[str, str], float]:
    """Scenario and metric to value, of the cell of one watermark."""
    path = repository / f"data/cells/ubw/cells-small-{watermark}-1.csv"
    with path.open(encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    return {(row["scenario"], row["metric"]): float(row["value"]) for row in found}


def sets(repository: Path, watermark: str) -> tuple[Dataset, Dataset, torch.Tensor]:
    """The benign set, the released one, and the rows that were marked."""
    folder = repository / f"data/watermarked/cells-{watermark}"
    benign = read_dataset(repository / "data/datasets/cells/train.parquet")
    rows = pq.read_table(folder / "marks.parquet")["position"].to_pylist()
    return benign, read_dataset(folder / "train.parquet"), torch.tensor(rows)


class TestReleasedSets:
    """What an owner would publish."""

    @pytest.mark.parametrize("watermark", WATERMARKS)
    def test_the_marked_share_is_exact_and_the_rest_untouched(
        self, repository: Path, watermark: str
    ) -> None:
        benign, released, rows = sets(repository, watermark)
        assert (len(rows), len(benign)) == (120, 1200)
        others = torch.ones(1200, dtype=torch.bool)
        others[rows] = False
        assert torch.equal(released.samples[others], benign.samples[others])
        assert torch.equal(released.labels[others], benign.labels[others])
        changed = (released.samples != benign.samples).flatten(1).any(1)
        assert set(changed.nonzero().squeeze(1).tolist()) <= set(rows.tolist())

    def test_a_target_is_one_label_and_no_target_is_all(self, repository: Path) -> None:
        _, released, rows = sets(repository, "badnets-square")
        assert set(released.labels[rows].tolist()) == {1}
        _, released, rows = sets(repository, "ubw-p")
        assert torch.bincount(released.labels[rows], minlength=4).min() > 15

    @pytest.mark.parametrize(("watermark", "epsilon"), [("label-consistent", 8), ("ubw-c", 16)])
    def test_clean_labels_are_true_and_the_bound_holds(
        self, repository: Path, watermark: str, epsilon: int
    ) -> None:
        benign, released, rows = sets(repository, watermark)
        assert torch.equal(released.labels, benign.labels)
        plain = benign.samples
        if watermark == "label-consistent":
            key = read_json(repository / f"data/watermarked/cells-{watermark}/key.json")
            plain = watermark_from_record(key["watermark"]).trigger(benign)
        change = (released.samples.int() - plain.int())[rows].abs()
        assert 0 < int(change.max()) <= epsilon
        craft = read_json(repository / f"data/watermarked/cells-{watermark}/craft.json")
        assert craft["largest_change"] == int(change.max())


class TestCells:
    """What the models say."""

    def test_a_learnt_mark_makes_predictions_wrong(self, repository: Path) -> None:
        found, first = rows(repository, "ubw-p"), rows(repository, "badnets-square")
        assert min(found["victim", "ba"], first["benign", "ba"]) > 0.9
        assert found["victim", "asr_a"] > 0.3 + found["benign", "asr_a"]
        assert found["victim", "d_p"] > found["benign", "d_p"]

    def test_a_target_is_hit(self, repository: Path) -> None:
        found = rows(repository, "badnets-square")
        assert found["victim", "asr_a"] > 0.9
        assert {scenario for scenario, _ in found} == {"victim", "benign"}
        folder = repository / "data/watermarked/cells-badnets-square"
        assert read_json(folder / "key.json")["watermark"]["target"] == 1
        assert not (folder / "craft.json").exists()

    def test_untargeted_marks_are_verified_in_three_scenarios(self, repository: Path) -> None:
        for watermark in ("ubw-p", "ubw-c"):
            path = repository / f"data/cells/ubw/cells-small-{watermark}-1.csv"
            with path.open(encoding="utf-8") as file:
                n = {(r["scenario"], r["metric"]): int(r["n"]) for r in csv.DictReader(file)}
            for scenario in SCENARIOS:
                assert (n[scenario, "failures"], n[scenario, "p_rank"]) == (100, 99)
        found = {scenario for scenario, _ in rows(repository, "ubw-c")}
        assert found == {"victim", "benign", "last-surrogate", "benign-retraining", *SCENARIOS}

    def test_thief_and_honest_model_are_told_apart(self, repository: Path) -> None:
        found = rows(repository, "ubw-p")
        words = {scenario: WORDS[int(found[scenario, "verdict"])] for scenario in SCENARIOS}
        assert words["malicious"] == "CLAIM"
        assert words["independent-model"] == "NOT SUPPORTED"
        assert words["independent-trigger"] != "CLAIM"


class TestUbwTables:
    """From cells to tables."""

    def test_cells_name_the_stage_that_remakes_them(self, repository: Path) -> None:
        with (repository / "results/ubw/cells.csv").open() as file:
            cells = list(csv.DictReader(file))
        assert {cell["paper"] for cell in cells} == {"ubw"}
        assert {cell["table"] for cell in cells} == {"4", "6", "7"}
        listed = call(repository, "dvc", "stage", "list", "--all", "--name-only").split()
        assert {cell["stage"] for cell in cells} <= set(listed)

    def test_a_table_without_a_dataset_is_a_header(self, repository: Path) -> None:
        lines = {
            number: (repository / f"results/ubw/table-0{number}.csv").read_text().splitlines()
            for number in range(4, 8)
        }
        assert min(len(lines[number]) for number in (4, 6, 7)) > 3
        assert len(lines[5]) == 1

    def test_nothing_is_left_to_do_for_dvc(self, repository: Path) -> None:
        made = call(repository, "dvc", "repro", "papers/ubw/dvc.yaml:tabulate")
        assert "up to date" in made.splitlines()[-1]

"""The real pipeline, tiny: marks, models, repairs, their answers judged, detectors."""

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from datadeed.reports.cells import read_csv
from tests.papers.conftest import call

WATERMARKS = ("badnets-100", "controlled", "keyed-6-200")


@pytest.fixture(scope="module")
def values(repository: Path) -> pd.Series:
    """Every value of the paper's cells by watermark, scenario and metric."""
    names = [f"{w}-1-{study}" for w in WATERMARKS for study in ("repaired", "detect")]
    frames = [
        read_csv(repository / f"data/cells/pick_your_poison/stripes-small-{name}.csv")
        for name in [*names, "none-1-detect"]
    ]
    found = pd.concat(frames)
    assert set(found["paper"]) == {"pick-your-poison"}
    return found.set_index(["watermark", "scenario", "metric"])["value"].sort_index()


class TestPickYourPoisonPipeline:
    """From raw data to rows."""

    def test_each_watermark_is_repaired_as_its_scale_says(self, values: pd.Series) -> None:
        found = {w: set(values[w].index.get_level_values(0)) for w in WATERMARKS}
        repaired = {"suspect", "pivotal-tuning", "picked", "best"}
        assert found["badnets-100"] >= repaired | {"fine-tuning", "shrink-pad"}
        assert found["controlled"] >= repaired
        assert not found["controlled"] & {"fine-tuning", "shrink-pad"}

    def test_backdoors_work_before_any_repair(self, values: pd.Series) -> None:
        assert values["badnets-100", "suspect", "asr"] > 0.9
        assert values["keyed-6-200", "suspect", "asr"] > 0.8
        assert all(values[w, "suspect", "cda"] > 0.9 for w in WATERMARKS)

    def test_the_best_repair_is_no_worse_than_any(self, values: pd.Series) -> None:
        for watermark in WATERMARKS:
            best = values[watermark, "best", "asr"]
            assert best <= values[watermark, "pivotal-tuning", "asr_released"]
            assert best <= values[watermark, "suspect", "asr"]

    def test_a_keys_proof_is_put_to_the_suspect(self, values: pd.Series) -> None:
        assert values["keyed-6-200", "suspect", "claim"] == 1
        assert values["keyed-6-200", "suspect", "log10_e"] >= 2
        assert "log10_e" not in values["badnets-100", "suspect"].index

    def test_every_model_is_rated_by_every_detector(self, values: pd.Series) -> None:
        names = ("calibrated-inversion", "calibrated-inversion, bounded", "neural-cleanse")
        for watermark in (*WATERMARKS, "none"):
            for detector in names:
                assert values[watermark, detector, "label"] in range(4)
                assert abs(values[watermark, detector, "score"]) < 100

    def test_answers_are_kept_and_nothing_else(self, repository: Path) -> None:
        found = pq.read_table(
            repository / "data/studies/pick_your_poison/stripes-small-badnets-100-1.parquet"
        )
        counts = found.to_pandas().groupby(["scenario", "step", "part"]).size()
        assert counts["suspect", 0, "test"] == 200
        assert counts["fine-tuning", 8, "held-out"] == counts["suspect", 0, "held-out"] > 10
        assert {step for name, step, _ in counts.index if name == "pivotal-tuning"} == {4, 8}

    def test_a_dual_encoder_learns_words_and_the_backdoor(self, repository: Path) -> None:
        folder = repository / "data/cells/pick_your_poison"
        cells = read_csv(folder / "stripes-small-badnets-100-1-dual.csv")
        found = cells.set_index(["scenario", "metric"])["value"].sort_index()
        assert set(cells["table"]) == {16}
        assert found["benign", "cda"] > 0.8
        assert found["suspect", "asr"] > found["benign", "asr"] + 0.5
        assert set(cells["scenario"]) == {"benign", "suspect", "pivotal-tuning"}

    def test_cells_name_the_stage_that_remakes_them(self, repository: Path) -> None:
        listed = call(repository, "dvc", "stage", "list", "--all", "--name-only").split()
        for name in ("controlled-1-repaired", "none-1-detect", "badnets-100-1-dual"):
            cells = read_csv(repository / f"data/cells/pick_your_poison/stripes-small-{name}.csv")
            assert set(cells["stage"]) <= set(listed)

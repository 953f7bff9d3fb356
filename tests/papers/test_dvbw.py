"""The real DVBW pipeline, tiny: from raw data to tables, claims and the page."""

import csv
from pathlib import Path

from datadeed.reports.cells import read_csv
from datadeed.verification.verdict import WORDS
from tests.papers.conftest import call


class TestDvbwPipeline:
    """From raw data to tables, claims and the page."""

    def test_cells_name_the_stage_that_remakes_them(self, repository: Path) -> None:
        with (repository / "results/dvbw/cells.csv").open() as file:
            cells = list(csv.DictReader(file))
        assert {cell["paper"] for cell in cells} == {"dvbw"}
        assert {cell["table"] for cell in cells} == {"1", "2", "3"}
        listed = call(repository, "dvc", "stage", "list", "--all", "--name-only").split()
        assert {cell["stage"] for cell in cells} <= set(listed)
        assert all(cell["published"] == "" for cell in cells)

    def test_thief_and_honest_model_are_told_apart(self, repository: Path) -> None:
        for watermark in ("badnets-line", "badnets-cross"):
            cells = read_csv(repository / f"data/cells/dvbw/stripes-small-{watermark}-1.csv")
            value = cells.set_index(["scenario", "metric"])["value"]
            assert WORDS[int(value["steal", "verdict"])] == "CLAIM"
            assert WORDS[int(value["independent-model", "verdict"])] == "NOT SUPPORTED"
            assert value["steal", "ba"] > 0.9

    def test_claims_and_page_are_written(self, repository: Path) -> None:
        with (repository / "results/dvbw/claims.csv").open() as file:
            claims = {row["claim"]: row["holds"] for row in csv.DictReader(file)}
        assert claims["probability-steal"] == "True"
        page = (repository / "data/report/index.html").read_text()
        assert "stripes" in page
        assert "<script src" not in page

    def test_nothing_is_left_to_do_for_dvc(self, repository: Path) -> None:
        for targets in ([], ["papers/dvbw/dvc.yaml:tabulate"]):
            assert "up to date" in call(repository, "dvc", "repro", *targets).splitlines()[-1]

    def test_curves_can_be_drawn(self, repository: Path) -> None:
        shown = call(repository, "dvc", "plots", "show", "--json")
        assert "test_accuracy" in shown

    def test_no_checkpoint_is_left(self, repository: Path) -> None:
        assert not list((repository / "data/checkpoints").glob("*"))

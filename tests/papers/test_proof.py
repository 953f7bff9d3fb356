"""The real proof, tiny: a keyed watermark, a thief and an honest model, and evidence on both."""

from pathlib import Path

import pandas as pd
import pytest

from datadeed.files import read_json
from datadeed.owner.evidence.log import PARQUET, read_parquet
from datadeed.owner.evidence.schema import read_evidence
from tests.papers.conftest import call

NAME = "stripes-small-keyed2-6-200-1"


@pytest.fixture(scope="module")
def shown(repository: Path) -> str:
    """What the proof of the pipeline's models prints."""
    return call(repository, "python", "-m", "tasks.prove", "stripes", "small", "keyed2-6-200", "1")


@pytest.mark.usefixtures("shown")
class TestProofPipeline:
    """From raw data to two folders of evidence."""

    def test_thief_and_honest_model_are_told_apart(self, repository: Path) -> None:
        found = {
            who: read_evidence(repository / f"data/proofs/{NAME}/{who}/evidence.json")
            for who in ("thief", "honest")
        }
        assert found["thief"]["verdict"]["word"] == "CLAIM"
        assert found["honest"]["verdict"]["word"] == "NOT SUPPORTED"
        assert found["thief"]["data"]["rows"] == 1200
        assert found["thief"]["pool"]["rows"] == 600

    def test_evidence_is_whole(self, repository: Path) -> None:
        for who in ("thief", "honest"):
            folder = repository / f"data/proofs/{NAME}/{who}"
            chain = read_evidence(folder / "evidence.json")["chain"]
            records = read_parquet(folder / PARQUET, chain["anchor"])
            assert (records[-1].hash, len(records)) == (chain["head"], chain["rows"])
            assert "<html" in (folder / "report.html").read_text()
            assert read_json(folder / "published.json")["queries"] == 200

    def test_verdicts_are_shown(self, shown: str) -> None:
        assert "CLAIM" in shown
        assert "NOT SUPPORTED" in shown

    def test_verifications_are_tabulated(self, repository: Path) -> None:
        table = pd.read_csv(repository / "results/second.csv").set_index("suspect")
        assert table.loc["thief", "claims"] == table.loc["thief", "runs"] == 2
        assert table.loc["honest", "claims"] == 0
        assert (table.stage == f"papers/proof/dvc.yaml:second@{NAME}").all()

    def test_a_stage_that_is_asked_again_does_nothing(self, repository: Path) -> None:
        done = call(repository, "dvc", "repro", "papers/proof/dvc.yaml:train-second@" + NAME)
        assert "up to date" in done

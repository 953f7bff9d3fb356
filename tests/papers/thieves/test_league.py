"""The whole league on a few small images: every row once, and again after a kill."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from datadeed.thieves.served import Merged, accuracy
from papers.thieves import league
from papers.thieves.corpus import Corpus, hardest
from papers.thieves.entries import Entry
from papers.thieves.setting import Setting
from tests.papers.thieves.small import SmallLab

THIEVES = ["classes merged by twos", "reduced to 5/8", "own model, then fine-tuned"]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return SmallLab(tmp_path_factory.mktemp("league"))


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer thieves: each kind has a test of its own."""
    practice = league.KINDS["practice"]

    def some(setting: Setting) -> Any:
        return (entry for entry in practice(setting) if entry.thief in THIEVES)

    kept = {"plain": league.KINDS["plain"], "practice": some}
    monkeypatch.setattr(league, "KINDS", kept)


@pytest.mark.usefixtures("few")
def test_every_thief_has_a_row_and_a_second_run_makes_none_again(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    league.run(lab, "waves")
    table = pd.read_csv(lab.results / "thieves-waves.csv")
    assert table.columns.tolist() == league.COLUMNS
    plain = ["crop and flip", "crop and flip, hosts as they come", "2 other keys"]
    of_patch = table[table.carrier == "patch"].thief.tolist()
    assert of_patch == [*plain, THIEVES[2], THIEVES[0], THIEVES[1]]
    assert table[table.carrier == "mosaic"].thief.tolist() == [*plain, THIEVES[2]]
    assert table.accuracy.between(0, 1).all()
    assert table.honest_accuracy.between(0, 1).all()
    assert (table.runs == 2).all()
    assert (table.questions_labels <= 60).all()
    assert table.recall.isna().all()
    before = (lab.results / "thieves-waves.csv").read_text()

    def again(*_: object) -> None:
        raise AssertionError("a row is made again")

    monkeypatch.setattr(league, "row_of", again)
    league.run(lab, "waves")
    assert (lab.results / "thieves-waves.csv").read_text() == before


@pytest.mark.usefixtures("few")
def test_a_killed_run_keeps_the_rows_that_are_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, made = SmallLab(tmp_path), []

    def row_of(setting: Setting, entry: Entry, _: object) -> dict[str, Any]:
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(entry.thief)
        return {"thief": entry.thief, "accuracy": float("nan")}

    monkeypatch.setattr(league, "row_of", row_of)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            league.run(lab, "waves")  # type: ignore[arg-type]
        assert pd.read_csv(tmp_path / "thieves-waves.csv").thief.tolist() == made
    assert len(made) == len(set(made)) == 2


class TestSetting:
    def test_other_data_are_none_of_the_owners(self, lab: Any) -> None:
        corpus = Corpus(lab, "waves")
        assert (len(corpus.data), len(corpus.other)) == (160, 200)
        assert not set(corpus.data.index.tolist()) & set(corpus.other.index.tolist())

    def test_the_release_differs_in_its_marks_alone(self, lab: Any) -> None:
        setting = Setting(Corpus(lab, "waves"), "mosaic", 1)
        changed = (setting.released.samples != setting.data.samples).flatten(1).any(1)
        assert set(changed.nonzero().squeeze(1).tolist()) <= set(setting.marks.tolist())
        assert len(setting.marks) == 16

    def test_a_model_is_the_same_whenever_it_is_asked_for(self, lab: Any) -> None:
        models = [Setting(Corpus(lab, "waves"), "mosaic", 1).plain_thief() for _ in range(2)]
        first, second = (model.state_dict() for model in models)
        assert all(torch.equal(first[name], second[name]) for name in first)

    def test_the_pool_is_what_the_surrogate_is_least_sure_of(self) -> None:
        class Sure:
            def predict(self, images: torch.Tensor) -> torch.Tensor:
                p = torch.tensor([0.99, 0.5, 0.6, 0.5, 1.0])
                return torch.stack([p, 1 - p], 1)

        rows = hardest(Sure(), torch.zeros(5, 1, 4, 4), 3)  # type: ignore[arg-type]
        assert rows.tolist() == [1, 2, 3]

    def test_merged_and_missing_classes(self, lab: Any) -> None:
        class Fixed:
            def predict(self, images: torch.Tensor) -> torch.Tensor:
                return torch.tensor([[0.4, 0.25, 0.35]]).repeat(len(images), 1)

        corpus = Corpus(lab, "waves")
        merged = Merged(Fixed(), [[0], [1, 2]])  # type: ignore[arg-type]
        ((labels, scores),) = merged.answers(corpus.test.samples[:1])
        assert labels == [1, 0]
        assert scores == pytest.approx([0.6, 0.4])
        assert accuracy(merged, corpus.test) == pytest.approx(2 / 3)
        half = Merged(Fixed(), [[0], [1]])  # type: ignore[arg-type]
        assert accuracy(half, corpus.test) == pytest.approx(1 / 2)

"""``datadeed defend``: what it prints, writes and exits with."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from datadeed.cli import main
from datadeed.datasets.form.dataset import Dataset
from datadeed.models.classifier import Classifier
from datadeed.models.stored import load_model, save_model
from datadeed.owner.defend import METHODS
from datadeed.thieves.repair.choice import Watcher


@pytest.fixture
def world(
    tiny_model: Callable[..., Classifier],
    toy_dataset: Callable[..., Dataset],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A model, untrained, and a folder of images a class."""
    save_model(tiny_model(), tmp_path / "model", {})
    data = toy_dataset(36)
    for row, label in enumerate(data.labels.tolist()):
        place = tmp_path / "trusted" / data.classes[label] / f"{row}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(data.samples[row].permute(1, 2, 0).numpy()).save(place)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_repaired_model_is_written(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["defend", "model", "--trusted", "trusted", "--out", "out", "--repair", "fine-tuning"]
    assert main([*words, "--budget", "1"]) == 0
    out = capsys.readouterr().out
    assert [line.split("  ")[0] for line in out.splitlines()] == [
        "calibrated-inversion",
        "neural-cleanse",
        "accuracy before",
        "accuracy after",
        "written",
    ]
    assert "of 9 held-out images" in out
    assert load_model(world / "out").config["classes"] == 3


def test_json_and_a_model_that_stays(
    world: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["defend", "model", "--trusted", "trusted", "--out", "out", "--no-detect", "--json"]
    monkeypatch.setattr(Watcher, "__call__", lambda self, step, model: None)  # nothing will do
    assert main([*words, "--budget", "0.05"]) == 3
    out, err = capsys.readouterr()
    assert "note: one of 9 held-out images is more than the budget" in err
    found = json.loads(out)
    assert found["repaired"] is False
    assert found["out"] is None
    assert not (world / "out").exists()


def test_one_line_for_what_is_wrong(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["defend", "model", "--trusted", "trusted", "--out", "out"]
    assert main([*words, "--repair", "magic"]) == 1
    assert main(["defend", "nothing", *words[2:]]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("error: unknown repair 'magic': choose unlearning")
    assert all(name in lines[0] for name in METHODS)
    assert lines[1] == "error: nothing is not a file: check path"

"""``datadeed defend``: what it prints, writes and exits with."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from datadeed.cli.main import main
from datadeed.datasets.form.dataset import Dataset
from datadeed.models.classifier import Classifier
from datadeed.models.stored import load_model, save_model
from datadeed.thieves.repair import registry


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
    out, err = capsys.readouterr()
    assert [line.split("  ")[0] for line in out.splitlines()] == [
        "calibrated-inversion",
        "neural-cleanse",
        "accuracy before",
        "accuracy after",
        "written",
    ]
    assert "of 9 held-out images" in out
    assert "note: the model gets" in err
    assert load_model(world / "out").config["classes"] == 3


def test_json_and_a_model_that_stays(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["defend", "model", "--trusted", "trusted", "--out", "out", "--no-detect", "--json"]
    assert main([*words, "--budget", "-1"]) == 3  # no state gains that much
    found = json.loads(capsys.readouterr().out)
    assert found["repaired"] is False
    assert found["out"] is None
    assert not (world / "out").exists()


def test_one_line_for_what_is_wrong(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["defend", "model", "--trusted", "trusted", "--out", "out"]
    assert main([*words, "--repair", "magic"]) == 1
    assert main(["defend", "nothing", *words[2:]]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("error: unknown repair 'magic': choose fine-tuning")
    assert all(name in lines[0] for name in registry.REPAIRS)
    assert lines[1] == "error: nothing is not a file: check path"

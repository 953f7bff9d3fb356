"""``datadeed leak``: what it prints and exits with."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from datadeed.cli import main
from datadeed.models.classifier import Classifier
from datadeed.models.stored import save_model

QUICK = ["--iterations", "2", "--per-class", "1"]


@pytest.fixture
def world(
    tiny_model: Callable[..., Classifier], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model and an evaluator, both untrained."""
    for seed, name in enumerate(("model", "judge")):
        save_model(tiny_model(seed), tmp_path / name, {})
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("world")
class TestLeak:
    """As a user would call it."""

    def test_figures_and_a_page(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["leak", "model", "--evaluator", "judge", "--out", "out", *QUICK]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "model"
        assert [line.strip().split("  ")[0] for line in lines[1:5]] == [
            "recognised",
            "recognised, of the fifth with most activation",
            "its models agree",
            "distance of two pictures of a class",
        ]
        assert Path(lines[-1]).is_file()

    def test_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        words = ["leak", "model", "--evaluator", "judge", "--out", "out", "--json", *QUICK]
        assert main([*words, "--classes", "a", "b", "c"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["classes"] == ["a", "b", "c"]
        assert 0 <= found["models"]["model"]["accuracy"] <= 1

    def test_one_line_for_what_is_wrong(self, capsys: pytest.CaptureFixture[str]) -> None:
        words = ["--evaluator", "judge", "--out", "out"]
        assert main(["leak", "model.onnx", *words]) == 1
        assert main(["leak", "model", "--network", "resnet18", *words]) == 1
        assert main(["leak", "model", *words, "--iterations", "0"]) == 1
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 3
        assert lines[0].startswith("error: model.onnx: inversion needs gradients")
        assert lines[1].startswith("error: --network needs --shape")
        assert lines[2].startswith("error: inversion: iterations")

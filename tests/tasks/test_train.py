import csv
import json
import sys

import pytest
import torch

from datadeed.models.stored import load_model
from tasks import mark, train


def run(monkeypatch, *values):
    monkeypatch.setattr(sys, "argv", ["train", *(values or ("toy", "resnet18", "none", "1"))])
    train.main()


def test_a_model_its_record_and_its_history_appear(workspace, monkeypatch, capsys):
    workspace.parameters["models"]["toy"]["resnet18"]["training"]["epochs"] = 2
    workspace.write()
    monkeypatch.setenv("DATADEED_PROGRESS", str(workspace.root / "status.json"))
    run(monkeypatch)
    out = workspace.root / "data/models/toy-resnet18-none-1"
    assert sorted(p.name for p in out.iterdir()) == [
        "history.csv",
        "model.json",
        "model.safetensors",
    ]
    record = json.loads((out / "model.json").read_text())
    with (out / "history.csv").open() as file:
        history = list(csv.DictReader(file))
    assert [row["epoch"] for row in history] == ["1", "2"]
    assert record["last_epoch"]["epoch"] == 2
    assert float(history[-1]["test_accuracy"]) == record["last_epoch"]["test_accuracy"]
    assert record["classes"] == ["class 0", "class 1", "class 2"]
    assert record["seed"] == [5, "train", "toy", "resnet18", "none", 1]
    assert record["training"]["epochs"] == 2
    assert record["config"]["shape"] == [3, 8, 8]
    assert load_model(out).config == record["config"]
    assert json.loads((workspace.root / "status.json").read_text())["fraction"] == 1
    assert list((workspace.root / "data/checkpoints").iterdir()) == []
    assert "toy-resnet18-none-1: test accuracy" in capsys.readouterr().out
    assert torch.get_num_threads() == 1


def test_each_seed_and_each_training_set_gives_its_own_model(workspace, monkeypatch):
    mark.mark("dvbw", "toy", "badnets-line")
    files = set()
    for values in (("none", "1"), ("none", "2"), ("badnets-line", "1")):
        run(monkeypatch, "toy", "resnet18", *values)
        name = "-".join(("toy-resnet18", *values))
        files.add((workspace.root / f"data/models/{name}/model.safetensors").read_bytes())
    assert len(files) == 3


def test_the_same_run_gives_the_same_bytes(workspace, monkeypatch):
    path = workspace.root / "data/models/toy-resnet18-none-1/model.safetensors"
    run(monkeypatch)
    first = path.read_bytes()
    path.unlink()
    run(monkeypatch)
    assert path.read_bytes() == first


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (("none", "resnet18", "none", "1"), r"none/train\.parquet does not exist"),
        (("toy", "vgg", "none", "1"), "has no entry 'models.toy.vgg'"),
        (("toy", "resnet18", "warp", "1"), r"toy-warp/train\.parquet does not exist"),
    ],
)
def test_what_is_missing_is_one_line(workspace, monkeypatch, values, words):
    with pytest.raises(SystemExit, match=rf"^error: .*{words}") as caught:
        run(monkeypatch, *values)
    assert "\n" not in str(caught.value)
    assert not (workspace.root / "data/models").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"training": {"epochs": 1, "speed": 3}}, "training parameters: .*'speed'"),
        ({"training": {"epochs": 0, "lr": 1}}, "epochs 0"),
        ({"network": "resnet999"}, "unknown network 'resnet999'"),
        ({"mean": [0.5]}, "mean and std need 3 values"),
    ],
)
def test_an_entry_that_makes_no_sense_is_one_line(workspace, monkeypatch, change, words):
    workspace.parameters["models"]["toy"]["resnet18"] |= change
    workspace.write()
    with pytest.raises(SystemExit, match=rf"^error: .*{words}"):
        run(monkeypatch)


def test_another_device_can_be_asked_for(workspace, monkeypatch):
    monkeypatch.setenv("DATADEED_DEVICE", "abacus")
    with pytest.raises(SystemExit, match=r"^error: unknown device 'abacus'"):
        run(monkeypatch)

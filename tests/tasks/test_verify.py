import json
import sys

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import torch

from datadeed.datasets.form.parquet import read_dataset
from datadeed.models.classifier import Classifier
from datadeed.models.stored import load_model
from datadeed.verification.answers import Answers
from datadeed.verification.dvbw import SCENARIOS
from tasks import mark, train, verify


@pytest.fixture
def ready(workspace):
    """A watermarked set, a model trained on it and a benign one."""
    mark.mark("dvbw", "toy", "badnets-line")
    train.run("toy", "resnet18", "badnets-line", 1)
    train.run("toy", "resnet18", "none", 1)
    return workspace


def run(monkeypatch, *values):
    argv = ["verify", *(values or ("toy", "resnet18", "badnets-line", "1"))]
    monkeypatch.setattr(sys, "argv", argv)
    verify.main()


def test_the_evidence_follows_from_the_queries(ready, monkeypatch):
    run(monkeypatch)
    out = ready.root / "data/evidence/toy-resnet18-badnets-line-1"
    assert sorted(p.name for p in out.iterdir()) == ["evidence.json", "queries.parquet"]
    evidence = json.loads((out / "evidence.json").read_text())
    assert (evidence["target"], evidence["independent_trigger"]) == (1, "badnets-cross")
    assert list(evidence["scenarios"]) == sorted(SCENARIOS)
    table = pq.read_table(out / "queries.parquet")
    test = read_dataset(ready.root / "data/datasets/toy/test.parquet")
    models = {
        "steal": "badnets-line",
        "independent-trigger": "badnets-line",
        "independent-model": "none",
    }
    for scenario, found in evidence["scenarios"].items():
        rows = Answers.from_table(table.filter(pc.equal(table["scenario"], scenario)), 1)
        assert len(rows) == 45
        assert found["rates"]["benign_accuracy"]["n"] == 45
        hits = int(((rows.triggered_prediction == 1) & (rows.label != 1)).sum())
        assert found["rates"]["watermark_success"]["hits"] == hits
        assert found["probability"]["n"] == found["label_only"]["n"] == 10
        model = load_model(ready.root / f"data/models/toy-resnet18-{models[scenario]}-1")
        clean = model.predict(test.samples).double()
        assert rows.clean_probability == pytest.approx(clean[:, 1].numpy())
        images = test.samples.clone()
        if scenario == "independent-trigger":
            images[:, :, 5:, 5:] = torch.tensor([[255, 0, 255], [0, 0, 0], [255, 0, 255]])
        else:
            images[:, :, 0] = 255
        triggered = model.predict(images).double()
        assert rows.triggered_probability == pytest.approx(triggered[:, 1].numpy())


def test_the_same_run_gives_the_same_bytes(ready, monkeypatch):
    out = ready.root / "data/evidence/toy-resnet18-badnets-line-1"
    run(monkeypatch)
    first = {p.name: p.read_bytes() for p in out.iterdir()}
    run(monkeypatch)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == first


def test_clean_samples_are_asked_once_a_model(ready, monkeypatch):
    asked = []
    original = Classifier.predict

    def spy(self, images, **values):
        asked.append(len(images))
        return original(self, images, **values)

    monkeypatch.setattr(Classifier, "predict", spy)
    run(monkeypatch)
    assert asked == [45] * 5  # steal 2, other trigger 1, other model 2


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("data/watermarked/toy-badnets-line/key.json", r"key\.json does not exist"),
        ("data/models/toy-resnet18-none-1/model.json", "does not describe a model"),
        ("data/models/toy-resnet18-none-1/model.safetensors", "does not hold the resnet18"),
        ("data/datasets/toy/test.parquet", r"test\.parquet does not exist"),
    ],
)
def test_a_missing_file_is_one_line(ready, monkeypatch, missing, words):
    (ready.root / missing).unlink()
    with pytest.raises(SystemExit, match=rf"^error: .*{words}") as caught:
        run(monkeypatch)
    assert "\n" not in str(caught.value)
    assert not (ready.root / "data/evidence").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"first_classes": {}}, "has no entry 'first_classes.toy'"),
        ({"verification": {"m": 31}}, "31 benign samples were asked for, but only 30 qualify"),
        ({"watermarks": {}}, "has no entry 'watermarks.badnets-line'"),
    ],
)
def test_an_entry_that_makes_no_sense_is_one_line(ready, monkeypatch, change, words):
    ready.paper |= change
    ready.write()
    with pytest.raises(SystemExit, match=rf"^error: .*{words}"):
        run(monkeypatch)


def test_an_altered_key_is_refused(ready, monkeypatch):
    path = ready.root / "data/watermarked/toy-badnets-line/key.json"
    key = json.loads(path.read_text())
    key["watermark"]["pattern"]["rows"] = 2
    path.write_text(json.dumps(key))
    with pytest.raises(SystemExit, match=r"^error: the record's trigger is not the one"):
        run(monkeypatch)

import json
import sys

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import torch

from datadeed.datasets.form.parquet import read_dataset
from datadeed.models.classifier import Classifier
from datadeed.models.stored import load_model, save_model
from datadeed.verification.answers import Answers
from datadeed.verification.ubw import SCENARIOS, rates
from datadeed.watermarks.registry import watermark_from_record
from tasks import mark, measure

RECORD = {"form", "paper", "dataset", "network", "watermark", "seed", "method", "target", "classes"}
RECORD |= {"marked", "rows", "largest_change", "models", "histogram"}


@pytest.fixture
def ready(ubw_project, tiny_model):
    """Released sets of three kinds; a "trained" victim of each is a network with other weights."""
    for name in ("badnets-square", "ubw-p"):
        mark.mark("ubw", "toy", name)
    mark.mark("ubw", "toy", "ubw-c")
    for seed, name in enumerate(("badnets-square", "ubw-p", "ubw-c"), 5):
        save_model(tiny_model(seed), ubw_project.root / f"data/models/toy-resnet18-{name}-1", {})
    return ubw_project


def run(monkeypatch, watermark):
    monkeypatch.setattr(sys, "argv", ["measure", "toy", "resnet18", watermark, "1"])
    measure.main()


def read(project, watermark):
    out = project.root / f"data/evidence/toy-resnet18-{watermark}-1"
    assert sorted(path.name for path in out.iterdir()) == ["evidence.json", "queries.parquet"]
    table = pq.read_table(out / "queries.parquet")
    evidence = json.loads((out / "evidence.json").read_text())
    answers = {
        asked: Answers.from_table(table.filter(pc.equal(table["asked"], asked)), evidence["target"])
        for asked in table["asked"].unique().to_pylist()
    }
    return evidence, answers


@pytest.mark.parametrize(
    ("name", "target", "others"),
    [
        ("badnets-square", 1, set()),
        ("ubw-p", None, {"independent-trigger"}),
        ("ubw-c", None, {"independent-trigger", "last-surrogate"}),
    ],
)
def test_the_evidence_follows_from_the_queries(ready, monkeypatch, name, target, others):
    run(monkeypatch, name)
    evidence, answers = read(ready, name)
    untargeted = {"verification"} if target is None else set()
    assert set(evidence) == RECORD | untargeted
    assert (evidence["target"], evidence["marked"], evidence["rows"]) == (target, 15, 60)
    assert (evidence["form"], evidence["paper"], evidence["classes"]) == (1, "ubw", 3)
    assert evidence["method"] == name.removesuffix("-square")
    assert set(answers) == {"victim", "benign"} | others
    assert set(evidence["models"]) == set(answers) - {"independent-trigger"}
    for part, found in evidence["models"].items():
        assert found == rates(answers[part])
        assert found["ba"]["n"] == found["all"]["d_p"]["n"] == 45
        assert found["class_0"]["d_p"]["n"] == 15
    for part, counts in evidence["histogram"].items():
        of_class_0 = answers[part].triggered_prediction[answers[part].label == 0]
        assert counts == [int((of_class_0 == label).sum()) for label in range(3)]


def test_models_and_triggers_are_the_right_ones(ready, monkeypatch):
    run(monkeypatch, "ubw-c")
    _, answers = read(ready, "ubw-c")
    test = read_dataset(ready.root / "data/datasets/toy/test.parquet")
    folder = ready.root / "data/watermarked/toy-ubw-c"
    watermark = watermark_from_record(json.loads((folder / "key.json").read_text())["watermark"])
    folders = {
        "victim": ready.root / "data/models/toy-resnet18-ubw-c-1",
        "benign": ready.root / "data/models/toy-resnet18-none-1",
        "last-surrogate": folder / "last-surrogate",
    }
    rows = np.arange(45)
    for part, path in folders.items():
        model = load_model(path)
        for images, probability in (
            (test.samples, answers[part].clean_probability),
            (watermark.trigger(test), answers[part].triggered_probability),
        ):
            expected = model.predict(images).double().numpy()[rows, test.labels.numpy()]
            assert probability == pytest.approx(expected)
    other, victim = answers["independent-trigger"], answers["victim"]
    assert np.array_equal(other.clean_probability, victim.clean_probability)
    assert not np.array_equal(other.triggered_probability, victim.triggered_probability)


def test_three_scenarios_are_tested_beside_decoys(ready, monkeypatch):
    run(monkeypatch, "ubw-p")
    evidence, answers = read(ready, "ubw-p")
    assert set(evidence["verification"]) == set(SCENARIOS)
    asked = {"malicious": "victim", "independent-model": "benign"}
    asked |= {"independent-trigger": "independent-trigger"}
    for scenario, found in evidence["verification"].items():
        given = answers[asked[scenario]]
        wrong = given.triggered_prediction != given.label
        assert (found["n"], found["tau"], found["decoys"]["count"]) == (10, 0.25, 9)
        assert 0 <= found["decoys"]["failures"] <= wrong.sum()
        assert found["decoys"]["rank_p"] >= 0.1


def test_decoys_are_counted_on_the_samples_asked_about(tiny_model, toy_dataset):
    model, test = tiny_model(), toy_dataset(12)
    triggers = [lambda rows: rows.samples, lambda rows: rows.samples * 0]
    asked = np.zeros(12, dtype=bool)
    asked[[1, 4, 5, 9]] = True
    wrong = model.predict(test.samples).argmax(1) != test.labels
    dark = model.predict(test.samples * 0).argmax(1) != test.labels
    found = measure.failures(model, triggers, test)(asked)
    rows = torch.from_numpy(asked)
    assert found.tolist() == [int(wrong[rows].sum()), int(dark[rows].sum())]


def test_the_same_run_gives_the_same_bytes(ready, monkeypatch):
    out = ready.root / "data/evidence/toy-resnet18-ubw-p-1"
    run(monkeypatch, "ubw-p")
    first = {path.name: path.read_bytes() for path in out.iterdir()}
    run(monkeypatch, "ubw-p")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == first


def test_all_triggers_of_a_scenario_are_asked(ready, monkeypatch):
    asked = []
    original = Classifier.predict

    def spy(self, images, **values):
        asked.append(len(images))
        return original(self, images, **values)

    monkeypatch.setattr(Classifier, "predict", spy)
    run(monkeypatch, "ubw-p")
    assert asked == [45] * 5 + [10] * 27  # two models twice, one other trigger; nine decoys thrice


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("data/watermarked/toy-ubw-p/key.json", r"key\.json does not exist"),
        ("data/models/toy-resnet18-none-1/model.json", "does not describe a model"),
        ("data/datasets/toy/test.parquet", r"test\.parquet does not exist"),
    ],
)
def test_a_missing_file_is_one_line(ready, monkeypatch, missing, words):
    (ready.root / missing).unlink()
    with pytest.raises(SystemExit, match=rf"^error: .*{words}") as caught:
        run(monkeypatch, "ubw-p")
    assert "\n" not in str(caught.value)
    assert not (ready.root / "data/evidence").exists()

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from datadeed.datasets.form.parquet import read_dataset
from datadeed.errors import DatadeedError
from datadeed.files import read_json
from datadeed.models.classifier import Classifier
from datadeed.models.stored import load_model, save_model
from datadeed.randomness import derive_seed
from datadeed.verification.ubw import rates
from datadeed.watermarks.registry import watermark_from_record
from papers.base import Case
from papers.ubw.judge import first_answers
from papers.ubw.names import SCENARIOS
from tasks import ask, judge, mark
from tasks.lab import Lab


@pytest.fixture
def ready(ubw_project, tiny_model):
    """Released sets of three kinds; a "trained" victim of each is a network with other weights."""
    for seed, name in enumerate(("badnets-square", "ubw-p", "ubw-c"), 5):
        mark.mark("ubw", "toy", name)
        save_model(tiny_model(seed), ubw_project.root / f"data/models/toy-resnet18-{name}-1", {})
    return ubw_project


def case(watermark):
    return Case("toy", "resnet18", watermark, 1)


def run(project, watermark):
    """Ask and judge; gives the rows, the answers to all test images, and those to decoys."""
    ask.run("ubw", case(watermark))
    judge.run("ubw", case(watermark))
    rows = pd.read_csv(project.root / f"data/cells/ubw/{case(watermark)}.csv")
    table = pq.read_table(project.root / f"data/answers/{case(watermark)}.parquet")
    target = 1 if watermark == "badnets-square" else None
    decoys = table.to_pandas().dropna(subset="decoy")
    return rows, first_answers(table, target), decoys


def value(rows, scenario, metric, column="value"):
    (found,) = rows[(rows.scenario == scenario) & (rows.metric == metric)][column]
    return found


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("badnets-square", set()),
        ("ubw-p", {"independent-trigger"}),
        ("ubw-c", {"independent-trigger", "last-surrogate", "benign-retraining"}),
    ],
)
def test_the_rows_follow_from_the_answers(ready, name, others):
    rows, answers, decoys = run(ready, name)
    assert set(answers) == {"victim", "benign"} | others
    models = set(answers) - {"independent-trigger"}
    tested = set() if name == "badnets-square" else set(SCENARIOS)
    assert set(rows.scenario) == models | tested
    assert set(decoys.asked) == ({"victim", "benign"} if tested else set())
    assert set(rows.table.dropna()) == {"badnets-square": {4}, "ubw-p": {4, 6}}.get(name, {4, 7})
    for part in models:
        found = rates(answers[part])
        assert value(rows, part, "asr_a") == found["all"]["asr_a"]["value"]
        clean = answers[part].clean_prediction[answers[part].label == 0]
        assert value(rows, part, "asr_a_clean_class_0") == pytest.approx(
            (clean == 1).mean() if name == "badnets-square" else (clean != 0).mean()
        )
        assert value(rows, part, "d_p_uniform_class_0") == found["class_0"]["d_p"]["uniform"]
        assert value(rows, part, "d_p", "n") == 45
        assert value(rows, part, "d_p_class_0", "n") == 15
        of_class_0 = answers[part].triggered_prediction[answers[part].label == 0]
        for label in range(3):
            assert value(rows, part, f"answered_{label}") == (of_class_0 == label).sum()
            assert value(rows, part, f"answered_{label}", "n") == 15
    assert value(rows, "victim", "ba", "n") == 45
    honest = rows[rows.watermark == "none"]  # told with the first watermark alone
    assert list(honest.metric) == (["ba"] if name == "badnets-square" else [])
    key = read_json(ready.root / f"data/watermarked/toy-{name}/key.json")
    assert (key["marked"], len(Lab("ubw").train("toy", name))) == (15, 60)


def test_models_and_triggers_are_the_right_ones(ready):
    _, answers, _ = run(ready, "ubw-c")
    test = read_dataset(ready.root / "data/datasets/toy/test.parquet")
    folder = ready.root / "data/watermarked/toy-ubw-c"
    watermark = watermark_from_record(read_json(folder / "key.json")["watermark"])
    folders = {
        "victim": ready.root / "data/models/toy-resnet18-ubw-c-1",
        "benign": ready.root / "data/models/toy-resnet18-none-1",
        "last-surrogate": folder / "last-surrogate",
        "benign-retraining": ready.root / "data/models/toy-retraining-none-0",
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


def test_three_scenarios_are_tested_beside_decoys(ready):
    rows, answers, decoys = run(ready, "ubw-p")
    for scenario, (asked, _) in SCENARIOS.items():
        given = answers[asked]
        wrong = given.triggered_prediction != given.label
        assert value(rows, scenario, "failures", "n") == 10
        assert value(rows, scenario, "p_rank", "n") == decoys.decoy.nunique() == 9
        assert 0 <= value(rows, scenario, "failures") <= wrong.sum()
        assert value(rows, scenario, "p_rank") >= 0.1
        assert value(rows, scenario, "verdict") in (0, 1, 2)


def test_decoys_are_asked_on_the_samples_asked_about(ready):
    _, answers, decoys = run(ready, "ubw-p")
    lab = Lab("ubw")
    watermark, test = lab.watermark("toy", "ubw-p"), lab.test("toy")
    triggers = watermark.decoys(9, derive_seed(lab.seed, "decoys", "toy", "ubw-p"))
    for part, name in (("victim", "ubw-p"), ("benign", "none")):
        mine, correct = decoys[decoys.asked == part], answers[part]
        assert (mine.clean_prediction == mine.label).all()
        assert set(mine["index"]) <= set(correct.index[correct.clean_prediction == correct.label])
        for number, its in mine.groupby("decoy"):
            rows = np.flatnonzero(np.isin(test.index.numpy(), its["index"]))
            samples = test.take(torch.from_numpy(rows))
            found = lab.model(case(name)).predict(triggers[int(number)](samples)).argmax(1)
            assert its.triggered_prediction.tolist() == found.tolist()
            assert len(its) == 10


def test_the_same_run_gives_the_same_bytes(ready):
    paths = [ready.root / f"data/{kind}" for kind in ("answers", "cells/ubw")]
    run(ready, "ubw-p")
    first = {file: file.read_bytes() for path in paths for file in path.iterdir()}
    run(ready, "ubw-p")
    assert {file: file.read_bytes() for path in paths for file in path.iterdir()} == first
    assert len(first) == 2


def test_all_triggers_are_asked_once(ready, monkeypatch):
    asked = []
    original = Classifier.predict

    def spy(self, images, **values):
        asked.append(len(images))
        return original(self, images, **values)

    monkeypatch.setattr(Classifier, "predict", spy)
    ask.run("ubw", case("ubw-p"))
    assert asked == [45] * 5 + [10] * 18  # two models twice, one other trigger; nine decoys twice
    judge.run("ubw", case("ubw-p"))
    assert len(asked) == 23  # who judges asks nobody


def test_answers_to_decoys_on_other_samples_are_refused(ready):
    run(ready, "ubw-p")
    ready.parameters["seed"] += 1
    ready.write()
    with pytest.raises(DatadeedError, match=r"the decoys' answers are about other samples"):
        judge.run("ubw", case("ubw-p"))


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("data/watermarked/toy-ubw-p/key.json", r"key\.json does not exist"),
        ("data/models/toy-resnet18-none-1/model.json", "does not describe a model"),
        ("data/datasets/toy/test.parquet", r"test\.parquet does not exist"),
    ],
)
def test_a_missing_file_is_one_line(ready, missing, words):
    (ready.root / missing).unlink()
    with pytest.raises(DatadeedError, match=words) as caught:
        ask.run("ubw", case("ubw-p"))
    assert "\n" not in str(caught.value)
    assert not (ready.root / "data/answers").exists()

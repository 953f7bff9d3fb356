"""DVBW's questions and its judgement, by the stages themselves, on a toy."""

import json
import sys

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import torch

from datadeed.datasets.form.parquet import read_dataset
from datadeed.models.classifier import Classifier
from datadeed.models.stored import load_model
from datadeed.randomness import derive_seed
from datadeed.reports.cells import read_csv
from datadeed.verification.answers import Answers
from datadeed.verification.dvbw import SCENARIOS, Settings, verify_dvbw
from datadeed.verification.verdict import WORDS
from tasks import ask, judge, mark, train

CELL = "toy-resnet18-badnets-line-1"


@pytest.fixture
def ready(workspace):
    """A watermarked set, a model trained on it and a benign one."""
    mark.mark("dvbw", "toy", "badnets-line")
    train.run("toy", "resnet18", "badnets-line", 1)
    train.run("toy", "resnet18", "none", 1)
    return workspace


def run(monkeypatch, *stages):
    for module in stages:
        monkeypatch.setattr(sys, "argv", ["stage", "dvbw", "toy", "resnet18", "badnets-line", "1"])
        module.main()


def answers(project):
    table = pq.read_table(project.root / f"data/answers/{CELL}.parquet")
    return {
        scenario: Answers.from_table(table.filter(pc.equal(table["scenario"], scenario)), 1)
        for scenario in SCENARIOS
    }


def test_every_scenario_is_the_right_model_under_the_right_trigger(ready, monkeypatch):
    run(monkeypatch, ask)
    test = read_dataset(ready.root / "data/datasets/toy/test.parquet")
    names = dict(zip(SCENARIOS, ("badnets-line", "badnets-line", "none"), strict=True))
    for scenario, rows in answers(ready).items():
        assert len(rows) == 45
        model = load_model(ready.root / f"data/models/toy-resnet18-{names[scenario]}-1")
        clean = model.predict(test.samples).double()
        assert rows.clean_probability == pytest.approx(clean[:, 1].numpy())
        images = test.samples.clone()
        if scenario == "independent-trigger":
            images[:, :, 5:, 5:] = torch.tensor([[255, 0, 255], [0, 0, 0], [255, 0, 255]])
        else:
            images[:, :, 0] = 255
        triggered = model.predict(images).double()
        assert rows.triggered_probability == pytest.approx(triggered[:, 1].numpy())


def test_the_rows_follow_from_the_answers(ready, monkeypatch):
    run(monkeypatch, ask, judge)
    cells = read_csv(ready.root / f"data/cells/dvbw/{CELL}.csv")
    assert set(cells["stage"]) == {f"papers/dvbw/dvc.yaml:judge@{CELL}"}
    assert (set(cells["scale"]), set(cells["paper"])) == ({"toy"}, {"dvbw"})
    settings = Settings(m=10, first_classes=1, renumberings=20)
    for scenario, rows in answers(ready).items():
        seed = derive_seed(5, "verify", "toy", "resnet18", "badnets-line", 1)
        rng = np.random.default_rng(seed)
        found = verify_dvbw(rows, classes=3, settings=settings, rng=rng)
        mine = cells[cells["scenario"] == scenario]
        values = {
            (row.table, row.metric): (row.value, row.n)
            for row in mine.astype({"table": "object"}).fillna({"table": 0}).itertuples()
        }
        success = found["rates"]["watermark_success"]
        hits = int(((rows.triggered_prediction == 1) & (rows.label != 1)).sum())
        assert (success["hits"], success["n"]) == (hits, 30)
        assert values[1, "wsr"] == (success["value"], 30)
        assert ((1, "ba") in values) == (scenario != "independent-trigger")
        assert values[2, "p_published"] == (found["probability"]["p_published"], 10)
        assert values[3, "p_binomial"] == (found["label_only"]["binomial"]["p_value"], 10)
        renumbered = found["label_only"]["value_released_renumbered"]["median"]
        assert values[3, "value_released_renumbered_median"] == (renumbered, 10)
        verdict = found["verdict"]
        assert WORDS[int(values[0, "verdict"][0])] == verdict["word"]
        assert values[0, "p_exact"] == (verdict["p_value"], 10)
        assert values[0, "hits"] == (verdict["hit_rate"]["hits"], 10)


def test_the_same_run_gives_the_same_bytes(ready, monkeypatch):
    names = (f"answers/{CELL}.parquet", f"cells/dvbw/{CELL}.csv")
    files = [ready.root / "data" / name for name in names]
    run(monkeypatch, ask, judge)
    first = [path.read_bytes() for path in files]
    run(monkeypatch, ask, judge)
    assert [path.read_bytes() for path in files] == first


def test_clean_samples_are_asked_once_a_model(ready, monkeypatch):
    asked = []
    original = Classifier.predict

    def spy(self, images, **values):
        asked.append(len(images))
        return original(self, images, **values)

    monkeypatch.setattr(Classifier, "predict", spy)
    run(monkeypatch, ask, judge)
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
        run(monkeypatch, ask)
    assert "\n" not in str(caught.value)
    assert not (ready.root / "data/answers").exists()


def test_missing_or_damaged_answers_are_one_line(ready, monkeypatch):
    with pytest.raises(SystemExit, match=r"^error: .*parquet does not exist"):
        run(monkeypatch, judge)
    (ready.root / "data/answers").mkdir()
    (ready.root / f"data/answers/{CELL}.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(SystemExit, match=r"^error: .*parquet holds no answers") as caught:
        run(monkeypatch, judge)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"first_classes": {}}, "has no entry 'first_classes.toy'"),
        ({"verification": {"m": 31}}, "31 benign samples were asked for, but only 30 qualify"),
        ({"watermarks": {}}, "has no entry 'watermarks.badnets-cross'"),
        ({"independent_triggers": {}}, "has no entry 'independent_triggers.badnets-line'"),
    ],
)
def test_an_entry_that_makes_no_sense_is_one_line(ready, monkeypatch, change, words):
    ready.paper |= change
    ready.write()
    with pytest.raises(SystemExit, match=rf"^error: .*{words}"):
        run(monkeypatch, ask, judge)
    assert not (ready.root / "data/cells").exists()


def test_an_altered_key_is_refused(ready, monkeypatch):
    path = ready.root / "data/watermarked/toy-badnets-line/key.json"
    key = json.loads(path.read_text())
    key["watermark"]["pattern"]["rows"] = 2
    path.write_text(json.dumps(key))
    with pytest.raises(SystemExit, match=r"^error: the record's trigger is not the one"):
        run(monkeypatch, ask)


def test_a_paper_that_is_none_is_one_line(ready, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["ask", "no-paper", "toy", "resnet18", "badnets-line", "1"])
    with pytest.raises(SystemExit, match=r"^error: papers/no-paper/ask\.py does not exist"):
        ask.main()

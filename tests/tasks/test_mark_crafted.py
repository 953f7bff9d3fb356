import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

from datadeed.datasets.form.parquet import read_dataset
from datadeed.errors import ParameterError
from datadeed.models.stored import load_model
from datadeed.watermarks.registry import watermark_from_record
from tasks import mark
from tasks.progress import Progress

MATCHED = ["craft.json", "key.json", "last-surrogate", "marks.parquet", "train.parquet"]


def run(monkeypatch, watermark, dataset="toy"):
    monkeypatch.setattr(sys, "argv", ["mark", "ubw", dataset, watermark])
    mark.main()


def contents(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize(
    ("name", "epsilon", "classes"),
    [
        ("label-consistent", 8, {1}),
        ("sleeper-agent", 16, {1}),
        ("ubw-c", 16, {0, 1, 2}),
    ],
)
def test_labels_stay_and_the_bound_holds(ubw_project, monkeypatch, name, epsilon, classes):
    run(monkeypatch, name)
    out = ubw_project.root / f"data/watermarked/toy-{name}"
    files = [file for file in MATCHED if name != "label-consistent" or file != "last-surrogate"]
    assert sorted(path.name for path in out.iterdir()) == files
    data = read_dataset(ubw_project.root / "data/datasets/toy/train.parquet")
    released = read_dataset(out / "train.parquet")
    key, made = (json.loads((out / file).read_text()) for file in ("key.json", "craft.json"))
    watermark = watermark_from_record(key["watermark"])
    rows = torch.tensor(pq.read_table(out / "marks.parquet")["position"].to_pylist())
    assert len(rows) == key["marked"] == int(60 * watermark.rate)
    assert torch.equal(released.labels, data.labels)
    assert set(data.labels[rows].tolist()) <= classes
    assert made["classes"] == torch.bincount(data.labels[rows], minlength=3).tolist()
    plain = data.samples
    if name == "label-consistent":  # its corners are part of the released samples
        plain = watermark.trigger(data)
        assert torch.equal(watermark.trigger(released)[rows], released.samples[rows])
    change = (released.samples.int() - plain.int()).abs()[rows].amax((1, 2, 3))
    assert change.min() > 0
    assert made["largest_change"] == int(change.max()) <= epsilon == made["epsilon"]
    others = torch.ones(60, dtype=torch.bool)
    others[rows] = False
    assert torch.equal(released.samples[others], data.samples[others])
    assert len(made["losses"]) == (0 if name == "label-consistent" else 4)
    assert list((ubw_project.root / "data/checkpoints").glob("*")) == []


def test_the_last_surrogate_can_be_asked(ubw_project, monkeypatch):
    run(monkeypatch, "ubw-c")
    folder = ubw_project.root / "data/watermarked/toy-ubw-c/last-surrogate"
    test = read_dataset(ubw_project.root / "data/datasets/toy/test.parquet")
    assert load_model(folder).predict(test.samples).shape == (45, 3)
    assert json.loads((folder / "model.json").read_text())["training"]["epochs"] == 1


def test_surrogates_that_are_moved_otherwise_are_refused(ubw_project, monkeypatch):
    """Crafting imitates one augmentation, of the surrogate and of its retraining alike."""
    path = ubw_project.root / "data/models/toy-surrogate-none-0/model.json"
    retraining = ubw_project.parameters["models"]["toy"]["retraining"]["training"]
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"training": retraining | {"shift": 2.0}}))
    words = r"'shift': 2\.0}, but its retraining has .*'shift': 0\.0}: give both the same"
    with pytest.raises(SystemExit, match=words) as caught:
        run(monkeypatch, "ubw-c")
    assert "\n" not in str(caught.value)
    retraining["shift"] = 2
    ubw_project.write()
    run(monkeypatch, "ubw-c")
    made = ubw_project.root / "data/watermarked/toy-ubw-c/last-surrogate/model.json"
    assert json.loads(made.read_text())["training"]["shift"] == 2


def test_progress_reaches_the_end(ubw_project, monkeypatch):
    status, told = ubw_project.root / "status.json", []
    monkeypatch.setenv("DATADEED_PROGRESS", str(status))
    original = Progress.update

    def spy(self, done, *values, **keywords):
        told.append(done / self.total)
        original(self, done, *values, **keywords)

    monkeypatch.setattr(Progress, "update", spy)
    run(monkeypatch, "ubw-c")
    assert told[:-1] == sorted(told[:-1])  # the last one is of the file that is written then
    assert {0.25, 0.5, 0.75, 1.0} <= set(told)
    assert json.loads(status.read_text())["fraction"] == 1


DYING = """
import os, signal
from datadeed.perturbations.resume import CraftState
from tasks import mark

original = CraftState.save
def save(self, delta, adam, generator, losses, surrogate):
    original(self, delta, adam, generator, losses, surrogate)
    if len(losses) == 3:
        os.kill(os.getpid(), signal.SIGKILL)

CraftState.save = save
mark.mark("ubw", "toy", "ubw-c")
"""


def test_a_killed_crafting_goes_on_and_ends_bit_for_bit_the_same(ubw_project, monkeypatch):
    out = ubw_project.root / "data/watermarked/toy-ubw-c"
    run(monkeypatch, "ubw-c")
    wanted = contents(out)
    shutil.rmtree(out)
    dead = subprocess.run(
        [sys.executable, "-c", DYING],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        check=False,
        capture_output=True,
        text=True,
    )
    assert dead.returncode == -signal.SIGKILL, dead.stderr
    assert not out.exists()
    resumed = []
    original = Progress.update

    def spy(self, done, note="", **values):
        if values.get("resumed"):
            resumed.append(done)
        original(self, done, note, **values)

    monkeypatch.setattr(Progress, "update", spy)
    run(monkeypatch, "ubw-c")
    assert resumed == [3]
    assert contents(out) == wanted
    assert list((ubw_project.root / "data/checkpoints").glob("*")) == []


def test_state_of_other_settings_is_not_gone_on_from(ubw_project, monkeypatch):
    def fingerprints():
        found = []
        with monkeypatch.context() as patch:
            patch.setattr(mark, "release", lambda *values: pytest.fail("not reached"))

            def stop(self, *values, fingerprint, **keywords):
                found.append(fingerprint)
                raise ParameterError("stopped")

            patch.setattr("datadeed.watermarks.crafted.Crafted.craft", stop)
            with pytest.raises(ParameterError, match="stopped"):
                mark.mark("ubw", "toy", "ubw-c")
        return found[0]

    seen = [fingerprints()]
    assert fingerprints() == seen[0]
    parameters = ubw_project.parameters
    for change in (
        lambda: parameters.update(seed=6),
        lambda: parameters.update(threads=2),
        lambda: parameters["models"]["toy"]["retraining"]["training"].update(epochs=2),
        lambda: parameters["ubw"]["crafting"]["toy"]["ubw-c"].update(sources=9),
        lambda: shutil.copytree(
            ubw_project.root / "data/models/toy-resnet18-none-1",
            ubw_project.root / "data/models/toy-surrogate-none-0",
            dirs_exist_ok=True,
        ),
    ):
        change()
        ubw_project.write()
        seen.append(fingerprints())
    assert len(set(seen)) == 6


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("data/models/toy-surrogate-none-0/model.json", "does not describe a model"),
        ("data/models/toy-surrogate-none-0/model.safetensors", "does not hold the resnet18"),
        ("data/datasets/toy/train.parquet", r"train\.parquet does not exist"),
    ],
)
def test_a_missing_file_is_one_line(ubw_project, monkeypatch, missing, words):
    (ubw_project.root / missing).unlink()
    with pytest.raises(SystemExit, match=rf"^error: .*{words}") as caught:
        run(monkeypatch, "ubw-c")
    assert "\n" not in str(caught.value)
    assert not (ubw_project.root / "data/watermarked").exists()

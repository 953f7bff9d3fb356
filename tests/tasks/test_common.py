import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from datadeed.errors import DatasetError, ParameterError
from tasks import common
from tasks.common import parameters, stage
from tasks.progress import Progress


def test_an_entry_is_found_at_its_keys(workspace):
    assert parameters("models", "toy", "resnet18", "width") == 2
    assert parameters()["scale"] == "toy"
    assert parameters("first_classes", "toy", file="papers/dvbw/params.yaml") == 1


@pytest.mark.parametrize(
    ("keys", "missing"),
    [
        (("model",), "model"),
        (("models", "cifar10", "vgg"), "models.cifar10"),
        (("seed", "more"), "seed.more"),
    ],
)
def test_a_missing_entry_is_named_as_far_as_it_goes(workspace, keys, missing):
    with pytest.raises(ParameterError, match=f"has no entry '{missing}'"):
        parameters(*keys)


@pytest.mark.parametrize("text", ["a: [1", "a: b: c", "\t"])
def test_a_file_that_is_not_yaml_is_one_line(workspace, text):
    (workspace.root / "params.yaml").write_text(text)
    with pytest.raises(ParameterError, match=r"params\.yaml is not valid YAML") as caught:
        parameters("seed")
    assert "\n" not in str(caught.value)


def test_a_missing_or_empty_file_is_one_line(workspace):
    with pytest.raises(ParameterError, match=r"other\.yaml does not exist"):
        parameters("seed", file="other.yaml")
    (workspace.root / "params.yaml").write_text("")
    with pytest.raises(ParameterError, match="has no entry 'seed'"):
        parameters("seed")


@pytest.mark.parametrize("error", [DatasetError("no data"), ParameterError("no data")])
def test_a_stage_ends_with_one_line(error):
    @stage
    def main():
        """Kept."""
        raise error

    assert main.__doc__ == "Kept."
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == "error: no data"


def test_the_line_goes_to_the_errors_and_the_status_is_one():
    code = "from tasks.common import *\n@stage\ndef main(): raise DatadeedError('no data')\nmain()"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        check=False,
        capture_output=True,
        text=True,
    )
    assert (found.returncode, found.stdout, found.stderr) == (1, "", "error: no data\n")


def test_an_interrupt_says_how_to_go_on():
    @stage
    def main():
        raise KeyboardInterrupt

    with pytest.raises(SystemExit, match="interrupted: run again to go on"):
        main()


def test_a_defect_keeps_its_traceback():
    @stage
    def main():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        main()


@pytest.fixture
def clock(monkeypatch):
    """A clock that only moves when told."""

    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    found = Clock()
    monkeypatch.setattr(common, "time", found)
    return found


def test_the_status_file_tells_share_note_and_time_left(tmp_path, monkeypatch, clock):
    status = tmp_path / "status.json"
    monkeypatch.setenv("DATADEED_PROGRESS", str(status))
    progress = Progress(100, "images", "train")
    clock.now += 0.4
    progress.update(5, "early")
    assert not status.exists()  # at most one line in half a second
    clock.now += 9.6
    progress.update(20, "epoch 1")
    assert json.loads(status.read_text()) == {
        "fraction": 0.2,
        "text": "epoch 1",
        "seconds_left": pytest.approx(40),
    }
    clock.now += 0.1
    progress.update(100, "done")  # the last line is written at once
    last = json.loads(status.read_text())
    assert (last["fraction"], last["text"], last["seconds_left"]) == (1, "done", 0)
    assert list(tmp_path.iterdir()) == [status]
    progress.close()


def test_resumed_work_does_not_count_as_speed(tmp_path, monkeypatch, clock):
    status = tmp_path / "status.json"
    monkeypatch.setenv("DATADEED_PROGRESS", str(status))
    progress = Progress(100, "images", "train")
    clock.now += 1
    progress.update(80, "resumed", resumed=True)
    assert json.loads(status.read_text())["seconds_left"] is None  # no speed is known yet
    clock.now += 9
    progress.update(90)  # 10 images in 10 seconds
    assert json.loads(status.read_text())["seconds_left"] == pytest.approx(10)
    progress.close()


def test_without_a_status_file_nothing_is_written(workspace):
    before = sorted(workspace.root.rglob("*"))
    progress = Progress(0, "images", "nothing")
    progress.update(0)
    progress.close()
    assert sorted(workspace.root.rglob("*")) == before


def test_a_line_goes_past_the_bar_to_the_errors(capsys):
    progress = Progress(3, "images", "x")
    progress.say("a word")
    progress.close()
    found = capsys.readouterr()
    assert found.err == "a word\n"
    assert found.out == ""


def test_without_a_terminal_a_line_now_and_then(monkeypatch, capsys, clock):
    monkeypatch.delenv("DATADEED_PROGRESS", raising=False)
    progress = Progress(100, "images", "train")
    clock.now += 20
    progress.update(10, "early")
    assert capsys.readouterr().err == ""
    clock.now += 20
    progress.update(40, "epoch 1")
    assert capsys.readouterr().err == "train: 40%, epoch 1, about 60 s left\n"
    progress.close()

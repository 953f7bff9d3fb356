import json

import pytest

from tasks import progress as module
from tasks.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that only moves when told."""

    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    found = Clock()
    monkeypatch.setattr(module, "time", found)
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

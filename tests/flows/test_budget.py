"""A run's time: read, shared out, and kept to."""

import math
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.budget import Budget, seconds_of
from flows.devices import Pool, Slot
from flows.display import Board
from flows.errors import Interrupted, PipelineError
from flows.graph import Outcome, Stage
from flows.reproduce import NOT_PUSHED, STOPPED, Run
from flows.stages import Runner
from flows.summary import last_line


@pytest.mark.parametrize(
    ("text", "seconds"), [("540", 540), ("90s", 90), ("9m", 540), ("1h30m", 5400), ("1h", 3600)]
)
def test_reads_times(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "9 m", "-9m", "9d", "1m1h", "nan"])
def test_refuses_what_is_no_time(text: str) -> None:
    with pytest.raises(PipelineError, match=r"is no time: write 540, 9m or 1h30m$"):
        seconds_of(text)


def test_refuses_what_is_too_short() -> None:
    with pytest.raises(PipelineError, match=r"^--budget 59s is too short"):
        seconds_of("59s")


@pytest.mark.parametrize(
    ("seconds", "last", "kept"),
    [
        (540, None, 135),  # a quarter
        (7200, None, 300),  # never more than five minutes
        (540, 20, 50),  # twice the last push, and ten seconds
        (540, 0, 10),
        (540, 400, 135),
    ],
)
def test_time_is_kept_for_the_push(
    seconds: float, last: float | None, kept: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(threading, "Timer", _timer(waits))
    budget = Budget(seconds)
    budget.keep(last)
    with budget.watched(lambda: None):
        pass
    assert waits == [pytest.approx(seconds - kept - 10, abs=1)]  # ten for ending the stages


def _timer(waits: list[float]) -> type:
    class Timer(threading.Thread):
        def __init__(self, seconds: float, call: Callable[[], None]):
            super().__init__(target=lambda: None)
            waits.append(seconds)

        def cancel(self) -> None:
            pass

    return Timer


def test_without_a_budget_nothing_is_ended() -> None:
    assert Budget().left() == math.inf
    before = signal.getsignal(signal.SIGTERM)
    with Budget().watched(lambda: pytest.fail("called")):
        assert signal.getsignal(signal.SIGTERM) is before


def test_a_machine_that_is_taken_away_ends_it() -> None:
    told = threading.Event()
    before = signal.getsignal(signal.SIGTERM)
    with Budget(600).watched(told.set):
        os.kill(os.getpid(), signal.SIGTERM)
        assert told.wait(5)
    assert signal.getsignal(signal.SIGTERM) is before


def test_time_that_is_up_ends_it() -> None:
    told = threading.Event()
    with Budget(10.1).watched(told.set):  # ten for ending the stages
        assert told.wait(5)


class Future:
    """As much of Prefect's as is asked for: a task in a thread."""

    def __init__(self, work: Callable[[], Any]):
        self.state: Any = self
        self._calls: list[Callable[[Any], None]] = []
        self._work, self._error = work, BaseException()
        self.message = "lost"
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            self._work()
            self._error = None
        except Exception as error:
            self._error = error
        for call in self._calls:
            call(self)

    def add_done_callback(self, call: Callable[[Any], None]) -> None:
        self._calls.append(call)
        self._thread.start()

    def wait(self) -> None:
        self._thread.join(30)

    def is_completed(self) -> bool:
        return self._error is None


class Toys(Runner):
    """Stages that end at once, but for "long" ones, which wait until the flow is ending.

    With "long-2" the machine is taken away.
    """

    def run(self, address: str) -> str:
        if address == "long-2":
            os.kill(os.getpid(), signal.SIGTERM)
        if "long" in address:
            self._stop.wait(60)
            raise Interrupted(address)
        self.outcomes[address] = Outcome(address, "done", 1.0)
        return "done"


def _drive(root: Path, plan: list[Stage], budget: Budget) -> list[Outcome]:
    from flows.schedule import drive

    board = Board(plan, 2)
    runner = Toys(root, Pool([Slot({})] * 2), board, flow_lock=0)
    return drive(plan, lambda a, wait_for: Future(lambda: runner.run(a)), runner, board, budget)


def test_what_runs_is_ended_and_what_waits_is_left(tmp_path: Path) -> None:
    plan = [
        *(Stage("quick", chain=4), Stage("long-1", ("quick",), chain=2)),
        *(Stage("after", ("long-1",)), Stage("long-2", ("quick",)), Stage("other", ("long-2",))),
    ]
    ended = _drive(tmp_path, plan, Budget(600))
    states = {outcome.address: outcome.state for outcome in ended}
    assert states == {
        **{"quick": "done", "long-1": "kept", "after": "left"},
        **{"long-2": "kept", "other": "left"},
    }
    assert last_line(ended, 1.0) == (
        "stopped at its budget: 1 stages done, 2 running kept, 2 left; the same command goes on"
    )


def test_what_is_done_in_time_is_as_without_a_budget(tmp_path: Path) -> None:
    plan = [Stage("quick", chain=2), Stage("after", ("quick",))]
    assert [end.state for end in _drive(tmp_path, plan, Budget(600))] == ["done", "done"]


@pytest.mark.parametrize(
    ("states", "pushed", "status"),
    [
        (["done", "up to date"], True, 0),
        (["done", "kept", "left"], True, STOPPED),
        (["done"], False, NOT_PUSHED),
        (["kept"], False, NOT_PUSHED),
        (["failed", "kept"], False, 1),
    ],
)
def test_the_exit_status_says_how_it_ended(states: list[str], pushed: bool, status: int) -> None:
    assert Run([Outcome("a", state) for state in states], pushed).status == status

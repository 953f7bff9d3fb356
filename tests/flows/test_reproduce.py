"""The real flow, as a subprocess, in temporary repositories."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.request
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from flows.server import Server
from tests.flows.toys import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.conftest import Repository

New = Callable[[str], "Repository"]

ROOT_STAGES = """
stages:
  fetch:
    cmd: echo fetch >> count && mkdir -p data && echo ${scale} > data/f
    outs: [data/f]
"""
PAPER_STAGES = """
vars: [../../params.yaml]
stages:
  train:
    wdir: ../..
    matrix: {seed: "${seeds}"}
    cmd: >-
      echo train >> count && echo "gpu=$CUDA_VISIBLE_DEVICES" > gpu-${item.seed}
      && (echo model,seed; cat data/f | tr '\\n' ,; echo ${item.seed}) > data/t${item.seed}
    deps: [data/f]
    outs: ["data/t${item.seed}"]
  tabulate:
    wdir: ../..
    cmd: echo tabulate >> count && mkdir -p results/x && cat data/t1 data/t2 > results/x/cells.csv
    deps: [data/t1, data/t2]
    outs: [{results/x/cells.csv: {cache: false}}]
"""
FAULTY_STAGES = """
stages:
  flaky:
    cmd: echo flaky >> count && (test -e once || { touch once && kill -9 $$; }) && echo f > flaky
    outs: [flaky]
  broken:
    cmd: "echo broken >> count && echo 'error: labels.csv has no column y: add it' >&2 && exit 1"
    outs: [broken.txt]
  after:
    cmd: echo after >> count && cp broken.txt after.txt
    deps: [broken.txt]
    outs: [after.txt]
  other:
    cmd: echo other >> count && cp flaky other
    deps: [flaky]
    outs: [other]
"""
SLOW_STAGES = """
stages:
  quick:
    cmd: echo quick >> count && echo q > quick
    outs: [quick]
  slow:
    cmd: echo slow >> count && echo $$ > pid && (test -e go || sleep 100) && cp quick slow
    deps: [quick]
    outs: [slow]
"""

TRAIN_STAGES = """
stages:
  quick:
    cmd: echo quick >> count && echo q > quick
    deps: [train.py]
    outs: [quick]
  train:
    cmd: python train.py
    deps: [quick, train.py]
    outs: [trained]
  after:
    cmd: cp trained after
    deps: [trained]
    outs: [after]
"""
# Three epochs; what is done is kept after each, and the last two wait for a file.
TRAIN = """
import os, pathlib, shutil, time

state = pathlib.Path("data/checkpoints/toy/1f/checkpoint")
state.parent.mkdir(parents=True, exist_ok=True)
done = state.read_text() if state.exists() else pathlib.Path("quick").read_text().strip()
pathlib.Path("pid").write_text(str(os.getpid()))
for epoch in range(len(done.split()) - 1, 3):
    while epoch and not pathlib.Path(f"go-{epoch}").exists():
        time.sleep(0.05)
    with open("count", "a") as count:
        count.write(f"{epoch}\\n")
    done += f" {epoch}"
    state.write_text(done)
    pathlib.Path(f"at-{epoch}").write_text("1")
pathlib.Path("trained").write_text(done + "\\n")
shutil.rmtree(state.parents[1])
"""


@pytest.fixture
def papers(new_repository: New) -> Repository:
    """Two files of stages, one below papers/, with a matrix and shared parameters."""
    made = new_repository("papers")
    made.write("dvc.yaml", ROOT_STAGES)
    made.write("papers/x/dvc.yaml", PAPER_STAGES)
    return made


def _asked(what: str) -> list[dict[str, Any]]:
    """What the Prefect server knows of flows' artifacts or task runs."""
    request = urllib.request.Request(
        f"{os.environ['PREFECT_API_URL']}/{what}/filter",
        data=b"{}",
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


class TestAWholePaper:
    """Fetch, train twice, tabulate."""

    def test_runs_in_order_once_and_as_dvc_does(
        self, papers: Repository, new_repository: New, prefect_server: Server
    ) -> None:
        prefect_server.wait()
        earlier = {run["id"] for run in _asked("task_runs")}  # of other tests
        twin = new_repository("twin")
        twin.write("dvc.yaml", ROOT_STAGES)
        twin.write("papers/x/dvc.yaml", PAPER_STAGES)
        twin.dvc("repro", "--all-pipelines")
        prefect_server.wait()

        status, said = papers.reproduce("--devices", "0,1", "*:tabulate")

        assert status == 0, said
        assert papers.counted() == ["fetch", "train", "train", "tabulate"]
        assert not {"Traceback", "INFO"} & set(said.replace(":", " ").split())
        assert {papers.read("gpu-1"), papers.read("gpu-2")} == {"gpu=0\n", "gpu=1\n"}
        summary = papers.read("data/logs/reproduce-summary.csv").splitlines()
        trained = [f"papers/x/dvc.yaml:train@{seed},done" for seed in (1, 2)]
        stages = ["stage,state", "fetch,done", *trained, "papers/x/dvc.yaml:tabulate,done"]
        assert [line.rsplit(",", 2)[0] for line in summary] == stages

        assert papers.read("results/x/cells.csv") == twin.read("results/x/cells.csv") != ""
        for name in ("dvc.lock", "papers/x/dvc.lock"):  # in the order in which stages ended
            assert yaml.safe_load(papers.read(name)) == yaml.safe_load(twin.read(name))

        status, said = papers.reproduce("*:tabulate")
        assert (status, said) == (0, "everything is up to date (4 stages)\n")
        assert len(papers.counted()) == 4

        keys = {artifact["key"]: artifact["data"] for artifact in _asked("artifacts")}
        assert "| papers/x/dvc.yaml:train@1 | done |" in keys["stage-summary"]
        assert "## results/x/cells.csv\n" in keys["results-tables"]
        assert "| lite | 2 |" in keys["results-tables"]
        runs = [run for run in _asked("task_runs") if run["id"] not in earlier]
        assert [run["state_type"] for run in runs] == ["COMPLETED"] * 4

        status, said = papers.reproduce("--scale", "paper")  # the root file
        assert status == 0, said
        assert said.startswith("scale: params.yaml is now a link to scales/paper.yaml\n")
        assert papers.counted()[4:] == ["fetch"]
        assert papers.read("data/f") == "paper\n"


class TestFaults:
    """What fails for good, and what only seems to."""

    def test_only_what_may_pass_is_retried(
        self, new_repository: New, prefect_server: Server
    ) -> None:
        made = new_repository("faulty")
        made.write("dvc.yaml", FAULTY_STAGES)
        prefect_server.wait()

        status, said = made.reproduce("--devices", "cpu", "--workers", "2")

        assert status == 1, said
        assert sorted(made.counted()) == ["broken", "flaky", "flaky", "other"]
        assert "broken failed: error: labels.csv has no column y: add it\n" in said
        assert "after skipped: because broken failed\n" in said
        assert "flaky tries again in 2 s: " in said
        assert said.splitlines()[-1] == (
            "error: 2 done, 1 failed, 1 skipped: first broken: see data/logs/broken.log"
        )
        assert "labels.csv" in made.read("data/logs/broken.log")
        assert "Traceback" not in said


def _gone(pid: int) -> bool:
    """Whether a process ends within some seconds."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


class TestKills:
    """Ended midway, by Ctrl-C or by kill -9, and started again."""

    def test_goes_on_where_it_was(self, new_repository: New, prefect_server: Server) -> None:
        made = new_repository("slow")
        made.write("dvc.yaml", SLOW_STAGES)
        prefect_server.wait()
        for number in (signal.SIGINT, signal.SIGKILL):
            flow = made.start()
            stage = wait_for(made.root / "pid")
            if number == signal.SIGINT:
                flow.send_signal(number)
            else:
                os.killpg(flow.pid, number)
            _, said = flow.communicate(timeout=30)
            assert _gone(stage), "the stage outlived its flow"
            made.root.joinpath("pid").unlink()
            if number == signal.SIGINT:
                assert flow.returncode == 130
                assert said.endswith("interrupted: run again to go on; finished stages are kept\n")
                assert "Traceback" not in said
        made.write("go", "")

        status, said = made.reproduce()

        assert status == 0, said
        assert made.counted() == ["quick", "slow", "slow", "slow"]
        assert made.read("slow") == "q\n"


class TestBudget:
    """A machine that is taken away, and another one that goes on."""

    def test_another_machine_goes_on(
        self, new_repository: New, prefect_server: Server, tmp_path: Path
    ) -> None:
        prefect_server.wait()
        one, two = new_repository("one"), new_repository("two")
        for made in (one, two):
            made.write("dvc.yaml", TRAIN_STAGES)
            made.write("train.py", TRAIN)
            made.dvc("remote", "add", "--local", "--default", "store", str(tmp_path / "store"))
        flow = one.start("--budget", "30m")
        pid = wait_for(one.root / "pid")
        one.write("go-1", "")  # so far, and no farther
        wait_for(one.root / "at-1")
        flow.send_signal(signal.SIGTERM)
        _, said = flow.communicate(timeout=300)

        assert flow.returncode == 75, said
        assert _gone(pid)
        pushed, last = said.splitlines()[-2:]
        assert "2 files that are finished, and unfinished work of 1 files, 0.0 MB" in pushed
        assert last == (
            "stopped at its budget: 1 stages done, 1 running kept, 1 left; the same command goes on"
        )
        assert one.counted() == ["quick", "0", "1"]
        two.write("go-1", "")
        two.write("go-2", "")

        status, said = two.reproduce("--budget", "30m", "--pull")

        assert status == 0, said
        assert "took unfinished work of 1 files, 0.0 MB" in said
        assert two.counted() == ["2"]  # neither "quick" nor an epoch is done again
        assert two.read("after") == "q 0 1 2\n"
        assert "quick,restored," in two.read("data/logs/reproduce-summary.csv")
        assert "and unfinished work of 0 files" in said.splitlines()[-2]


class TestWrongWords:
    """Errors of the command line are one line each."""

    @pytest.mark.parametrize(
        ("arguments", "line"),
        [
            (["trian"], "error: no stage is called 'trian': did you mean train?\n"),
            (["--scale", "huge"], "error: no scale 'huge' in scales/: choose lite or paper\n"),
        ],
    )
    def test_one_line(self, papers: Repository, arguments: list[str], line: str) -> None:
        assert papers.reproduce(*arguments) == (1, line)

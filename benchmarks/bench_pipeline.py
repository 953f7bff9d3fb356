"""What the flow costs and gains, on stages whose own work is known."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "PYTHONPATH": str(ROOT),
}
# One thread at work for a given time of its processor, as a training with `threads: 1` is.
WORK = "import sys, time\nwhile time.process_time() < float(sys.argv[1]):\n    sum(range(10000))\n"
STAGES = """
stages:
  work:
    matrix: {{n: {n}}}
    cmd: python work.py {seconds} && echo ${{item.n}} > out-${{item.n}}
    outs: ["out-${{item.n}}"]
"""


def call(folder: Path, *words: str) -> float:
    """Run a command in a folder; returns its seconds."""
    start = time.monotonic()
    subprocess.run(words, cwd=folder, env=ENVIRONMENT, check=True, capture_output=True)
    return time.monotonic() - start


def repository(folder: Path, *, stages: int, seconds: float) -> Path:
    """A fresh DVC repository of equal stages."""
    folder.mkdir()
    (folder / "work.py").write_text(WORK)
    (folder / "dvc.yaml").write_text(STAGES.format(n=list(range(stages)), seconds=seconds))
    call(folder, "git", "init", "-q")
    call(folder, "dvc", "init", "-q")
    call(folder, sys.executable, "-m", "flows.server")  # what `make setup` does
    return folder


def summary(folder: Path) -> list[float]:
    """Seconds of each stage of the last flow, from its own table."""
    lines = (folder / "data/logs/reproduce-summary.csv").read_text().splitlines()[1:]
    return [float(line.split(",")[2]) for line in lines if ",done," in line]


def bench_overhead_of_a_stage(report, tmp_path):
    folder = repository(tmp_path / "noop", stages=6, seconds=0)
    call(folder, sys.executable, "-m", "flows.reproduce", "--workers", "1")
    seconds = sorted(summary(folder))
    bare = call(folder, sys.executable, "work.py", "0")
    median = seconds[len(seconds) // 2] - bare
    report("pipeline, added to a stage by DVC and Prefect", median, unit="s", most=2.0)


def bench_flow_against_dvc_repro(report, tmp_path):
    count, each = 6, 20
    serial = repository(tmp_path / "serial", stages=count, seconds=each)
    parallel = repository(tmp_path / "parallel", stages=count, seconds=each)
    flow = call(parallel, sys.executable, "-m", "flows.reproduce", "--workers", "2")
    repro = call(serial, "dvc", "repro")
    at_work = sum(summary(parallel)) / 2
    report("pipeline, six one-thread stages, dvc repro", repro, unit="s")
    report("pipeline, six one-thread stages, two workers", flow, unit="s")
    report("pipeline, of which starting and ending", flow - at_work, unit="s")
    report("pipeline, two workers against dvc repro", repro / at_work, unit="times", least=1.8)


def bench_demo(report, tmp_path):
    """On a fresh clone whose environment is this one's: everything but set-up."""
    folder = tmp_path / "clone"
    call(tmp_path, "git", "clone", "-q", str(ROOT), str(folder))
    (folder / ".venv").symlink_to(Path(sys.executable).parents[1])
    shutil.rmtree(folder / "data", ignore_errors=True)
    call(folder, sys.executable, "-m", "flows.server")
    start = time.monotonic()
    command = ["make", "--assume-old=.venv/.ready", "demo"]  # set-up is not part of it
    done = subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, check=True, capture_output=True, text=True
    )
    seconds = time.monotonic() - start
    assert re.search(r"thief.*CLAIM", done.stdout)
    report("make demo, without set-up", seconds, unit="s", most=150.0)

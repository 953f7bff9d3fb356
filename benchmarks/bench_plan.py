"""How long a plan from numbers takes, and in how much memory, as the command does."""

import functools
import subprocess
import sys

PLAN = """
import sys, time
from datadeed.cli import main
code = main(sys.argv[1:])
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
sys.stderr.write(f"{time.process_time()} {int(status['VmHWM'].split()[0]) / 1000}")
raise SystemExit(code)
"""


def bench_plan(report):
    """Measured: 0.36 s on a machine that was busy, 44 MB."""
    command = [sys.executable, "-c", PLAN, "plan", "--classes", "10", "--samples", "50000"]
    run = functools.partial(subprocess.run, command, capture_output=True, text=True, check=True)
    found = [run() for _ in range(3)]
    figures = [list(map(float, one.stderr.split())) for one in found]
    seconds, megabytes = map(min, zip(*figures, strict=True))
    report("plan, start-up included", seconds, unit="s of processor time", most=0.5)
    report("plan, peak memory", megabytes, unit="MB", most=100, timing=False)

"""A toy ``datadeed`` that starts at once, and flows that run it in place of the real one."""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

SOURCE = Path(__file__).parents[2]

PROGRAM = """
import json, pathlib, sys, time

command, rest = sys.argv[1], sys.argv[2:]
source = None if rest[0].startswith("--") else rest.pop(0)
options = dict(zip(rest[::2], rest[1::2]))
out, key = pathlib.Path(options.get("--out", "")), pathlib.Path(options["--key"])
with open("count", "a") as file:
    file.write(" ".join(sys.argv[1:]) + "\\n")

if command == "commit":
    if "--parts" in options and not options["--parts"].isdecimal():
        sys.exit("error: parts make no sense")
    key.write_text("secret")
    pathlib.Path(options["--commitment"]).write_text(json.dumps({"commitment": "ab" * 32}))
elif command == "watermark":
    if pathlib.Path("full").exists():
        print("error: no space left", file=sys.stderr)
        sys.exit(7)
    if out.exists():
        sys.exit("error: exists")
    out.write_text("marked")
else:
    what = pathlib.Path(options["--suspect"]).read_text()
    if what == "slow":
        pathlib.Path("pid").write_text(str(__import__("os").getpid()))
        time.sleep(100)
    if what == "away":
        print("error: could not test: nobody answers", file=sys.stderr)
        sys.exit(5)
    out.mkdir(parents=True, exist_ok=True)
    if command == "verify":
        (out / "evidence.json").write_text(pathlib.Path("sample.json").read_text())
    else:
        state = {"word": "EVIDENCE" if what == "thief" else "NO EVIDENCE", "reason": "so it is",
                 "log_e": 4.7, "n": 30, "over": what == "thief"}
        (out / "watch.json").write_text(json.dumps(state))
    sys.exit(0 if what == "thief" else 3)
"""

# As `python -m MODULE`, but with the toy program.
DRIVER = """
import runpy, sys
import flows.commands
flows.commands.DATADEED = (sys.executable, "toy.py")
sys.argv[:] = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=False)
"""


def write_toys(root: Path) -> None:
    """Put the toy program into the folder of a test."""
    (root / "toy.py").write_text(PROGRAM, encoding="utf-8")


def start(root: Path, module: str, *arguments: object) -> "subprocess.Popen[str]":
    """Start ``python -m MODULE ARGUMENTS`` with the toy program."""
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, module, *map(str, arguments)],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(SOURCE), "XDG_CACHE_HOME": str(root / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(root: Path, module: str, *arguments: object) -> tuple[int, str, str]:
    """Run it to its end: exit code, standard output, standard error."""
    flow = start(root, module, *arguments)
    out, err = flow.communicate(timeout=120)
    return flow.returncode, out, err


def wait_for(path: Path) -> int:
    """The process id that a stage has written."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, ValueError):
            return int(path.read_text(encoding="utf-8"))
        time.sleep(0.05)
    raise AssertionError(f"{path} was never written")

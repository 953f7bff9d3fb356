"""Real kills of a re-verification at random moments: no answer is lost, none is paid for twice.

A server counts what it is asked. ``datadeed watch`` is killed with SIGKILL at a random moment, from
its start to the day's last question, and started again until the day is done; then the log holds
every answer of the day once. A question whose answer was on its way when the process died is asked
again: nobody can know whether it arrived. ``KILLS=N`` says how many, 50 unless told.
"""

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from tests.cli.world import World, honest, pixels_digest
from tests.owner.suspects.fakes import serve

KILLS = int(os.environ.get("KILLS", "50"))
PROGRAM = "import sys; from datadeed.cli import main; sys.exit(main(sys.argv[1:]))"
BLOCKS = 40  # images a day, 240 questions: a run that lasts
PAUSE = 0.005  # seconds that a question takes: most of a run is asking


def start(world: World, suspect: Path, out: Path) -> "subprocess.Popen[bytes]":
    command = ["watch", "--suspect", suspect, "--key", world.key_file, "--pool", world.pool]
    command += ["--blocks", BLOCKS, "--out", out]
    line = [sys.executable, "-c", PROGRAM, *map(str, command)]
    return subprocess.Popen(line, stdout=subprocess.DEVNULL)


def bench_kills_lose_nothing(tmp_path, report):
    world = World(tmp_path).make()
    assert world.commit().code == 0
    table, asked, draw = world.answers(honest), Counter[str](), random.Random(1)

    def behave(handler, seen):
        digest = pixels_digest(seen.json())
        asked[digest] += 1
        time.sleep(PAUSE)
        handler.reply(table[digest])

    lost = twice = killed = 0
    with serve(behave) as server:
        suspect = world.served(server.url)
        began = time.monotonic()
        assert start(world, suspect, tmp_path / "whole").wait() == 3
        whole = time.monotonic() - began
        while killed < KILLS:
            out, before = tmp_path / f"watched-{killed}", killed
            asked.clear()
            while not ended(start(world, suspect, out), draw.uniform(0, 1.1 * whole)):
                killed += 1
            marked = questions(out)
            lost += 6 * BLOCKS - len(marked)
            twice += max(0, sum(asked[digest] - 1 for digest in marked) - (killed - before))
            assert max(Counter(marked).values()) == 1
    report(f"answers lost in {killed} kills", lost, unit="answers", most=0, timing=False)
    report(f"paid for twice in {killed} kills", twice, unit="answers", most=0, timing=False)


def ended(process: "subprocess.Popen[bytes]", seconds: float) -> bool:
    """Whether a run came to its end in so many seconds; else it is killed."""
    try:
        assert process.wait(seconds) == 3
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
    return True


def questions(folder: Path) -> list[str]:
    """The marked questions on record."""
    rows = [json.loads(line) for line in (folder / "queries.jsonl").read_text().splitlines()]
    return [row["question"] for row in rows if row["purpose"] == "block"]

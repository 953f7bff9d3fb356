"""Reproduce stages and all they need: ``python -m flows.reproduce [TARGETS ...]``.

DVC says what is out of date and keeps the results; Prefect runs as many stages at once as there
are devices; a stage's failure stops only what waits for it. Start it again after a failure or a
kill: what is finished is not done again. With ``--budget`` it ends by itself before its time is
over and pushes to DVC's remote what is finished and what is not, for the next machine.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows import remote
from flows.budget import Budget, seconds_of
from flows.devices import Pool, Slot, slots
from flows.display import Board
from flows.errors import PipelineError
from flows.graph import Outcome, plan
from flows.locks import heal, one_flow
from flows.scale import set_scale
from flows.server import Server
from flows.stages import Runner
from flows.summary import last_line, write_summary
from flows.timings import keep_seconds

STOPPED, NOT_PUSHED = 75, 74  # sysexits.h: try again; input or output failed


@dataclass(frozen=True)
class Run:
    """How a run ended.

    Args:
        outcomes: how each stage ended, each after those it waits for.
        pushed: false where a push to DVC's remote was refused or not done in time.
    """

    outcomes: Sequence[Outcome]
    pushed: bool = True

    @property
    def status(self) -> int:
        """The command's exit status."""
        states = {outcome.state for outcome in self.outcomes}
        if "failed" in states:
            return 1
        if not self.pushed:
            return NOT_PUSHED
        return STOPPED if states & {"kept", "left"} else 0


def say(line: str) -> None:
    """A line for the user, who may be sending standard output elsewhere."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def find_root() -> Path:
    """The repository around the working directory.

    Raises:
        PipelineError: there is none.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / ".dvc").is_dir():
            return folder
    raise PipelineError(f"{here} is in no DVC repository: go to datadeed's folder")


def reproduce(
    targets: list[str] | None = None,
    *,
    scale: str | None = None,
    workers: int | None = None,
    threads: int | None = None,
    devices: str = "auto",
    force: bool = False,
    pull: bool = False,
    budget: Budget | None = None,
) -> Run:
    """Bring the targets and everything upstream of them up to date.

    Args:
        targets: DVC addresses, globs, names, groups or files; none means all of the root dvc.yaml.
        scale: first point params.yaml at this file of scales/.
        workers: stages at once; by default one per GPU, or two on a CPU.
        threads: threads of each stage; by default the stages' own choice.
        devices: ``auto``, ``cpu``, or GPU ids with commas.
        force: run what is up to date too.
        pull: take what others made from DVC's remote instead of making it again, and go on with
            what another machine left unfinished.
        budget: the time there is; what was made is then pushed at the end.

    Raises:
        PipelineError: the pipeline cannot be read, or not be run as asked.
    """
    root = find_root()
    os.chdir(root)  # DVC gives addresses relative to the working directory
    room, budget = slots(devices, workers, threads), budget or Budget()
    with one_flow(root, say) as lock:
        if scale is not None and set_scale(root, scale):
            say(f"scale: params.yaml is now a link to scales/{scale}.yaml")
        shown = {"targets": targets or [], "devices": devices, "force": force, "pull": pull}
        outcomes = _run(root, room, lock, shown, budget)
        write_summary(root, outcomes)
        keep_seconds(root, outcomes)
        if budget.seconds is None or remote.default_remote(root) is None:
            return Run(outcomes)
        # Some seconds less than there are: Prefect and this process need them to end.
        return Run(outcomes, remote.give(root, lock, max(budget.left() - 5, 1), say))


def _run(
    root: Path, room: list[Slot], lock: int, shown: dict[str, Any], budget: Budget
) -> list[Outcome]:
    """Read the plan while a server starts, and run what is out of date under Prefect."""
    force = shown["force"]
    with Server(root) as server:
        heal(root, say)
        stages = plan(root, list(shown["targets"]), force=force)
        if all(stage.current for stage in stages):
            return [Outcome(stage.address, "up to date") for stage in stages]
        if remote.default_remote(root) is not None:
            if shown["pull"]:
                seconds = None if budget.seconds is None else budget.seconds / 4
                remote.take(root, lock, seconds, say)
            budget.keep(remote.last_push(root))
        board = Board(stages, len(room))
        flags = [f"--{name}" for name in ("force", "pull") if shown[name]]
        runner = Runner(root, Pool(room), board, flags=flags, flow_lock=lock)
        from flows.schedule import run  # imports Prefect, which reads its settings then

        server.wait()
        with board:
            return run(stages, runner, board, shown, budget)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m flows.reproduce", description=__doc__)
    made.add_argument(
        "targets",
        nargs="*",
        metavar="TARGET",
        help="a stage as `dvc stage list --all` prints it, a glob such as '*:train@*resnet18*', "
        "a group such as train, or a dvc.yaml; default: all stages of the root dvc.yaml",
    )
    made.add_argument("--scale", help="point params.yaml at scales/NAME.yaml first")
    made.add_argument("--workers", type=int, help="stages at once (one per GPU, or 2 on a CPU)")
    made.add_argument("--threads", type=int, help="threads per stage (as params.yaml says)")
    made.add_argument("--devices", default="auto", help="auto, cpu, or GPU ids such as 0,1")
    made.add_argument("--force", action="store_true", help="run what is up to date too")
    made.add_argument(
        "--pull", action="store_true", help="take what others made from DVC's remote, if it has it"
    )
    made.add_argument(
        "--budget",
        metavar="TIME",
        help="end before 9m, say, or 1h30m are over, and push to the remote",
    )
    return made


def main() -> None:
    """The command: status 0 when all went well, 1 when a stage failed, 130 when interrupted.

    With a budget 75 if it was spent, and 74 if not all could be pushed.
    """
    options = parser().parse_args()
    start = time.monotonic()
    try:
        budget = Budget(None if options.budget is None else seconds_of(options.budget))
        ended = reproduce(
            options.targets,
            scale=options.scale,
            workers=options.workers,
            threads=options.threads,
            devices=options.devices,
            force=options.force,
            pull=options.pull,
            budget=budget,
        )
    except PipelineError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        say("interrupted: run again to go on; finished stages are kept")
        sys.exit(130)
    say(last_line(ended.outcomes, time.monotonic() - start))
    sys.exit(ended.status)


if __name__ == "__main__":
    main()

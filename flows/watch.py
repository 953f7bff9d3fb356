"""The watch as a Prefect deployment: every suspect's fresh questions on a schedule (docs/watch.md).

Prefect's settings are read when it is imported: import this module after a server is known.

What Prefect does with a schedule, and what is done about it: runs missed in an outage are all
started afterwards, so those of an earlier day do nothing, and `datadeed watch` itself asks one
batch a day at most; two runs never overlap; stopping the process leaves the schedule on.
"""

import argparse
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import flow, get_client, runtime
from prefect.client.schemas.objects import State
from prefect.client.schemas.schedules import CronSchedule
from prefect.states import Completed, Failed
from prefect.types.entrypoint import EntrypointType

from datadeed.errors import DatadeedError
from datadeed.owner.evidence.schema import parse_json, read_limited
from flows import telling
from flows.commands import Commands, Ended, say
from flows.errors import PipelineError
from flows.fleet import publish, run_each
from flows.settings import users_server
from flows.suspects import COULD_NOT_TEST, Finding, e_value, suspects_in

TESTED = (0, 3)  # datadeed watch: EVIDENCE, NO EVIDENCE
BLOCKS = 1  # images a day
AWAY = 3  # days out of reach after which that is told


@flow(name="watch", persist_result=False)
def watch(
    suspects: dict[str, str] | str,
    out: str,
    arguments: list[str],
    *,
    workers: int = 2,
    in_all: int | None = None,
    tell: str = "",
    tell_away: int = AWAY,
) -> State[Any]:
    """Ask every suspect today's questions; the state says what came of it.

    Args:
        suspects: a folder, each YAML file in it a suspect; or name to YAML file or folder.
        out: the folder of the suspects' folders.
        arguments: of ``datadeed watch``, without ``--suspect`` and ``--out``.
        workers: suspects at once.
        in_all: all suspects under this key, ever; None if ``arguments`` say it.
        tell: the web address that is told of changes (docs/watch.md); "" tells nobody.
        tell_away: days out of reach after which it is told so.
    """
    scheduled = runtime.flow_run.scheduled_start_time
    if missed(scheduled, datetime.now(UTC)):
        return Completed(
            name="Missed", message=f"scheduled for {scheduled}: a missed day is no day"
        )
    named = watched(suspects, in_all)
    folder, commands = Path(out), Commands(workers)

    def command(name: str) -> list[str | Path]:
        passed = given(arguments, in_all)
        return ["watch", "--suspect", named[name], "--out", folder / name, *passed]

    ended = run_each(list(named), command, folder / "logs", commands, TESTED)
    found = [finding(name, folder / name, ended[name]) for name in named]
    findings = [entry for entry, _ in found]
    publish(findings, folder / "watch.csv", "watch")
    for entry in findings:
        say(f"{datetime.now(UTC):%Y-%m-%d} {entry.suspect}: {entry.verdict}: {entry.note}")
    for line in telling.tell(tell, findings, folder, away=tell_away) if tell else ():
        say(line)
    if all(over for _, over in found):
        _stop_schedule()
    return outcome(findings)


def watched(suspects: dict[str, str] | str, in_all: int | None) -> dict[str, str]:
    """The suspects by name.

    Raises:
        PipelineError: a folder has none, or there are more than the key was told of.
    """
    if isinstance(suspects, str):
        named = {name: str(path) for name, path in suspects_in(Path(suspects)).items()}
    else:
        named = suspects
    if in_all is not None and in_all < len(named):
        raise PipelineError(
            f"in_all is {in_all}, and {len(named)} suspects are named: the bar rises with their "
            "number and is fixed on the first day, so begin anew in another folder, or watch fewer"
        )
    return named


def given(arguments: list[str], in_all: int | None) -> list[str]:
    """The arguments of every suspect's ``datadeed watch``."""
    return arguments if in_all is None else [*arguments, "--suspects", str(in_all)]


def missed(scheduled: datetime, now: datetime) -> bool:
    """Whether a run is one that should have been on an earlier day (UTC)."""
    return scheduled.astimezone(UTC).date() < now.astimezone(UTC).date()


def outcome(findings: list[Finding]) -> State[Any]:
    """The flow's state: failed if a suspect could not be tested, else named after the evidence."""
    message = "; ".join(f"{f.suspect}: {f.verdict}: {f.note}" for f in findings)
    if any(found.verdict == COULD_NOT_TEST for found in findings):
        return Failed(name="Could not test", message=message)
    evidence = any(found.verdict == "EVIDENCE" for found in findings)
    return Completed(name="Evidence" if evidence else "No evidence", message=message)


def finding(name: str, folder: Path, ended: Ended) -> tuple[Finding, bool]:
    """What a run of ``datadeed watch`` came to, and whether that watch is over."""
    if ended.code not in TESTED:
        return Finding(name, COULD_NOT_TEST, note=ended.why), False
    path = folder / "watch.json"
    try:
        state = parse_json(read_limited(path), path)
        return Finding(
            name,
            str(state["word"]),
            evidence=e_value(float(state["log_e"])),
            queries=str(state["n"]),
            note=str(state["reason"]),
        ), bool(state["over"])
    except (DatadeedError, KeyError, TypeError, ValueError) as error:
        return Finding(name, COULD_NOT_TEST, note=f"{path} cannot be read: {error}"), False


def _stop_schedule() -> None:
    """No question is left to ask anywhere: the schedule ends."""
    say("every watch is over: the schedule is paused, and this process may be stopped")
    if runtime.deployment.id:
        with get_client(sync_client=True) as client:
            client.pause_deployment(runtime.deployment.id)


def serve(suspects: dict[str, Path], options: argparse.Namespace) -> None:
    """Run the watch on a schedule until this process is stopped.

    Raises:
        PipelineError: there is no server that lasts, or the schedule makes no sense.
    """
    try:
        CronSchedule(cron=options.serve)
    except ValueError as error:
        raise PipelineError(
            f"--serve {options.serve!r} is no schedule: give five fields, such as '0 3 * * *'"
        ) from error
    _check_server()
    out = options.out.resolve()
    say(f"watching {len(suspects)} suspects on {options.serve} (UTC) until this process is stopped")
    watch.serve(
        name=str(out).strip("/").replace("/", "-"),
        cron=options.serve,
        parameters={
            "suspects": {name: str(path) for name, path in suspects.items()},
            "out": str(out),
            "arguments": passed_on(options),
            "workers": options.workers,
            "tell": options.tell or "",
            "tell_away": AWAY if options.tell_away is None else options.tell_away,
        },
        pause_on_shutdown=False,  # else a restart leaves the schedule off
        # Of this process alone: a deployment's limit keeps the slot of a killed run for 5 minutes,
        # and for ever if the server forgets the lease (docs/watch.md, "Deployed"). Two processes
        # are kept apart by the lock of each suspect's log.
        limit=1,
        entrypoint_type=EntrypointType.MODULE_PATH,
        print_starting_message=False,
    )


def passed_on(options: argparse.Namespace) -> list[str]:
    """The arguments of each `datadeed watch`, without ``--suspect`` and ``--out``."""
    arguments = ["--key", str(options.key.resolve()), "--pool", str(options.pool.resolve())]
    arguments += [
        "--blocks",
        str(BLOCKS if options.blocks is None else options.blocks),
        "--suspects",
        str(options.suspects),
    ]
    arguments += ["--pool-split", options.pool_split] if options.pool_split else []
    arguments += ["--store", options.store] if options.store else []
    return arguments


def _check_server() -> None:
    """A schedule needs a server that outlives its runs.

    Raises:
        PipelineError: none is named, or it does not answer.
    """
    from prefect.settings import PREFECT_API_URL

    remedy = "run `prefect server start` and set PREFECT_API_URL=http://127.0.0.1:4200/api"
    if not users_server():
        raise PipelineError(f"--serve needs a Prefect server that stays: {remedy}")
    url = PREFECT_API_URL.value()
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=10):
            pass
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise PipelineError(f"the Prefect server {url} does not answer: {remedy}") from error

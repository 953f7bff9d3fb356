"""Many suspects, each a Prefect task that runs one command; one's failure stops no other.

Prefect's settings are read when it is imported: import this module after a server is known.
"""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.futures import wait

from datadeed.files import atomic_path
from flows.commands import Commands, Ended
from flows.errors import StageFailed
from flows.summary import table
from flows.suspects import Finding, finding_rows


def run_each(
    names: Sequence[str],
    command: Callable[[str], Sequence[str | Path]],
    logs: Path,
    commands: Commands,
    tested: Sequence[int],
) -> dict[str, Ended]:
    """Run a command for each suspect; to be called inside a flow.

    Args:
        names: the suspects.
        command: the arguments for one of them.
        logs: the folder of their output.
        commands: runs them, so many at once.
        tested: exit codes that say that the suspect could be tested.
    """
    ended: dict[str, Ended] = {}

    # datadeed resumes by itself: a result cached beside its folder could only disagree.
    @task(name="suspect", task_run_name="{name}", persist_result=False, cache_policy=NO_CACHE)
    def suspect(name: str) -> None:
        ended[name] = commands.run(command(name), logs / f"{name}.log")
        if ended[name].code not in tested:
            raise StageFailed(ended[name].why)

    try:
        wait([suspect.submit(name) for name in names])
    except BaseException:
        commands.stop()  # before Prefect waits for the workers
        raise
    lost = Ended(1, "error: Prefect could not run it: see the log of its server")
    return {name: ended.get(name, lost) for name in names}


def publish(findings: Sequence[Finding], path: Path, key: str) -> None:
    """Write the table as CSV, and give the running flow an artifact that shows the same."""
    rows = finding_rows(findings)
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    create_markdown_artifact(table(rows), key=key, description="What each suspect's run came to")

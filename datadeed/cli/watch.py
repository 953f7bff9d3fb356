"""Ask a suspect today's fresh questions; evidence adds up over its whole life.

To be run every day by a scheduler (docs/watch.md). A second run on the same day (UTC) asks nothing,
and a day on which the suspect cannot be asked is no day. Exit codes: 0 EVIDENCE, 3 NO EVIDENCE,
5 could not test. Evidence is a reason to run `datadeed verify`, which alone makes a claim.
"""

import argparse
from pathlib import Path
from typing import Any

from datadeed.cli.common import (
    COULD_NOT_TEST,
    add_suspect,
    fail,
    note,
    passphrase,
    progress,
    show,
)

CODES = {"EVIDENCE": 0, "NO EVIDENCE": 3}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add = parser.add_argument
    add_suspect(parser)
    add("--out", type=Path, required=True, help="the folder of this watch, and of nothing else")
    add("--batch", type=int, default=10, help="questions a day, fixed from the first day on (10)")
    add("--suspects", type=int, default=1, help="suspects watched under this key in all (1)")


def run(options: argparse.Namespace) -> int:
    """The command."""
    from datadeed.owner.asking import CouldNotTest
    from datadeed.owner.watch import watch

    try:
        done = watch(
            options.suspect,
            options.key,
            options.pool,
            options.out,
            pool_split=options.pool_split,
            batch=options.batch,
            suspects=options.suspects,
            passphrase=passphrase(),
            progress=progress,
            note=note,
        )
    except CouldNotTest as error:
        return fail(options, f"could not test: {error}", COULD_NOT_TEST)
    show(options, done.state, _text(done.state))
    return CODES[done.word]


def _text(state: dict[str, Any]) -> str:
    lines = [
        f"{state['word']}: {state['reason']}",
        f"{state['hits']} hits in {state['n']} questions on {len(state['days'])} days; "
        f"{state['questions_left']} questions left",
    ]
    if state["changed_on"]:
        lines += [f"clean answers last changed on {state['changed_on'][-1]}"]
    if state["word"] == "EVIDENCE":
        lines += ["now run `datadeed verify`: a watch alone is no claim"]
    return "\n".join(lines)

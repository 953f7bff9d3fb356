"""Ask a suspect today's fresh questions; evidence adds up over its whole life.

To be run every day by a scheduler (docs/watch.md). A second run on the same day (UTC) asks nothing,
and a day on which the suspect cannot be asked is no day. Exit codes: 0 EVIDENCE, 3 NO EVIDENCE,
5 could not test. Evidence is a reason to run `datadeed verify`, which alone makes a claim.
With --page: show what the watches in a store have come to.
"""

import argparse
from typing import Any

from datadeed.cli.common import COULD_NOT_TEST, add_suspect, ask, fail, say, show
from datadeed.cli.page import add_page, show_page
from datadeed.errors import DatadeedError

CODES = {"EVIDENCE": 0, "NO EVIDENCE": 3}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_suspect(parser, out="the folder of this watch, and of nothing else")
    of = "images a day, each under every part of the key; fixed from the first day on (%(default)s)"
    parser.add_argument("--blocks", type=int, default=1, help=of)
    of = "a store to share with a team, sqlite:///PATH or postgresql://HOST/DATABASE"
    parser.add_argument("--store", metavar="URL", help=of)
    add_page(parser)


def run(options: argparse.Namespace) -> int:
    """The command."""
    if options.page is not None:
        return show_page(options)
    from datadeed.owner.asking import CouldNotTest
    from datadeed.owner.watch import watch

    try:
        done = ask(watch, options, blocks=options.blocks)
    except CouldNotTest as error:
        _share(options)
        return fail(options, f"could not test: {error}", COULD_NOT_TEST)
    _share(options)
    show(options, done.state, _text(done.state))
    return CODES[done.word]


def _share(options: argparse.Namespace) -> None:
    """Put the run into the store. The folder has it all: what fails here is caught up next time."""
    if options.store is None:
        return
    try:
        from datadeed.watching.store.index import index
        from datadeed.watching.store.store import Store

        with Store.open(options.store) as store:
            index(store, options.out)
    except (DatadeedError, OSError) as error:
        say(f"warning: not in the store: {error}")


def _text(state: dict[str, Any]) -> str:
    lines = [
        f"{state['word']}: {state['reason']}",
        f"{state['hits']} hits in {state['n']} questions on {len(state['days'])} days; "
        f"{state['images_left']} images left",
    ]
    if state["changed_on"]:
        lines += [f"clean answers last changed on {state['changed_on'][-1]}"]
    if state["word"] == "EVIDENCE":
        lines += ["now run `datadeed verify`: a watch alone is no claim"]
    return "\n".join(lines)

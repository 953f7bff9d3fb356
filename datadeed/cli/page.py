"""The options of ``datadeed watch --page``, and what it does: no suspect is asked then."""

import argparse
import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datadeed.cli.common import say


class _Page(argparse.Action):
    """Names the store; what a watch needs may then be left out."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        setattr(namespace, self.dest, values)
        for action in parser._actions:
            action.required = False


def add_page(parser: argparse.ArgumentParser) -> None:
    """The options of the page."""
    add = parser.add_argument_group("the page of a store, instead of a watch").add_argument
    of = "show the page of this store, as sqlite:///watched/store.db, until an interrupt"
    add("--page", metavar="STORE", action=_Page, help=of)
    of = "address that the page listens on; beyond this machine DATADEED_PAGE_TOKEN in the "
    add("--host", help=of + "environment is needed (127.0.0.1)")
    add("--port", type=int, help="and its port, 0 for any (8321)")
    add("--name", action="append", help="a name by which visitors know this machine; repeat")
    of = "folder with folders of evidence, whose pages are shown"
    add("--evidence", type=Path, metavar="ROOT", help=of)


def show_page(options: argparse.Namespace) -> int:
    """Show the page until an interrupt; the return value is the exit code."""
    from datadeed.watching.page import serve

    with contextlib.suppress(KeyboardInterrupt):  # it is how one ends it
        serve.serve(
            options.page,
            host=options.host or serve.HOST,
            port=serve.PORT if options.port is None else options.port,
            names=options.name or (),
            evidence=options.evidence,
            say=say,
        )
    return 0

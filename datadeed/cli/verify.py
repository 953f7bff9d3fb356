"""Ask a suspect, and say what its answers prove.

Writes a folder of evidence. Stopped at any moment, the same command goes on where it stopped, and
asks nothing twice. Exit codes: 0 CLAIM, 3 INCONCLUSIVE, 4 NOT SUPPORTED, 5 could not test.
"""

import argparse
from pathlib import Path

from datadeed.cli.common import COULD_NOT_TEST, SEALS, add_suspect, ask, fail, show_evidence

CODES = {"CLAIM": 0, "INCONCLUSIVE": 3, "NOT SUPPORTED": 4}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add = parser.add_argument
    add_suspect(parser, out="the folder of evidence to make or to go on with")
    about = f"sign with this key; made if it does not exist; {SEALS}"
    add("--sign", type=Path, metavar="FILE", help=about)
    add("--timestamp", type=Path, metavar="TSR", help="the commitment's timestamp token")
    add("--roots", type=Path, metavar="PEM", help="certificates of the timestamp authority")


def run(options: argparse.Namespace) -> int:
    """The command."""
    from datadeed.owner.asking import CouldNotTest
    from datadeed.owner.verify import verify

    try:
        names = ("sign", "timestamp", "roots")
        done = ask(verify, options, **{name: getattr(options, name) for name in names})
    except CouldNotTest as error:
        return fail(options, f"could not test: {error}", COULD_NOT_TEST)
    show_evidence(options, done.evidence, done.folder / "report.html")
    return CODES[done.word]

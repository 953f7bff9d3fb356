"""Show a folder of evidence again: the verdict here, and the page ``report.html`` anew.

The page is made from ``evidence.json``. A signature covers the page as it was: a folder that is
signed keeps its page.
"""

import argparse
from pathlib import Path

from datadeed.cli.common import say, show_evidence


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a folder of evidence")


def run(options: argparse.Namespace) -> int:
    """The command."""
    from datadeed.owner.report import report

    found = report(options.folder)
    if found.signed:
        say("the folder is signed, so its page stays as it is")
    show_evidence(options, found.evidence, found.page)
    return 0

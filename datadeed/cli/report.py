"""Show a folder of evidence again: the verdict here, and the page ``report.html`` anew.

The page is made from ``evidence.json``. A signature covers the page as it was: a folder that is
signed keeps its page.
"""

import argparse
from pathlib import Path

from datadeed.cli.common import say


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a folder of evidence")


def run(options: argparse.Namespace) -> int:
    """The command."""
    from rich.console import Console

    from datadeed.cli.main import show_json
    from datadeed.files import atomic_path
    from datadeed.owner.evidence.attestation import ATTESTATION
    from datadeed.owner.evidence.log import PARQUET, read_parquet
    from datadeed.owner.evidence.report import render_proof, summary
    from datadeed.owner.evidence.schema import read_evidence

    evidence = read_evidence(options.folder / "evidence.json")
    records = read_parquet(options.folder / PARQUET, evidence["chain"]["anchor"])
    page = options.folder / "report.html"
    if (options.folder / ATTESTATION).exists():
        say("the folder is signed, so its page stays as it is")
    else:
        with atomic_path(page) as path:
            path.chmod(0o600)
            path.write_text(render_proof(evidence, records=records), encoding="utf-8")
    if options.json:
        show_json(evidence)
    else:
        Console().print(summary(evidence))
        Console().print(str(page), markup=False, highlight=False)
    return 0

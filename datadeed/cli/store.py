"""Fill a shared store of watches from their folders, or check one (docs/watch.md).

The folders are the truth: `rebuild` takes from them what the store lacks, all of it if the store is
empty; `check` goes through every chain of the store, and holds it against the folders under ROOT if
that is given. Exit codes: 0 done or sound, 1 damaged, or a folder was refused, 3 store and folders
differ.
"""

import argparse
from dataclasses import asdict
from pathlib import Path

from datadeed.cli.common import progress, say, show

DIFFER = 3


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("job", choices=("rebuild", "check"), metavar="JOB", help="rebuild or check")
    of = "sqlite:///PATH or postgresql://HOST/DATABASE; a password goes into PGPASSWORD"
    parser.add_argument("url", metavar="URL", help=of)
    of = "the folder that holds the watches' folders, and those of verifications"
    parser.add_argument("root", type=Path, nargs="?", metavar="ROOT", help=of)


def run(options: argparse.Namespace) -> int:
    """The command."""
    return _check(options) if options.job == "check" else _rebuild(options)


def _rebuild(options: argparse.Namespace) -> int:
    from datadeed.errors import DatadeedError
    from datadeed.watching.store.index import rebuild

    if options.root is None:
        raise DatadeedError("rebuild needs ROOT: name the folder that holds the watches' folders")
    added = rebuild(options.url, options.root, progress=progress)
    for line in added.refused:
        say(f"refused: {line}")
    counts = (added.suspects, added.days, added.runs, added.verdicts)
    text = "added {} suspects, {} days, {} runs, {} verdicts".format(*counts)
    show(options, asdict(added), text)
    return 1 if added.refused else 0


def _check(options: argparse.Namespace) -> int:
    from datadeed.watching.store.check import check
    from datadeed.watching.store.store import Store

    with Store.open(options.url, create=False) as store:
        found = check(store, options.root)
    counts = ", ".join(f"{count} {table}" for table, count in found.rows.items())
    lines = [*found.differences, f"every chain is whole: {counts}"]
    show(options, asdict(found), "\n".join(lines))
    return DIFFER if found.differences else 0

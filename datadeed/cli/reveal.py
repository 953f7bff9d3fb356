"""Open a key for a judge, or check evidence against an opened key, without the suspect.

``--opening FILE`` writes the key, secret included, for everybody to see: it is spent from then on.
``--check FOLDER`` checks the signature and the log's chain; with ``--opening FILE`` it derives
everything again and compares: the commitment, every question and answer, E, effect and verdict,
and, as far as they are named, the data before and after it was marked. What nobody can derive is
counted as stated (``--details`` lists it), and the premises of a claim have a status each.

Exit codes: 0 every premise is verified (or no evidence was checked), 1 a check FAILED, 6 the checks
hold, but a premise is only stated or missing.
"""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from datadeed.cli.common import (
    OPENS,
    add_reading,
    passphrase,
    progress,
    reading,
    say,
    show,
)
from datadeed.errors import DatadeedError

if TYPE_CHECKING:
    from datadeed.owner.check import Check

ONLY_STATED = 6  # exit code


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add = parser.add_argument
    add("--key", type=Path, help=f"the owner's secret file, to publish it; {OPENS}")
    add("--opening", type=Path, help="the opened key: to write, or to check with")
    add("--check", type=Path, metavar="FOLDER", help="a folder of evidence")
    add("--commitment", type=Path, help="the commitment that was published before the data")
    add("--source", type=Path, help="the data before it was marked")
    add("--split", help="its split")
    add("--released", type=Path, help="the data as it was released")
    add("--public-key", type=Path, metavar="PEM", help="the signer's key, had from the signer")
    add("--timestamp", type=Path, metavar="TSR", help="the commitment's timestamp token")
    add("--roots", type=Path, metavar="PEM", help="certificates of the timestamp authority")
    add(
        "--confirm",
        action="append",
        default=[],
        metavar="PREMISE",
        help="pool, numbers or suspect: you established it yourself, outside of these files",
    )
    about = "the samples that the key is bound to; by default those that lie beside --source"
    add("--pool", type=Path, help=about)
    add("--pool-split", help="the split of the pool, where there are several")
    add("--details", action="store_true", help="list what the accuser states")
    add_reading(parser)


def run(options: argparse.Namespace) -> int:
    """The command."""
    if options.key is not None and options.check is not None:
        raise DatadeedError("--key opens a key and --check checks with an opened one: name one")
    if options.key is not None:
        return _open(options)
    if options.check is None and options.source is None:
        raise DatadeedError("nothing to do: give --key to open it, or --check to check evidence")
    from datadeed.owner.check import check

    names = ("commitment", "source", "split", "released", "pool", "pool_split", "public_key")
    named = {name: getattr(options, name) for name in (*names, "timestamp", "roots")}
    found = check(
        options.opening,
        evidence=options.check,
        confirmed=options.confirm,
        reading=reading(options.option),
        progress=progress,
        **named,
    )
    checks, fields, premises = (
        [each for each in found if each.kind == kind] for kind in ("check", "field", "premise")
    )
    failed = sum(each.word == "FAILED" for each in checks)
    open_ones = [each for each in premises if each.word != "verified"]
    value = {
        "passed": not failed,
        "checks": [asdict(each) for each in checks],
        "stated": [asdict(each) for each in fields],
        "premises": [asdict(each) for each in premises],
    }
    lines = [_first_line(checks, failed, open_ones), "", *map(_line, checks)]
    lines += ["", "premises:", *map(_line, premises)] if premises else []
    if fields:
        shown = map(_line, fields) if options.details else ["--details lists them"]
        lines += ["", f"{len(fields)} fields are stated by the accuser, shown by nothing:", *shown]
    show(options, value, "\n".join(lines))
    return 1 if failed else ONLY_STATED if open_ones else 0


def _line(each: "Check") -> str:
    return f"{each.word:<12} {each.what}: {each.found}"


def _first_line(checks: "list[Check]", failed: int, open_ones: "list[Check]") -> str:
    """What it all comes to."""
    if failed:
        return f"{failed} of {len(checks)} checks failed: this evidence does not hold"
    if open_ones:
        return (
            "every check that was made passed; the verdict holds if these premises do, which are "
            f"not verified: {', '.join(each.what for each in open_ones)}"
        )
    return "every check that was made passed; what was not checked is not shown to be true"


def _open(options: argparse.Namespace) -> int:
    from datadeed.owner.reveal import reveal

    if options.opening is None:
        raise DatadeedError("--opening is missing: name the file that everybody may see")
    reveal(options.key, options.opening, passphrase=passphrase())
    say("whoever reads this file knows the key: it proves nothing about models made from now on")
    show(options, {"opening": str(options.opening)}, str(options.opening))
    return 0

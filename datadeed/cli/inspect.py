"""See what a thief would find in a release without the key, before it is published.

RELEASE is a dataset in any format. Public cleaners look at its samples, and detectors at what its
files show: order, names, inodes, times, sizes, encoders. Some only rank rows; others have a score
above which a row sticks out, which rows of Fashion-MNIST and CIFAR-10 do not reach unmarked. Exit
codes: 0 at most RATE of all rows stick out, 3 more do, so that marks would be found.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from datadeed.cli.common import OPENS, add_reading, note, passphrase, progress, reading, show

if TYPE_CHECKING:
    from datadeed.owner.inspect import Inspection

FOUND = 3  # exit code


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add = parser.add_argument
    add("release", type=Path, metavar="RELEASE", help="the dataset that will be published")
    add("--split", help="the split to look at, where there are several (train)")
    about = f"the secret file, to say how many of the marks are found; {OPENS}"
    add("--key", type=Path, help=about)
    add("--source", type=Path, help="the dataset before it was marked, which --key needs")
    add_reading(parser)
    add("--size", type=int, help="bring images of several sizes to this one")
    add(
        "--rate",
        type=float,
        default=0.005,
        help="share of the rows that stick out, above which marks count as found (%(default)s)",
    )
    add("--seed", type=int, default=0, help="of all draws (%(default)s)")


def run(options: argparse.Namespace) -> int:
    """The command."""
    from datadeed.owner.inspect import inspect

    done = inspect(
        options.release,
        key=options.key,
        source=options.source,
        split=options.split,
        reading=reading(options.option),
        size=options.size,
        rate=options.rate,
        passphrase=passphrase(),
        seed=options.seed,
        progress=progress,
        note=note,
    )
    show(options, done.record(), "\n".join(told(done)))
    return FOUND if done.alarm else 0


def told(done: "Inspection") -> Iterator[str]:
    """The table and the conclusion as lines."""
    with_key = done.marks is not None
    more = f"{'recall':>9}{'precision':>11}{'AUC':>7}" if with_key else ""
    yield f"{'':24}{'stick out':>10}{'share':>9}  {'most of':20}{more}"
    for one in done.findings:
        count = "ranks" if one.found is None else f"{one.found}"
        share = "" if one.found is None else f"{one.found / done.rows:.2%}"
        most = "" if one.found == 0 else f"{one.most_class[:12]!r} x{one.times:.1f}"
        line = f"{one.name:24}{count:>10}{share:>9}  {most:20}"
        if one.recall is not None and one.precision is not None and one.auc is not None:
            line += f"{one.recall:9.2f}{one.precision:11.2f}{one.auc:7.2f}"
        yield line
    if with_key:
        yield f"{done.marks} rows are marked; recall and precision if a tenth of all is dropped"
    yield done.conclusion()

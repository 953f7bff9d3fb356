"""Choose the samples to commit to: those that a model of yours gets right, but barely.

Marks are seen best on samples whose own class is hard to see. Give an honest model of your own that
was not trained on SOURCE; the pool is chosen before there is a suspect, and without the key.
"""

import argparse
import dataclasses
from pathlib import Path

from datadeed.cli.common import add_reading, note, progress, reading, show


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add = parser.add_argument
    add("source", type=Path, metavar="SOURCE", help="the samples to choose from")
    add("--split", help="their split, where there are several (test)")
    add_reading(parser)
    about = "an honest model of yours: its YAML file (docs/suspects.md), or a folder"
    add("--surrogate", type=Path, required=True, help=about)
    add("--out", type=Path, required=True, help="the Parquet file to make, for --pool")
    about = "how many to take (half of those that it gets right)"
    add("--count", type=int, help=about)
    add("--seconds", type=float, default=1.0, help="of sound: how much of each it hears (1)")


def run(options: argparse.Namespace) -> int:
    """The command."""
    from datadeed.owner.hard_pool import hard_pool

    made = hard_pool(
        options.surrogate,
        options.source,
        options.out,
        split=options.split,
        reading=reading(options.option),
        count=options.count,
        seconds=options.seconds,
        progress=progress,
        note=note,
    )
    margin = "unknown, as it gives labels only" if made.margin is None else f"{made.margin:.3g}"
    text = f"asked {made.asked}, right {made.right}, taken {made.taken}\n"
    text += f"margin of the last one taken: {margin}\n"
    text += f"commit to them before the release: datadeed commit DATA --key KEY --pool {made.out}"
    show(options, {**dataclasses.asdict(made), "out": str(made.out)}, text)
    return 0

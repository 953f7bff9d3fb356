"""Write the images for verification on which marks are seen best: right, but barely.

A small network is trained on the data. Of the test split (or of the data themselves, half by half)
those images are written whose right class it ranks first with the least margin. Commit to them with
--pool: what is chosen before the commitment, without a suspect, takes nothing from a claim.
"""

import argparse
import dataclasses
from pathlib import Path

from datadeed.cli.common import add_data, note, progress, show


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_data(parser)
    add = parser.add_argument
    add("--out", type=Path, required=True, help="the NPZ file to make, for commit's --pool")
    add("--size", type=int, help="how many images (a fifth of them, 400 at least)")
    add("--epochs", type=int, help="of the surrogate (as many as show it 200,000 images, 4 to 30)")
    add("--seed", type=int, default=0, help="of the surrogate (%(default)s)")


def run(options: argparse.Namespace) -> int:
    """The command."""
    from datadeed.owner.hard_pool import hard_pool

    names = ("split", "pool", "pool_split", "size", "epochs", "seed")
    made = hard_pool(
        options.source,
        options.out,
        progress=progress,
        note=note,
        **{name: getattr(options, name) for name in names},
    )
    text = f"{made.out}: {made.images} of {made.tested} images, the hardest of {made.right} that "
    text += f"the surrogate gets right, with a margin of {made.margin:.2f} at most\n"
    text += "commit to them with --pool, before the data are released"
    show(options, {**dataclasses.asdict(made), "out": str(made.out)}, text)
    return 0

"""Make a key for a dataset, and the commitment to publish before the data is released.

The key file is the owner's secret: keep it and a copy of it, outside the release. The commitment is
public: publish it, and have it time-stamped, before the data. With --beacon the triggers depend on
a random value that nobody knows yet, so that nobody can say you chose them.
"""

import argparse
from pathlib import Path

from datadeed.cli.common import add_data, add_levels, note, passphrase, progress, show
from datadeed.errors import KeyRecordError
from datadeed.keys.generation2 import ANSWERS, CARRIERS, Design2, Key2
from datadeed.keys.key import Beacon

DESIGN = ("parts", "rate", "carrier", "opacity", "answers", "alpha", "least_effect", "budget")


def add_design(parser: argparse.ArgumentParser) -> None:
    """The options that are committed."""
    add = parser.add_argument
    add("--parts", type=int, default=Design2.parts, help="triggers with a label (%(default)s)")
    add("--rate", type=float, default=Design2.rate, help="share of rows to mark (%(default)s)")
    add(
        "--carrier",
        choices=tuple(CARRIERS),
        default="patch",
        help="patch: small, and labels change; others: large and moving, on images of one size, "
        "and labels stay; cutout: pieces of the pool; mixed: of each part one that the key draws "
        "(%(default)s)",
    )
    add("--opacity", type=int, default=255, help="of the patches, 1 to 255 (%(default)s)")
    add(
        "--answers",
        choices=ANSWERS,
        default=Design2.answers,
        help="what a claim weighs: labels, or scores too where a suspect gives them (%(default)s)",
    )
    add_levels(parser)
    add("--beacon", nargs=2, metavar=("SOURCE", "ROUND"), help="a future round of a public beacon")
    add("--commitment", type=Path, help="where to write it; beside the key by default")
    add("--timestamp", metavar="URL", help="an RFC 3161 authority that stamps the commitment")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_data(parser)
    parser.add_argument("--key", type=Path, required=True, help="the secret file to make")
    add_design(parser)


def make_key(options: argparse.Namespace, forbidden: Path | None = None) -> Key2:
    """The key that the options ask for; see :func:`datadeed.owner.commit.commit`."""
    from datadeed.owner.commit import commit

    names = ("split", "pool", "pool_split", "commitment", "timestamp", *DESIGN)
    given = {name: getattr(options, name) for name in names}
    return commit(
        options.source,
        options.key,
        beacon=_beacon(options.beacon),
        passphrase=passphrase(),
        forbidden=forbidden,
        progress=progress,
        note=note,
        **given,
    ).key


def _beacon(values: list[str] | None) -> Beacon | None:
    if values is None:
        return None
    source, number = values
    if not (number.isascii() and number.isdecimal() and len(number) < 16 and int(number)):
        raise KeyRecordError(
            f"the beacon's round is {number[:40]!r}: give a whole number from 1 to 10**15 - 1"
        )
    return Beacon(source, int(number))


def run(options: argparse.Namespace) -> int:
    """The command."""
    key = make_key(options)
    text = f"commitment {key.commitment}\nsecret     {options.key}\n"
    text += "publish the commitment before the data; keep the secret, and a copy of it"
    if key.beacon is None:
        text += "\nno beacon: somebody may say that you tried many keys (docs/protect.md)"
    show(options, {**key.public(), "key": str(options.key)}, text)
    return 0

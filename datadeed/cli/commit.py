"""Make a key for a dataset, and the commitment to publish before the data is released.

The key file is the owner's secret: keep it and a copy of it, outside the release. The commitment is
public: publish it, and have it time-stamped, before the data. With --beacon the triggers depend on
a random value that nobody knows yet, so that nobody can say you chose them.
"""

import argparse
import math
from pathlib import Path

from datadeed.cli.common import (
    SEALS,
    add_data,
    add_levels,
    add_reading,
    note,
    passphrase,
    progress,
    reading,
    show,
)
from datadeed.errors import KeyRecordError
from datadeed.keys.generation2 import ANSWERS, CARRIERS, Key2
from datadeed.keys.key import Beacon
from datadeed.owner.plan_figures import USUAL_ANSWERS

DESIGN = (
    *("parts", "rate", "few_marks", "carrier"),
    *("answers", "alpha", "least_effect", "budget"),
)
SETTINGS = ("opacity", "labels", "level", "seconds")  # of carriers that have them


def add_design(parser: argparse.ArgumentParser) -> None:
    """The options that are committed."""
    add = parser.add_argument
    add("--parts", type=int, help="triggers with a label (as `datadeed plan SOURCE` says)")
    add("--rate", type=float, help="share of rows to mark (as `datadeed plan SOURCE` says)")
    add(
        "--few-marks",
        action="store_true",
        help="make the key even if a part gets fewer than 40 marks",
    )
    add(
        "--carrier",
        choices=tuple(CARRIERS),
        help="of images mosaic (the usual one), grating, cutout (a piece of the pool) or mixed "
        "(each part one of these): large and moving, on images of one size, and labels stay; "
        "patch: small, and labels change; docs/protect.md names those of texts and sound",
    )
    add("--opacity", type=int, help="of patches, 1 to 255 (255)")
    add("--labels", choices=("kept", "changed"), help="of marked texts and sound (kept)")
    add("--level", type=int, help="of marks in sound: percent of the clip's own loudness (100)")
    add("--seconds", type=float, help="of sound: how much of each file a model hears (1.0)")
    add(
        "--answers",
        choices=ANSWERS,
        default=USUAL_ANSWERS,
        help="what a claim weighs: labels, or scores too where a suspect gives them "
        f"({USUAL_ANSWERS})",
    )
    add_levels(parser)
    add("--beacon", nargs=2, metavar=("SOURCE", "ROUND"), help="a future round of a public beacon")
    add("--commitment", type=Path, help="where to write it; beside the key by default")
    add("--timestamp", metavar="URL", help="an RFC 3161 authority that stamps the commitment")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_data(parser)
    add_reading(parser)
    parser.add_argument("--key", type=Path, required=True, help=f"the secret file to make; {SEALS}")
    add_design(parser)


def make_key(options: argparse.Namespace, forbidden: Path | None = None) -> Key2:
    """The key that the options ask for; see :func:`datadeed.owner.commit.commit`."""
    from datadeed.owner.commit import commit

    names = ("split", "pool", "pool_split", "commitment", "timestamp", *DESIGN)
    given = {name: getattr(options, name) for name in names}
    return commit(
        options.source,
        options.key,
        reading=reading(options.option),
        settings=_settings(options),
        beacon=_beacon(options.beacon),
        passphrase=passphrase(),
        forbidden=forbidden,
        progress=progress,
        note=note,
        **given,
    ).key


def _settings(options: argparse.Namespace) -> dict[str, int]:
    """What was given of the carrier's own."""
    names = ("opacity", "level")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    if options.seconds is not None:
        given["milliseconds"] = _milliseconds(options.seconds)
    if options.labels is not None:
        given["relabels"] = int(options.labels == "changed")
    return given


def _milliseconds(seconds: float) -> int:
    if not math.isfinite(seconds) or abs(seconds) > 10**6:
        raise KeyRecordError(f"--seconds is {seconds}: give a number of seconds")
    return round(1000 * seconds)


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

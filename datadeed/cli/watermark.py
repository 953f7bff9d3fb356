"""Write a marked copy of a dataset: same format, file names, order, encoder and metadata.

Makes the key and the commitment first if the key file does not exist. A key that names a beacon
needs its value: --beacon-value. With --method a published watermark is used instead: it takes
--secret in place of --key, and no commitment is made. Texts and sound need --method.
"""

import argparse
import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from datadeed.cli import methods
from datadeed.cli.commit import add_design, make_key
from datadeed.cli.common import (
    add_data,
    check_extent,
    measure,
    open_data,
    passphrase,
    progress,
    read_key,
    say,
    show,
    to_tensor,
)
from datadeed.errors import KeyRecordError
from datadeed.keys.key import Key

if TYPE_CHECKING:
    from datadeed.owner.release.edits import Edit

# The default method's options; --rate and --opacity are also other methods'.
KEYED = (
    *("key", "beacon_value", "pool", "pool_split", "parts", "rate", "opacity", "alpha"),
    *("alpha_behaviour", "null_rate", "null_rate_source", "budget", "beacon"),
    *("commitment", "timestamp"),
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_data(parser)
    parser.add_argument("--out", type=Path, required=True, help="the marked copy to make")
    parser.add_argument("--key", type=Path, help="the secret file")
    parser.add_argument("--beacon-value", help="hexadecimal, of the round that the key names")
    add_design(parser)
    keyed = {name: parser.get_default(name) for name in KEYED}
    methods.add_options(parser)
    # None is "not given": an option of another method is refused, never ignored.
    parser.set_defaults(**dict.fromkeys(KEYED), defaults={"keyed": keyed, **methods.METHODS})
    parser.set_defaults(wrong_usage=parser.error)


def run(options: argparse.Namespace) -> int:
    """The command."""
    methods.settle(options)
    needed = "key" if options.method == "keyed" else "secret"
    if getattr(options, needed) is None:
        if needed == "key":
            open_data(options.source, options.split)  # a key would not help with texts or sound
        options.wrong_usage(f"the following arguments are required: --{needed}")
    if options.method != "keyed":
        from datadeed.cli import published

        return published.run(options)
    return _run_keyed(options)


def _run_keyed(options: argparse.Namespace) -> int:
    """The default method."""
    from datadeed.owner.release.release import release

    key = _key(options)
    data, split = open_data(options.source, options.split)
    rows, edit = edits(key)
    with progress("write", data.rows) as advance:
        done = release(
            options.source,
            options.out,
            rows=rows,
            edit=edit,
            generator=np.random.default_rng(key.words("file names", count=4)),
            split=split,
            on_rows=advance,
        )
    if done.max_difference:
        say(
            f"JPEG changed the marked pixels by {done.mark_difference:.1f} of 255 on average: "
            "train a model on the copy and verify it before you release it"
        )
    if done.odd_rows:
        say(f"{len(done.odd_rows)} marked images have other file headers than before")
    if done.listed_in:
        say(f"{', '.join(done.listed_in)}: names images whose label changed, and was copied as is")
    value = {"out": str(options.out), "commitment": key.commitment, **dataclasses.asdict(done)}
    text = f"{options.out}: {len(rows)} of {data.rows} rows carry one of {key.design.parts} marks"
    show(options, value, f"{text}\ncommitment {key.commitment}")
    return 0


def _key(options: argparse.Namespace) -> Key:
    """The key, made now if there is none, with its beacon's value, and checked against the data."""
    if not options.key.exists():
        key = make_key(options, forbidden=options.out)
        say(f"commitment {key.commitment}: publish it before the data")
        if key.beacon is not None:
            raise KeyRecordError(
                f"the key waits for round {key.beacon.round} of {key.beacon.source!r}: run again "
                "with --beacon-value when it is out"
            )
        return key
    from datadeed.keys.sealing import check_place, write_secret

    for folder in (options.source, options.out):  # files beside the data are copied as they are
        check_place(options.key, folder)
    key = read_key(options.key)
    if options.beacon_value is not None:
        value = _beacon_value(options.beacon_value)
        if key.beacon is not None and key.beacon.value not in ("", value):
            raise KeyRecordError("the key holds another beacon value already: leave it out")
        key = key.with_beacon(value)
        write_secret(options.key, key.record(), passphrase(), forbidden=options.out)
    _ = key.seed  # an error now rather than after a pass over the data
    data, _ = open_data(options.source, options.split)
    check_extent(measure(data, "check data")[0], key.data, str(options.source))
    return key


def _beacon_value(text: str) -> str:
    value = text.strip().lower()
    if not re.fullmatch("([0-9a-f]{2}){16,512}", value):
        raise KeyRecordError(
            "the beacon's value is not 16 to 512 bytes in hexadecimal: give it as it was published"
        )
    return value


def edits(key: Key) -> "tuple[np.ndarray, Edit]":
    """The rows that a key marks, (M,) int64, and the function that marks one of them."""
    from datadeed.watermarks.keyed import Keyed, KeyPart

    rows, parts = Keyed(key=key).rows()
    part_of = dict(zip(rows.tolist(), parts.tolist(), strict=True))
    marks = [KeyPart(key, part) for part in range(key.design.parts)]

    def edit(row: int, pixels: np.ndarray, label: int) -> tuple[np.ndarray, int]:
        mark = marks[part_of[row]]
        assert mark.target is not None
        return mark.stamp(to_tensor(pixels))[0].permute(1, 2, 0).numpy(), mark.target

    return rows, edit

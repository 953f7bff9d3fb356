"""Make a key for a dataset, and the commitment to publish before the data is released.

The key file is the owner's secret: keep it and a copy of it, outside the release. The commitment is
public: publish it, and have it time-stamped, before the data. With --beacon the triggers depend on
a random value that nobody knows yet, so that nobody can say you chose them.
"""

import argparse
import math
from pathlib import Path

from datadeed.cli.common import add_data, measure, open_data, open_pool, passphrase, show
from datadeed.errors import KeyRecordError
from datadeed.keys.key import Beacon, Design, Key


def add_design(parser: argparse.ArgumentParser) -> None:
    """The options that are committed."""
    add = parser.add_argument
    add("--parts", type=int, default=Design.parts, help="triggers, each with a label (12)")
    add("--rate", type=float, default=Design.rate, help="share of rows to mark (0.05)")
    add("--opacity", type=int, default=Design.opacity, help="of the patches, 1 to 255 (255)")
    add("--alpha", type=float, default=Design.alpha_key, help="level of the key layer (1e-6)")
    add("--alpha-behaviour", type=float, default=Design.alpha_behaviour, help="(0.01)")
    add("--null-rate", type=float, default=Design.null_rate, help="hit rate granted (0.25)")
    add("--null-rate-source", default="nominal", help="where that rate comes from")
    add("--budget", type=int, default=Design.budget, help="counted queries at most (200)")
    add("--beacon", nargs=2, metavar=("SOURCE", "ROUND"), help="a future round of a public beacon")
    add("--commitment", type=Path, help="where to write it; beside the key by default")
    add("--timestamp", metavar="URL", help="an RFC 3161 authority that stamps the commitment")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_data(parser)
    parser.add_argument("--key", type=Path, required=True, help="the secret file to make")
    add_design(parser)


def make_key(options: argparse.Namespace, forbidden: Path | None = None) -> Key:
    """Commit to the data and write the key and the commitment.

    Raises:
        KeyRecordError: the key or the commitment exists, a number makes no sense, or no suspect
            could ever be claimed with such a key.
        SecretError: the key's place is unfit.
        DatasetError: the data cannot be read.
    """
    from datadeed.files import atomic_path, write_json
    from datadeed.keys.sealing import check_place, write_secret

    public = options.commitment or options.key.with_name("commitment.json")
    if options.key.exists():
        raise KeyRecordError(f"{options.key} exists: a lost key cannot be made again; name another")
    if public.exists():
        raise KeyRecordError(f"{public} exists: name another place with --commitment")
    for folder in (options.source, forbidden):
        check_place(options.key, folder)
    beacon = _beacon(options.beacon)
    data, _ = open_data(options.source, options.split)
    pool = open_pool(options)
    if data.classes != pool.classes or data.channels != pool.channels:
        raise KeyRecordError(
            f"the pool has {len(pool.classes)} classes and {pool.channels} channels, the data "
            f"{len(data.classes)} and {data.channels}, or the class names differ: name another pool"
        )
    design = Design(
        classes=data.classes,
        channels=data.channels,
        parts=options.parts,
        rate=options.rate,
        opacity=options.opacity,
        alpha_key=options.alpha,
        alpha_behaviour=options.alpha_behaviour,
        null_rate=options.null_rate,
        null_rate_source=options.null_rate_source,
        budget=options.budget,
    )
    design.marks(data.rows)
    _check_design(design, pool.rows)
    key = Key.new(design, measure(data, "data")[0], measure(pool, "pool")[0], beacon)
    # Stamped before anything is written: an authority that is down leaves no key without a stamp.
    token = _stamp(key, options.timestamp)
    write_secret(options.key, key.record(), passphrase(), forbidden=forbidden)
    write_json(public, key.public())
    if token:
        with atomic_path(public.with_suffix(".tsr")) as path:
            path.write_bytes(token)
    return key


def _stamp(key: Key, authority: str | None) -> bytes:
    if authority is None:
        return b""
    from datadeed.owner.evidence.timestamp import request_timestamp

    return request_timestamp(key.commitment, authority)


def _check_design(design: Design, pool: int) -> None:
    """Refuse a key with which no suspect could ever be claimed: after release it is too late."""
    from datadeed.verification.keylabels import largest_factor
    from datadeed.verification.proof import POOL_LIMIT

    needed = design.parts * design.votes
    if min(pool, POOL_LIMIT) // 2 < needed:
        raise KeyRecordError(
            f"the pool has {pool} images, but {design.parts} parts of up to {design.votes} "
            f"questions need half of {2 * needed} to {POOL_LIMIT}: name a larger pool or take "
            "fewer parts"
        )
    best = largest_factor(
        len(design.classes), design.votes, beta=design.beta, epsilon=design.epsilon
    )
    if design.parts * math.log(best) < -math.log(design.alpha_key):
        raise KeyRecordError(
            f"{design.parts} parts of {len(design.classes)} classes cannot reach level "
            f"{design.alpha_key:g}: take more parts (datadeed plan says how many)"
        )


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

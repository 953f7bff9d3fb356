"""What is known of a public beacon's round: when it comes out, and whether a value is its own.

Known is drand quicknet (datadeed.keys.drand), under that name or its chain's hash.
"""

from datetime import datetime, timedelta
from importlib.util import find_spec

from datadeed.errors import KeyRecordError
from datadeed.keys.drand import CHAIN_HASH, SIGNATURE_BYTES, randomness, round_at, time_of
from datadeed.keys.key import Beacon


def round_time(beacon: Beacon) -> datetime | None:
    """When the round is out, in UTC; None for a beacon whose clock is not known.

    Raises:
        KeyRecordError: it would be out after the year 9999.
    """
    source = beacon.source.lower()
    known = "quicknet" in source or CHAIN_HASH in source
    return time_of(beacon.round) if known else None


def check_ahead(beacon: Beacon, now: datetime) -> None:
    """Refuse a round whose value may be known already.

    Raises:
        KeyRecordError: it is out.
    """
    when = round_time(beacon)
    if when is not None and when <= now:
        raise KeyRecordError(
            f"round {beacon.round} of {beacon.source!r} was out at {when:%Y-%m-%d %H:%M:%S} UTC, "
            f"so its value is known: name a later one, {round_at(now + timedelta(hours=1))} say, "
            "which is an hour away"
        )


def value_fault(beacon: Beacon) -> str | None:
    """Why the value is not shown to be the round's own; "" if it is, None if it cannot be.

    A signature of drand quicknet can be checked. The randomness that drand publishes beside it is a
    hash: only whoever has the signature can tell it from any other 32 bytes.

    Args:
        beacon: with its value.
    """
    value = bytes.fromhex(beacon.value)
    if round_time(beacon) is None or len(value) != SIGNATURE_BYTES or not find_spec("py_ecc"):
        return None
    try:
        randomness(beacon.round, value)
    except KeyRecordError as error:
        return str(error)
    return ""

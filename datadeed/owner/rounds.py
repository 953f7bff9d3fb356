"""When a round of a public beacon comes out, for beacons that keep a clock.

Source: what drand says of its quicknet chain: genesis_time 1692803367, period 3 seconds. Round 1 is
out at the genesis.
"""

from datetime import UTC, datetime

from datadeed.errors import KeyRecordError
from datadeed.keys.key import Beacon

GENESIS, PERIOD = 1_692_803_367, 3  # Unix time of round 1, and seconds a round
LATEST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()


def round_time(beacon: Beacon) -> datetime | None:
    """When the round is out, in UTC; None for a beacon whose clock is not known.

    Raises:
        KeyRecordError: it would be out after the year 9998.
    """
    if "quicknet" not in beacon.source.lower():
        return None
    seconds = GENESIS + PERIOD * (beacon.round - 1)
    if seconds >= LATEST:
        raise KeyRecordError(
            f"round {beacon.round} of {beacon.source!r} never comes: name one of the next days"
        )
    return datetime.fromtimestamp(seconds, UTC)


def check_ahead(beacon: Beacon, now: datetime) -> None:
    """Refuse a round whose value may be known already.

    Raises:
        KeyRecordError: it is out.
    """
    when = round_time(beacon)
    if when is not None and when <= now:
        next_hour = int(now.timestamp() + 3600 - GENESIS) // PERIOD + 1
        raise KeyRecordError(
            f"round {beacon.round} of {beacon.source!r} was out at {when:%Y-%m-%d %H:%M:%S} UTC, "
            f"so its value is known: name a later one, {next_hour} say, which is an hour away"
        )

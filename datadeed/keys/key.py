"""Keys of many random parts, committed before release, that nobody could have chosen afterwards.

A key is a secret of 32 random bytes and a public ``body``: the method, its parameters, the test,
and the Merkle roots of the data and of the pool of images that verification will draw from. The
owner publishes the commitment

    SHA-256("datadeed commitment 1" || canonical JSON of {body, salt, SHA-256(secret)})

before the data. The seed of everything that follows is

    HMAC-SHA-256(secret, commitment || beacon)

with the value of a public random beacon whose round the body names and which is drawn after the
commitment. Triggers, target labels, marked rows and the order of questions are read from SHAKE-256
streams of (seed, role, numbers). So with a beacon the accuser has no free choice at all; without
one he can try N secrets before he commits, and every error bound is to be multiplied by N.

Reasons: "False Claims against Model Ownership Resolution" (Liu et al. 2023, arXiv 2304.06607).
"""

import dataclasses
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from datadeed.errors import KeyRecordError

GENERATOR = "datadeed-keyed/1"  # any change of what a seed gives is another generator
_DOMAIN = b"datadeed commitment 1\0"
_FORM = "datadeed/key/1"


@dataclass(frozen=True)
class Design:
    """What the owner decides before release; all of it is committed.

    Attributes:
        classes: class names, in label order.
        channels: of an image, 1 or 3.
        parts: J, the number of trigger/label pairs.
        rate: share of all rows that carry a mark, all parts together.
        opacity: of the triggers, in 255ths.
        lead, votes: a part is asked until one label leads by ``lead``, at most ``votes`` times.
        beta, epsilon: weights of the key-label e-value.
        alpha_key, alpha_behaviour: level of each layer.
        null_rate: largest hit rate granted to an innocent model.
        null_rate_source: where that rate comes from; "nominal" if it was not calibrated.
        budget: counted queries a verification may spend.
    """

    classes: tuple[str, ...]
    channels: int
    parts: int = 12
    rate: float = 0.05
    opacity: int = 255
    lead: int = 2
    votes: int = 9
    beta: float = 1.6
    epsilon: float = 0.1
    alpha_key: float = 1e-6
    alpha_behaviour: float = 0.01
    null_rate: float = 0.25
    null_rate_source: str = "nominal"
    budget: int = 200

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(self.classes))
        whole = {"channels": (1, 3), "parts": (1, 1000), "opacity": (1, 255), "lead": (1, 100)}
        whole |= {"votes": (1, 1000), "budget": (1, 10**9)}
        for name, (low, high) in whole.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise KeyRecordError(
                    f"{name} is {value!r}: give a whole number from {low} to {high}"
                )
        for name in ("rate", "alpha_key", "alpha_behaviour", "null_rate", "epsilon"):
            value = getattr(self, name)
            if type(value) not in (int, float) or not 0 < value < 1:
                raise KeyRecordError(f"{name} is {value!r}: give a number between 0 and 1")
        if type(self.beta) not in (int, float) or not 0 < self.beta <= 10:
            raise KeyRecordError(f"beta is {self.beta!r}: give a number above 0 and at most 10")
        if len(self.classes) < 2 or len(set(self.classes)) != len(self.classes):
            raise KeyRecordError("classes must be two names or more, all different")

    def marks(self, rows: int) -> int:
        """How many of ``rows`` carry a mark.

        Raises:
            KeyRecordError: not every part would get one.
        """
        n = int(self.rate * rows + 1e-9)
        if n < self.parts:
            raise KeyRecordError(
                f"rate {self.rate} of {rows} rows is {n} marks for {self.parts} parts: raise the "
                "rate or take fewer parts"
            )
        return n


@dataclass(frozen=True)
class Extent:
    """A dataset that a key is bound to: its number of rows and its Merkle root in hexadecimal."""

    rows: int
    merkle_root: str


@dataclass(frozen=True)
class Beacon:
    """A round of a public random beacon, and its value in hexadecimal once it is out."""

    source: str
    round: int
    value: str = ""


@dataclass(frozen=True, repr=False)
class Key:
    """A secret and what it is bound to. Printing a key shows its commitment only.

    Attributes:
        secret, salt: 32 bytes each.
        design: what was decided before release.
        data: the dataset before it is marked.
        pool: the images that verification draws from.
        beacon: the round that was named in advance, or None.
    """

    secret: bytes
    salt: bytes
    design: Design
    data: Extent
    pool: Extent
    beacon: Beacon | None = None

    @classmethod
    def new(cls, design: Design, data: Extent, pool: Extent, beacon: Beacon | None = None) -> Self:
        """A key with a fresh secret from the operating system's generator."""
        design.marks(data.rows)
        return cls(secrets.token_bytes(32), secrets.token_bytes(32), design, data, pool, beacon)

    def __repr__(self) -> str:
        return f"Key(commitment={self.commitment})"

    @cached_property
    def commitment(self) -> str:
        """SHA-256 in hexadecimal: what is published before the data."""
        opening = {
            "body": self.body(),
            "salt": self.salt.hex(),
            "secret_sha256": hashlib.sha256(self.secret).hexdigest(),
        }
        return hashlib.sha256(_DOMAIN + _canonical(opening)).hexdigest()

    def body(self) -> dict[str, Any]:
        """All that is committed, but for the secret and the salt, as JSON values."""
        beacon = None
        if self.beacon is not None:
            beacon = {"source": self.beacon.source, "round": self.beacon.round}
        return {
            "generator": GENERATOR,
            "design": dataclasses.asdict(self.design) | {"classes": list(self.design.classes)},
            "data": dataclasses.asdict(self.data),
            "pool": dataclasses.asdict(self.pool),
            "beacon": beacon,
        }

    def with_beacon(self, value: str) -> Self:
        """The same key once the beacon's ``value`` (hexadecimal) is out.

        Raises:
            KeyRecordError: the commitment names no beacon, or the value is not hexadecimal.
        """
        if self.beacon is None:
            raise KeyRecordError("the commitment names no beacon: a value cannot be added later")
        _from_hex(value, "the beacon's value")
        return dataclasses.replace(
            self, beacon=dataclasses.replace(self.beacon, value=value.lower())
        )

    @cached_property
    def seed(self) -> bytes:
        """32 bytes that decide everything.

        Raises:
            KeyRecordError: the beacon's value is not known yet.
        """
        beacon = b""
        if self.beacon is not None:
            if not self.beacon.value:
                raise KeyRecordError(
                    f"round {self.beacon.round} of {self.beacon.source!r} is not in the key yet: "
                    "add its value when it is out"
                )
            beacon = bytes.fromhex(self.beacon.value)
        return hmac.digest(self.secret, bytes.fromhex(self.commitment) + beacon, "sha256")

    def words(self, role: str, *numbers: int, count: int) -> np.ndarray:
        """(count,) uint64, uniform and independent for each (role, numbers)."""
        name = json.dumps([role, *numbers]).encode()
        stream = hashlib.shake_256(self.seed + name).digest(8 * count)
        return np.frombuffer(stream, dtype="<u8")

    def integer(self, role: str, *numbers: int, below: int) -> int:
        """A whole number from 0 to ``below - 1``, exactly uniform."""
        limit = 2**64 // below * below
        for word in self.words(role, *numbers, count=64):  # all 64 refused: probability < 2**-64
            if int(word) < limit:
                return int(word) % below
        raise AssertionError("64 words in a row were refused")

    def permutation(self, role: str, *numbers: int, count: int) -> np.ndarray:
        """(count,) int64: 0 to ``count - 1`` in an order that the seed decides."""
        return np.argsort(self.words(role, *numbers, count=count), kind="stable")

    def public(self) -> dict[str, Any]:
        """What the owner publishes before the data. It gives nothing away but the date."""
        return {
            "form": "datadeed/commitment/1",
            "commitment": self.commitment,
            "generator": GENERATOR,
            "beacon": self.body()["beacon"],
        }

    def record(self) -> dict[str, Any]:
        """The whole key as JSON values, secret included."""
        return {
            "form": _FORM,
            "body": self.body(),
            "salt": self.salt.hex(),
            "secret": self.secret.hex(),
            "beacon_value": self.beacon.value if self.beacon else "",
            "commitment": self.commitment,
        }

    @classmethod
    def from_record(cls, record: Any) -> Self:
        """The key that :meth:`record` gave.

        Raises:
            KeyRecordError: it is incomplete, altered, or of another version.
        """
        try:
            form, body = record["form"], record["body"]
            if form != _FORM or body["generator"] != GENERATOR:
                raise KeyRecordError(
                    f"the key is of form {str(form)[:40]!r} and generator "
                    f"{str(body['generator'])[:40]!r}; this version reads {_FORM!r} and "
                    f"{GENERATOR!r}: use the version that made it"
                )
            beacon = body["beacon"]
            value = record["beacon_value"]
            if value != "":
                _from_hex(value, "the beacon's value")
            key = cls(
                _from_hex(record["secret"], "the secret", 32),
                _from_hex(record["salt"], "the salt", 32),
                Design(**body["design"]),
                Extent(**body["data"]),
                Extent(**body["pool"]),
                Beacon(beacon["source"], beacon["round"], value) if beacon else None,
            )
            stated = record["commitment"]
        except (KeyError, TypeError, AttributeError) as error:
            raise KeyRecordError(
                f"the key record is incomplete or of another form ({str(error)[:80]}): use the "
                "file as it was written"
            ) from error
        if key.commitment != stated or key.body() != body:
            raise KeyRecordError(
                "the key record does not give the commitment it states: it was altered"
            )
        return key


def _canonical(value: Any) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode()


def _from_hex(text: str, what: str, length: int | None = None) -> bytes:
    try:
        value = bytes.fromhex(text)
    except (ValueError, TypeError) as error:
        raise KeyRecordError(f"{what} is not hexadecimal: correct it") from error
    if not value or (length is not None and len(value) != length):
        raise KeyRecordError(f"{what} has {len(value)} bytes, not {length or 'some'}: correct it")
    return value

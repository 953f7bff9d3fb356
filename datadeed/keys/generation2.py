"""Keys of the second generation: targets among classes that have rows, answers in blocks.

What a generation's seed gives never changes, since keys that were released have to stay checkable.
So each generation has a file of its own: :mod:`datadeed.keys.key` holds the first, and the streams
that both draw from.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from datadeed.errors import KeyRecordError
from datadeed.keys.key import Beacon, Extent, Key

GENERATOR = "datadeed-keyed/2"
_FORM = "datadeed/key/2"
ANSWERS = ("labels", "scores")
HOSTS = ("drawn",)  # rules by which rows of the pool are asked about


@dataclass(frozen=True)
class Kind:
    """What a design may say of a carrier.

    Attributes:
        modality: of the samples that it marks.
        parts: how many at most.
        kept: share of the images on which an honest model is right that it is at least right on
            with a decoy; a suspect below it filters its inputs. One hides some of an image.
        ranges: its parameters, whole numbers, and the least and the largest value of each.
        usual: the value of each, unless the owner gives another.
    """

    modality: str = "image"
    parts: int = 1000
    kept: float = 1.0
    ranges: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    usual: Mapping[str, int] = field(default_factory=dict)


_RELABELS = {"relabels": (0, 1)}  # 1: marked rows get their part's label, 0: they have it before
# Of sound: the rate of all clips, and how much of each a model hears; the marks' loudness in
# percent of the clip's own; whether labels change.
_SOUND = Kind(
    modality="audio",
    parts=30,  # of 42 patterns, the rest is for decoys
    kept=0.5,
    ranges={
        "hertz": (4000, 192_000),
        "milliseconds": (100, 60_000),
        "level": (10, 400),
        **_RELABELS,
    },
    usual={"milliseconds": 1000, "level": 100, "relabels": 0},
)

CARRIERS = {
    "patch": Kind(ranges={"opacity": (1, 255)}, usual={"opacity": 255}),
    # Of 63 pairs that differ enough, the rest is for decoys. One hides a third of an image.
    "mosaic": Kind(parts=48, kept=0.25),
    # Of 15 pairs of frequencies, three are for decoys.
    "grating": Kind(parts=12, kept=0.4),
    "cutout": Kind(kept=0.4),
    # Each part is a mosaic, a cut-out or, of the first 12, a grating.
    "mixed": Kind(parts=48, kept=0.25),
    # Of each list of words half is for decoys. Some words more may cost a model answers.
    "words": Kind("text", parts=96, kept=0.9, ranges=_RELABELS, usual={"relabels": 0}),
    "clauses": Kind("text", parts=64, kept=0.8, ranges=_RELABELS, usual={"relabels": 0}),
    "tones": _SOUND,
    "chirps": _SOUND,
    "bands": _SOUND,
}
# By modality, unless the owner names another.
USUAL_CARRIERS = {"image": "mosaic", "text": "clauses", "audio": "chirps"}


def default_carrier() -> dict[str, Any]:
    """A patch of cells that covers what lies under it."""
    return {"name": "patch", "opacity": 255}


@dataclass(frozen=True)
class Design2:
    """What the owner decides before release; all of it is committed.

    Attributes:
        classes: class names, in label order.
        channels: of an image, 1 or 3; of texts and clips 0.
        targets: the classes that have rows, by number, ascending. Parts' labels are drawn among
            them: a mark of a class that has no other row would be seen at once.
        parts: J, the number of trigger/label pairs, 2 or more.
        rate: share of all rows that carry a mark, all parts together; of mosaics fewer, where a
            class is small.
        carrier: ``name`` of what the triggers are, and its parameters.
        answers: "labels", or "scores": probabilities are weighed beside the labels, where a
            suspect gives them for all classes.
        hosts: how rows of the pool are chosen to be asked about; "drawn": by the key's seed, that
            is by the beacon.
        alpha: level of a claim.
        least_effect: success of the mark above decoys that NOT SUPPORTED excludes.
        budget: counted questions that a verification may spend.
    """

    classes: tuple[str, ...]
    channels: int
    targets: tuple[int, ...]
    parts: int = 12
    rate: float = 0.05
    carrier: Mapping[str, Any] = field(default_factory=default_carrier)
    answers: str = "labels"
    hosts: str = "drawn"
    alpha: float = 1e-6
    least_effect: float = 0.2
    budget: int = 400

    def __post_init__(self) -> None:
        for name in ("classes", "targets"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "carrier", dict(self.carrier))
        for name, low, high in (("channels", 0, 3), ("parts", 2, 1000), ("budget", 1, 10**9)):
            _check_whole(name, getattr(self, name), low, high)
        for name in ("rate", "alpha", "least_effect"):
            value = getattr(self, name)
            if type(value) not in (int, float) or not 0 < value < 1:
                raise KeyRecordError(f"{name} is {value!r}: give a number between 0 and 1")
        for name, known in (("answers", ANSWERS), ("hosts", HOSTS)):
            if getattr(self, name) not in known:
                raise KeyRecordError(
                    f"{name} is {getattr(self, name)!r}: give {' or '.join(known)}"
                )
        self._check_classes()
        self._check_carrier()

    def _check_classes(self) -> None:
        if len(self.classes) < 2 or len(set(self.classes)) != len(self.classes):
            raise KeyRecordError("classes must be two names or more, all different")
        for target in self.targets:
            _check_whole("a target", target, 0, len(self.classes) - 1)
        if len(self.targets) < 2 or list(self.targets) != sorted(set(self.targets)):
            raise KeyRecordError("targets must be two classes or more, ascending, none twice")

    def _check_carrier(self) -> None:
        name = str(self.carrier.get("name"))
        kind = CARRIERS.get(name)
        if kind is None:
            raise KeyRecordError(f"carrier {name!r} is unknown: choose {', '.join(CARRIERS)}")
        if set(self.carrier) != {"name", *kind.ranges}:
            known = ", ".join(kind.ranges) or "no parameter"
            raise KeyRecordError(f"carrier {name} has {known}, nothing else")
        for parameter, (low, high) in kind.ranges.items():
            _check_whole(f"the carrier's {parameter}", self.carrier[parameter], low, high)
        if self.parts > kind.parts:
            raise KeyRecordError(f"{self.parts} parts: {name} is enough for {kind.parts}, no more")
        allowed = (1, 3) if kind.modality == "image" else (0,)
        if self.channels not in allowed:
            raise KeyRecordError(
                f"channels is {self.channels}: carrier {name} takes "
                f"{' or '.join(map(str, allowed))}, for {kind.modality}"
            )

    @property
    def kind(self) -> Kind:
        """Of the carrier."""
        return CARRIERS[self.carrier["name"]]

    @property
    def opacity(self) -> int:
        """Of a patch, in 255ths."""
        return int(self.carrier["opacity"])

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

    def record(self) -> dict[str, Any]:
        """As JSON values."""
        values = dataclasses.asdict(self)
        return values | {name: list(values[name]) for name in ("classes", "targets")}


@dataclass(frozen=True, repr=False)
class Key2(Key):
    """A secret and what it is bound to, of the second generation; see :class:`Key`."""

    design: Design2  # type: ignore[assignment]  # a generation's design is its own

    def body(self) -> dict[str, Any]:
        """All that is committed, but for the secret and the salt, as JSON values."""
        beacon = self.beacon and {"source": self.beacon.source, "round": self.beacon.round}
        return {
            "generator": GENERATOR,
            "design": self.design.record(),
            "data": dataclasses.asdict(self.data),
            "pool": dataclasses.asdict(self.pool),
            "beacon": beacon,
        }

    def target(self, part: int) -> int:
        """The label of a part: uniform over the targets, independent of its trigger."""
        targets = self.design.targets
        return targets[self.integer("target", part, below=len(targets))]

    def public(self) -> dict[str, Any]:
        """What the owner publishes before the data. It gives nothing away but the date."""
        return super().public() | {"generator": GENERATOR}

    def record(self) -> dict[str, Any]:
        """The whole key as JSON values, secret included."""
        return super().record() | {"form": _FORM}

    @classmethod
    def from_record(cls, record: Any) -> Self:
        """The key that :meth:`record` gave.

        Raises:
            KeyRecordError: it is incomplete, altered, or of another version.
        """
        try:
            body = record["body"]
            beacon = body["beacon"]
            key = cls(
                _bytes(record["secret"], "the secret"),
                _bytes(record["salt"], "the salt"),
                Design2(**body["design"]),
                Extent(**body["data"]),
                Extent(**body["pool"]),
                Beacon(beacon["source"], beacon["round"]) if beacon else None,
            )
            value, stated = record["beacon_value"], record["commitment"]
            form = record["form"]
            if value:
                key = key.with_beacon(value)
        except (KeyError, TypeError, AttributeError) as error:
            raise KeyRecordError(
                f"the key record is incomplete or of another form ({str(error)[:80]}): use the "
                "file as it was written"
            ) from error
        if (form, key.commitment) != (_FORM, stated) or key.record() != record:
            raise KeyRecordError(
                "the key record does not give the commitment it states: it was altered"
            )
        return key


def key_from_record(record: Any) -> Key:
    """The key in a record, of whichever generation.

    Raises:
        KeyRecordError: it is incomplete, altered, or of a generation that is not known.
    """
    second = isinstance(record, dict) and record.get("form") == _FORM
    return (Key2 if second else Key).from_record(record)


def second_generation(key: Key) -> Key2:
    """The key, if suspects can be asked with it.

    Raises:
        KeyRecordError: it is of the first generation.
    """
    if not isinstance(key, Key2):
        raise KeyRecordError(
            "the key is of the first generation: its evidence can be checked (datadeed reveal "
            "--check), but suspects are asked with keys of the second; use the release that made it"
        )
    return key


def _check_whole(name: str, value: Any, low: int, high: int) -> None:
    if type(value) is not int or not low <= value <= high:
        raise KeyRecordError(f"{name} is {value!r}: give a whole number from {low} to {high}")


def _bytes(text: Any, what: str) -> bytes:
    try:
        value = bytes.fromhex(text)
    except (ValueError, TypeError) as error:
        raise KeyRecordError(f"{what} is not hexadecimal: correct it") from error
    if len(value) != 32:
        raise KeyRecordError(f"{what} has {len(value)} bytes, not 32: correct it")
    return value

"""One counted question and its answer, and the chain of hashes that ties all of them together.

A record's hash is SHA-256 over its canonical JSON (sorted keys, no spaces, shortest decimal that
reads back to the same float), which holds the hash of the record before. The first one holds the
log's anchor. So a record that is changed, moved, inserted or removed breaks the chain; records
removed from the end alone do not, which is why ``evidence.json`` states the chain's head.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from datadeed.errors import EvidenceError
from datadeed.files import canonical_digest
from datadeed.owner.evidence.fields import (
    check_fields,
    is_count,
    is_count_or_none,
    is_digest,
    is_float,
    is_list,
    is_text,
    is_time,
    short_line,
    utc_text,
)

if TYPE_CHECKING:
    from datadeed.owner.suspects.base import Answer

QUESTIONS = ("probe", "block", "pair", "decoy")
PURPOSES = (*QUESTIONS, "key", "behaviour")  # the last two are those of the first generation
REMEDY = "ask for the original log, or start anew in an empty folder"


class Link(ABC):
    """A record in a chain: its place, the hash before and its own, and the one way to write it."""

    seq: int
    previous: str
    hash: str

    @abstractmethod
    def values(self) -> dict[str, Any]:
        """As JSON values."""

    def line(self) -> str:
        """As canonical JSON: the one way to write this record."""
        return json.dumps(self.values(), sort_keys=True, separators=(",", ":"), allow_nan=False)

    def digest(self) -> str:
        """What ``hash`` must be."""
        values = self.values()
        del values["hash"]
        return canonical_digest(values)


@dataclass(frozen=True)
class Record(Link):
    """One question put to the suspect, with its answer.

    Attributes:
        seq: position in the log, from 0.
        time: when the answer was there, UTC, ISO 8601 with milliseconds.
        purpose: "probe" (clean, not counted), "block", "pair" or "decoy"; of the first generation
            of keys, "key" or "behaviour".
        part, row: the key's part and the pool's row; None where there is none.
        question: SHA-256 of the image asked.
        labels: class numbers, best first; empty if there is no known class or no answer.
        scores: probabilities beside ``labels``; None if the suspect gives labels only.
        error: why there is no answer; "" if there is one.
        attempts: requests that this answer took.
        seconds: how long it took.
        response_sha256: of the response's body; "" for a local suspect.
        previous: hash of the record before, or the log's anchor.
        hash: SHA-256 of all of the above.
    """

    seq: int
    time: str
    purpose: str
    part: int | None
    row: int | None
    question: str
    labels: tuple[int, ...]
    scores: tuple[float, ...] | None
    error: str
    attempts: int
    seconds: float
    response_sha256: str
    previous: str
    hash: str = ""

    def values(self) -> dict[str, Any]:
        """As JSON values."""
        values = asdict(self)
        values["labels"] = list(self.labels)
        values["scores"] = None if self.scores is None else list(self.scores)
        return values

    def answer(self) -> "Answer":
        """The answer as the suspect gave it, for a run that must not pay for it twice."""
        from datadeed.owner.suspects.base import Answer

        return Answer(
            labels=self.labels,
            scores=self.scores,
            error=self.error,
            attempts=self.attempts,
            seconds=self.seconds,
            response_sha256=self.response_sha256,
        )


def new_record(
    *,
    seq: int,
    previous: str,
    purpose: str,
    part: int | None,
    row: int | None,
    question: str,
    answer: "Answer",
) -> Record:
    """The record of ``answer``, dated now.

    Raises:
        EvidenceError: a value cannot stand in a log (a score that is NaN, say).
    """
    record = read_record(
        {
            "seq": seq,
            "time": now(),
            "purpose": purpose,
            "part": part,
            "row": row,
            "question": question,
            "labels": [int(label) for label in answer.labels],
            "scores": None if answer.scores is None else [float(score) for score in answer.scores],
            "error": short_line(answer.error),
            "attempts": int(answer.attempts),
            "seconds": float(answer.seconds),
            "response_sha256": answer.response_sha256,
            "previous": previous,
            "hash": "0" * 64,
        }
    )
    return replace(record, hash=record.digest())


def now() -> str:
    """The time, as a record states it."""
    return utc_text(datetime.now(UTC))


def read_record(values: Mapping[str, Any]) -> Record:
    """A record from JSON values, each checked for its type.

    Raises:
        EvidenceError: a field is missing, unknown or not of its type.
    """
    check_fields(values, _CHECKS)
    scores = values["scores"]
    return Record(
        **{
            **values,
            "labels": tuple(values["labels"]),
            "scores": None if scores is None else tuple(scores),
        }
    )


_Link = TypeVar("_Link", bound=Link)


def check_chain(
    rows: Iterable[Mapping[str, Any]],
    anchor: str,
    path: Path,
    read: Callable[[Mapping[str, Any]], _Link],
) -> list[_Link]:
    """Read ``rows`` in order and check that each continues the chain from ``anchor``.

    Args:
        rows: as JSON values.
        anchor: the first row's ``previous``.
        path: named in errors.
        read: a record from JSON values, each checked for its type.

    Raises:
        EvidenceError: naming the first row that was changed, or stands where another should.
    """
    records: list[_Link] = []
    head = anchor
    for row, values in enumerate(rows):
        try:
            record = read(values)
        except EvidenceError as error:
            raise EvidenceError(f"{path}, row {row}: {error}; {REMEDY}") from error
        if record.seq != row:
            raise EvidenceError(
                f"{path}, row {row} is numbered {record.seq}: rows were removed, inserted or "
                f"moved; {REMEDY}"
            )
        if record.previous != head:
            what = "the log belongs to another key" if row == 0 else "the row before was replaced"
            raise EvidenceError(f"{path}, row {row} does not continue the chain: {what}; {REMEDY}")
        if record.hash != record.digest():
            raise EvidenceError(f"{path}, row {row} was changed; {REMEDY}")
        records.append(record)
        head = record.hash
    return records


_CHECKS: dict[str, Callable[[Any], bool]] = {
    "seq": is_count,
    "time": is_time,
    "purpose": lambda value: type(value) is str and value in PURPOSES,
    "part": is_count_or_none,
    "row": is_count_or_none,
    "question": is_digest,
    "labels": lambda value: is_list(value, is_count),
    "scores": lambda value: value is None or is_list(value, is_float),
    "error": is_text,
    "attempts": is_count,
    "seconds": lambda value: is_float(value) and value >= 0,
    "response_sha256": lambda value: value == "" or is_digest(value),
    "previous": is_digest,
    "hash": is_digest,
}

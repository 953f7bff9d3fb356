"""The runs of a watch: ``runs.jsonl`` takes a record of each, also of one that could not test.

It is chained and synced as the log of queries is, from the same anchor, and each record holds that
log's head. A run that was killed leaves no record; the next one counts its questions as its own, so
that the records together count each question of the log once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from datadeed.errors import EvidenceError
from datadeed.files import canonical_digest
from datadeed.owner.evidence.chained import ChainedLog
from datadeed.owner.evidence.fields import (
    check_fields,
    is_count,
    is_digest,
    is_float,
    is_list,
    is_text,
    is_time,
    short_line,
)
from datadeed.owner.evidence.log import QueryLog
from datadeed.owner.evidence.records import Link, Record, now

if TYPE_CHECKING:
    from datadeed.owner.suspects.base import Suspect

FORM, STATE, RUNS = "datadeed/watch/3", "watch.json", "runs.jsonl"
COULD_NOT_TEST = "COULD NOT TEST"
WORDS = ("EVIDENCE", "NO EVIDENCE", COULD_NOT_TEST)


def anchor_of(fixed: Mapping[str, Any]) -> str:
    """The anchor of a watch's files: a digest of all that is fixed from its first day on."""
    return canonical_digest(["datadeed watch 3", fixed])


@dataclass(frozen=True)
class Run(Link):
    """One run of a watch.

    Attributes:
        seq: position in the file, from 0.
        time: when it ended, UTC, ISO 8601 with milliseconds; date: the day that it asked for.
        word: EVIDENCE, NO EVIDENCE or COULD NOT TEST; ``reason`` says why.
        questions: put since the record before, clean ones too; ``failed`` of them.
        requests: attempts at these questions; ``seconds``: that they took.
        cost: of the requests, in the currency of the suspect's file; 0.0 if it gives no price.
        changed: whether clean questions got other answers than the time before.
        log_e: ln E after it; ``bar``: that E must reach; ``days``: completed ones after it.
        completed: the days completed since the record before, each with ``day``, ``date``, ``n``,
            ``hits``, ``failed`` and ``log_e``.
        rows, head: of the log of queries, after it.
        previous: hash of the record before, or the anchor; ``hash``: SHA-256 of all of the above.
    """

    seq: int
    time: str
    date: str
    word: str
    reason: str
    questions: int
    failed: int
    requests: int
    seconds: float
    cost: float
    changed: bool
    log_e: float
    bar: float
    days: int
    completed: tuple[dict[str, Any], ...]
    rows: int
    head: str
    previous: str
    hash: str = ""

    def values(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self) | {"completed": list(self.completed)}


def read_run(values: Mapping[str, Any]) -> Run:
    """A run from JSON values, each checked for its type.

    Raises:
        EvidenceError: a field is missing, unknown or not of its type.
    """
    check_fields(values, _CHECKS)
    return Run(**{**values, "completed": tuple(values["completed"])})


class RunLog(ChainedLog[Run]):
    """The runs of a watch, made or resumed by ``with RunLog(folder, anchor_of(fixed))``."""

    name, called = RUNS, "runs"
    read = staticmethod(read_run)

    def append(self, values: Mapping[str, Any]) -> Run:
        """Write one run and return it once it is on the disk.

        Args:
            values: all of :class:`Run` but its place in the chain.

        Raises:
            EvidenceError: a value cannot stand in it, the log is closed, or the disk is full.
        """
        place = {"seq": len(self.records), "previous": self.head, "hash": "0" * 64}
        run = read_run({**values, **place})
        return self._add(replace(run, hash=run.digest()))


def check_runs(log: QueryLog) -> None:
    """Check the runs on record against a watch's open log, before anything is asked.

    Raises:
        EvidenceError: the file of runs was changed, or knows of answers that the log lacks.
    """
    with RunLog(log.folder, log.anchor) as runs:
        if runs.records:
            _check_rows(runs.records[-1], log.records, log)


def append_run(log: QueryLog, suspect: "Suspect", state: Mapping[str, Any]) -> Run:
    """Write down what a run came to.

    Args:
        log: of the watch, open.
        suspect: that was asked, or could not be.
        state: as ``watch.json`` has it after the run.

    Raises:
        EvidenceError: the file was changed, or cannot be written; what was asked is in the log, and
            the next run counts it.
    """
    with RunLog(log.folder, log.anchor) as runs:
        start = runs.records[-1].rows if runs.records else 0
        known = sum(len(run.completed) for run in runs.records)
        last, spent = state["last_run"], spending(log.records[start:])
        dates = {record.time[:10] for record in log.records[start:]}
        budget = getattr(suspect, "budget", None)  # of a server: files cost nothing
        price = 0.0 if budget is None else budget.cost_per_query or 0.0
        return runs.append(
            {
                "time": now(),
                "date": last["date"],
                "word": last["word"],
                "reason": short_line(last["reason"]),
                **spent,
                "cost": float(spent["requests"] * price),
                "changed": bool(dates & set(state["changed_on"])),
                "log_e": float(state["log_e"]),
                "bar": float(state["bar"]),
                "days": len(state["days"]),
                "completed": [{name: day[name] for name in _DAY} for day in state["days"][known:]],
                "rows": len(log.records),
                "head": log.head,
            }
        )


def spending(records: Sequence[Record]) -> dict[str, Any]:
    """What a run spent, by the answers that it got: questions, failed, requests, seconds."""
    return {
        "questions": len(records),
        "failed": sum(bool(record.error) for record in records),
        "requests": sum(record.attempts for record in records),
        "seconds": float(sum(record.seconds for record in records)),
    }


def check_against(runs: Sequence[Run], queries: Sequence[Record], log: QueryLog) -> None:
    """Check what runs state against the log of queries, as far as that goes without the key.

    Each run's head, questions, failures, requests and seconds follow from the log, and its days are
    numbered on from those before. Its word, reason, cost, hits and E are taken as stated.

    Args:
        runs: all of a watch.
        queries: of the same watch; it may hold more than the last run knew of.
        log: names the files, and has the anchor; it need not be open.

    Raises:
        EvidenceError: naming the first run that the log does not bear out.
    """
    start, days = 0, 0
    for run in runs:
        _check_rows(run, queries, log)
        spent = spending(queries[start : run.rows])
        numbers = [day["day"] for day in run.completed]
        days += len(numbers)
        stated = run.values()
        if any(stated[name] != value for name, value in spent.items()) or (
            numbers != [*range(days - len(numbers) + 1, days + 1)] or run.days != days
        ):
            raise EvidenceError(
                f"{log.folder / RUNS}, row {run.seq} states other questions or days than "
                f"{log.path.name} holds: restore both from one copy"
            )
        start = run.rows


def _check_rows(run: Run, queries: Sequence[Record], log: QueryLog) -> None:
    rows = run.rows
    if len(queries) < rows or run.head != (queries[rows - 1].hash if rows else log.anchor):
        raise EvidenceError(
            f"{log.path} has lost answers that {RUNS} knows of: restore both from one copy"
        )


def _is_day(value: Any) -> bool:
    try:
        check_fields(value, _DAY)
    except (EvidenceError, TypeError):
        return False
    return True


_DAY = {
    "day": is_count,
    "date": is_text,
    "n": is_count,
    "hits": is_count,
    "failed": is_count,
    "log_e": is_float,
}
_CHECKS = {
    "seq": is_count,
    "time": is_time,
    "date": is_text,
    "word": lambda value: type(value) is str and value in WORDS,
    "reason": is_text,
    "questions": is_count,
    "failed": is_count,
    "requests": is_count,
    "seconds": lambda value: is_float(value) and value >= 0,
    "cost": lambda value: is_float(value) and value >= 0,
    "changed": lambda value: type(value) is bool,
    "log_e": is_float,
    "bar": is_float,
    "days": is_count,
    "completed": lambda value: is_list(value, _is_day),
    "rows": is_count,
    "head": is_digest,
    "previous": is_digest,
    "hash": is_digest,
}

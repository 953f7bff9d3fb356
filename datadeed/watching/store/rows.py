"""The rows of a store, and what it says of a suspect at a glance.

Times are UTC, ISO 8601 with milliseconds ("2026-11-22T09:00:00.000Z"); dates are days in UTC;
logarithms are natural, an infinite one is 1e308. Text is printable and one line.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class SuspectRow:
    """One watch: a suspect under a key, with all that is fixed from the first day on.

    Attributes:
        id: 64 hexadecimal digits: the anchor of the watch's query log, a digest of what is fixed.
        subject: 64 hexadecimal digits: what a watch and a verification of the same suspect have in
            common, a digest of commitment, name, protocol and endpoint.
        name, protocol, endpoint: as the suspect's file has them; no credentials.
        commitment: of the key.
        blocks: samples a day, each under every part of the key.
        suspects, keys: how many are watched, and how many keys are tried, in all.
        previous, hash: of the chain, which begins here.
    """

    id: str
    subject: str
    name: str
    protocol: str
    endpoint: str
    commitment: str
    blocks: int
    suspects: int
    keys: int
    previous: str
    hash: str


@dataclass(frozen=True)
class DayRow:
    """A completed batch.

    Attributes:
        suspect: :attr:`SuspectRow.id`.
        day: 1, 2, ...
        date: on which it was completed.
        questions: counted ones; ``hits`` and ``failed`` of them.
        log_e: ln E after it.
        previous, hash: of the suspect's chain of days.
    """

    suspect: str
    day: int
    date: str
    questions: int
    hits: int
    failed: int
    log_e: float
    previous: str
    hash: str


@dataclass(frozen=True)
class RunRow:
    """One run of ``datadeed watch``, also one that could not test.

    Attributes:
        suspect: :attr:`SuspectRow.id`.
        seq: 0, 1, ...
        time, date: when it ended; the date is the one that it asked for.
        word: EVIDENCE, NO EVIDENCE or COULD NOT TEST; ``reason`` says why.
        questions: put since the run before, clean ones too; ``failed`` of them.
        requests: attempts at these questions.
        seconds: that they took.
        cost: of the requests, in the currency of the suspect's file; 0 if it gives no price.
        changed: whether clean questions got other answers than the time before.
        log_e, days: ln E, and completed days, after it.
        bar: that E must reach.
        rows, head: of the query log, after it.
        record: hash of the record in ``runs.jsonl``.
        previous, hash: of the suspect's chain of runs.
    """

    suspect: str
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
    days: int
    bar: float
    rows: int
    head: str
    record: str
    previous: str
    hash: str


@dataclass(frozen=True)
class VerdictRow:
    """What one ``datadeed verify`` came to.

    Attributes:
        subject: :attr:`SuspectRow.subject`.
        seq: 0, 1, ...
        name, protocol, endpoint, commitment: as in :class:`SuspectRow`.
        time: when the evidence was made.
        word: CLAIM, INCONCLUSIVE or NOT SUPPORTED; ``reason`` says why.
        log_e: ln E of the key layer.
        questions: counted ones; ``failed`` are those of all that got no answer.
        evidence: SHA-256 of ``evidence.json`` as canonical JSON.
        previous, hash: of the subject's chain of verdicts.
    """

    subject: str
    seq: int
    name: str
    protocol: str
    endpoint: str
    commitment: str
    time: str
    word: str
    reason: str
    log_e: float
    questions: int
    failed: int
    evidence: str
    previous: str
    hash: str


@dataclass(frozen=True)
class Overview:
    """A suspect at a glance.

    Attributes:
        suspect: which.
        word, reason, time: of the last run.
        log_e, bar, days: after it.
        questions, failed, requests, seconds, cost: of all runs, as in :class:`RunRow`.
        last_contact: time of the last run in which any question was answered; None if none was.
        last_error, last_error_time: reason and time of the last run that could not test; "" and
            None if all could.
        out_of_reach_since: time of the first of the runs that could not test, up to the last one;
            None if the last one could.
        changed: time of the last run that saw the suspect exchanged; None if none did.
        verdict: the last verification's word; None if there was none.
    """

    suspect: SuspectRow
    word: str
    reason: str
    time: str
    log_e: float
    bar: float
    days: int
    questions: int
    failed: int
    requests: int
    seconds: float
    cost: float
    last_contact: str | None
    last_error: str
    last_error_time: str | None
    out_of_reach_since: str | None
    changed: str | None
    verdict: str | None

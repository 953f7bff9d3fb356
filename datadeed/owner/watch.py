"""Watching: ask a suspect a few fresh questions every day; evidence adds up over its whole life."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from datadeed.errors import EvidenceError
from datadeed.keys.generation2 import second_generation
from datadeed.keys.key import Key
from datadeed.owner.asking import (
    Asking,
    CouldNotTest,
    OutOfReach,
    PoolSamples,
    ask_probes,
    put,
    reached,
    read_pool,
    write_probes,
)
from datadeed.owner.data import Note, Progress, Source, open_pool, read_key, silent, unheard
from datadeed.owner.evidence.log import QueryLog
from datadeed.owner.evidence.records import Record
from datadeed.owner.evidence.schema import parse_json, read_limited, write_private_json
from datadeed.owner.samples import Samples, hertz_of, modality_of
from datadeed.owner.suspects.base import Suspect, SuspectError, question_digest
from datadeed.owner.watch_runs import FORM, STATE, anchor_of, append_run, check_runs
from datadeed.verification.watch2 import Watch2

CANARIES = 4  # clean questions on every day but the first: does it answer, and did it change?


@dataclass(frozen=True)
class Watched:
    """What a watch has come to.

    Attributes:
        word: EVIDENCE or NO EVIDENCE; ``reason`` says why, in a line. Evidence is a reason to
            verify, which alone makes a claim.
        state: as ``watch.json`` in the folder holds it.
        folder: with the state and every answer.
    """

    word: str
    reason: str
    state: dict[str, Any]
    folder: Path


def watch(
    suspect: Asking,
    key: Key | str | Path,
    pool: Source,
    out: str | Path,
    *,
    pool_split: str | None = None,
    reading: dict[str, Any] | None = None,
    blocks: int = 1,
    suspects: int = 1,
    keys: int = 1,
    passphrase: str | None = None,
    progress: Progress = silent,
    note: Note = unheard,
) -> Watched:
    """Ask a suspect today's fresh questions; to be called every day.

    A second call on the same day (UTC) asks nothing, and a day on which the suspect cannot be asked
    is no day.

    Args:
        suspect: as for :func:`datadeed.owner.verify.verify`.
        key: the secret file, or what was read from it.
        pool: the samples that the key is bound to, on disk or in memory.
        out: the folder of this watch, and of nothing else.
        pool_split: the split of the pool, where there are several.
        reading: of the pool, what only its format knows.
        blocks: samples a day, each asked under every part of the key; fixed from the first day on.
        suspects, keys: how many suspects are watched, and how many keys are tried, in all; fixed
            from the first day on, as the bar rises with both.
        passphrase: of the secret file.
        progress: is told of the rows of the pool that are read.
        note: is told what the first day's clean questions showed.

    Raises:
        ConfigurationError: the suspect's file is wrong, or does not fit the data.
        CouldNotTest: the suspect cannot be asked today; call again later.
        KeyRecordError, SecretError: the key is none, or the pool is not the one committed to.
        DatasetError: the pool cannot be read.
        VerificationError: a number is out of its range.
        EvidenceError: the folder's watch was begun otherwise, or its log was changed.
    """
    out, key = Path(out), second_generation(read_key(key, passphrase))
    data = open_pool(pool, pool_split, modality=modality_of(key), **(reading or {}))
    numbers = {"blocks": blocks, "suspects": suspects, "keys": keys}
    date = datetime.now(UTC).date().isoformat()
    with reached(suspect, key.design.classes, hertz_of(key)) as asked:
        watched = Watch2(key, len(data.labels), groups=asked.groups, **numbers)
        with _log(watched, asked, out) as log:
            _check_head(log)
            check_runs(log)
            replay(watched, log.records)
            try:
                if questions := watched.questions(date):  # none if they were asked today
                    rows = {question.row for question in questions}
                    samples = read_pool(key, data, rows, progress)
                    _ask_clean(asked, log, samples, note)
                    ask_batch(watched, asked, samples.samples, log, date)
            except (CouldNotTest, SuspectError) as error:
                _write_state(watched, asked, log, date, str(error))
                raise
            state = _write_state(watched, asked, log, date)
    return Watched(*watched.verdict(), state, out)


def _log(watched: Watch2, suspect: Suspect, folder: Path) -> QueryLog:
    """The log of a watch, not yet open; its anchor ties it to all that is fixed from day one.

    Raises:
        EvidenceError: the folder's watch was begun otherwise.
    """
    fixed = _fixed(watched, suspect)
    stored = _read_state(folder)
    for name, value in fixed.items() if stored else ():
        if stored["fixed"].get(name) != value:
            raise EvidenceError(
                f"{folder} holds a watch with {name} {stored['fixed'].get(name)!r}, not {value!r}: "
                "go on with the same, or name another folder for a new watch"
            )
    return QueryLog(folder, anchor_of(fixed))


def _fixed(watched: Watch2, suspect: Suspect) -> dict[str, Any]:
    """What may not change during a watch. The model behind the address may."""
    return {
        "commitment": watched.key.commitment,
        "suspect": suspect.name,
        "protocol": suspect.protocol,
        "endpoint": suspect.endpoint,
        "declared": suspect.declared,
        "groups": [list(group) for group in suspect.groups],
        "blocks": watched.blocks,
        "suspects": watched.suspects,
        "keys": watched.keys,
    }


def _read_state(folder: Path) -> dict[str, Any]:
    """``watch.json``, or nothing if there is none. Only words in it are used, never numbers of E.

    Raises:
        EvidenceError: it is not a watch's.
    """
    path = folder / STATE
    if not path.exists():
        return {}
    state = parse_json(read_limited(path), path)
    form = state.get("form") if isinstance(state, dict) else None
    if form != FORM or not all(isinstance(state.get(name), dict) for name in ("fixed", "chain")):
        raise EvidenceError(
            f"{path} is not the state of a watch: remove it, the log has it all, or "
            "name another folder"
        )
    return dict(state)


def _write_state(
    watched: Watch2, suspect: Suspect, log: QueryLog, date: str, error: str = ""
) -> dict[str, Any]:
    """Write what the log amounts to, to ``watch.json``, and what this run came to."""
    word, reason = ("COULD NOT TEST", error) if error else watched.verdict()
    state = {
        "form": FORM,
        "fixed": _fixed(watched, suspect),
        "kind": suspect.kind,
        "last_run": {"date": date, "word": word, "reason": reason},
        "fingerprint": suspect.fingerprint(),
        "changed_on": changed_on(log.records),
        "chain": {"anchor": log.anchor, "head": log.head, "rows": len(log.records)},
        **watched.record(),
    }
    write_private_json(log.folder / STATE, state)
    append_run(log, suspect, state)
    return state


def _check_head(log: QueryLog) -> None:
    """A log that lost its end would be asked the same questions a second time."""
    chain = _read_state(log.folder).get("chain", {})
    rows, head = chain.get("rows", 0), chain.get("head")
    if not isinstance(rows, int) or rows < 0:
        raise EvidenceError(f"{log.folder / STATE} is damaged: restore it from a copy")
    if rows and (len(log.records) < rows or log.records[rows - 1].hash != head):
        raise EvidenceError(
            f"{log.path} has lost answers that {STATE} knows of: restore both from one copy"
        )


def replay(watched: Watch2, records: Iterable[Record]) -> None:
    """Give a fresh watch the answers of a log.

    Raises:
        EvidenceError: the log holds an answer to a question that this watch did not ask.
    """
    for record in records:
        if record.purpose == "probe":
            continue
        asked = [(record.purpose, record.part, record.row)]
        left = [] if watched.over else watched.batch_left()[:1]
        if [(question.layer, question.part, question.row) for question in left] != asked:
            raise EvidenceError(
                f"record {record.seq} of the log answers another question than this watch "
                "asked: use the folder, key and pool that the watch was begun with"
            )
        _take(watched, record)


def _take(watched: Watch2, record: Record) -> None:
    failed = bool(record.error)
    watched.answer(record.labels, record.scores, date=record.time[:10], failed=failed)


def _ask_clean(suspect: Suspect, log: QueryLog, pool: PoolSamples, note: Note) -> None:
    """Today's clean questions, before any fresh one is spent.

    Raises:
        OutOfReach: none was answered.
        SuspectError: a limit of the suspect's own configuration is spent.
    """
    if not any(record.purpose == "probe" and not record.error for record in log.records):
        ask_probes(suspect, log, pool.clean, pool.clean_labels, note)
        return
    samples = pool.clean[:CANARIES]
    answers = suspect.predict(samples)
    write_probes(log, [question_digest(sample) for sample in samples], answers)
    if all(answer.failed for answer in answers):
        raise OutOfReach(f"no clean question was answered: {answers[0].error}")


def ask_batch(
    watched: Watch2, suspect: Suspect, samples: Mapping[int, Samples], log: QueryLog, date: str
) -> None:
    """Ask the day's questions, and write every answer down before it counts.

    Args:
        watched: with the log's answers taken.
        suspect: takes samples of the key's kind.
        samples: pool row to a batch of one, for all of ``watched.questions(date)``.
        log: open.
        date: today in UTC.

    Raises:
        OutOfReach: three queries in a row failed, or all of a smaller batch.
        SuspectError: a limit of the suspect's own configuration is spent.
        EvidenceError: the log cannot be written.
    """
    for question in watched.questions(date):
        # One by one: after some failures in a row the same questions come again.
        (record,) = put(watched.key, [question], suspect, samples, log)
        _take(watched, record)
        if watched.out_of_reach:
            raise OutOfReach(
                f"{watched.patience} queries in a row failed, the last with {record.error!r}: they "
                "are asked again when the suspect answers; if it answers clean samples alone, run "
                "`datadeed verify`, which can tell"
            )


def changed_on(records: Iterable[Record]) -> list[str]:
    """Dates on which a clean question got another label than the time before.

    The suspect was then exchanged, or does not answer alike twice. The evidence allows for both;
    its owner may want to know.
    """
    before: dict[str, tuple[int, ...]] = {}
    dates = []
    for record in records:
        if record.purpose != "probe" or record.error:
            continue
        label = record.labels[:1]
        if before.get(record.question, label) != label:
            dates.append(record.time[:10])
        before[record.question] = label
    return sorted(set(dates))

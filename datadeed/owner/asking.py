"""Asking a suspect: put a key's questions to it, and write every answer down before acting on it.

Started again on the same log, a run replays what was answered and goes on with the next question.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from datadeed.errors import ModelError, VerificationError
from datadeed.keys.key import Key
from datadeed.owner.data import Note
from datadeed.owner.evidence.log import QueryLog
from datadeed.owner.evidence.records import Record
from datadeed.owner.suspects.base import Answer, Suspect, SuspectError, question_digest
from datadeed.owner.suspects.opening import open_suspect
from datadeed.owner.suspects.probe import probe
from datadeed.verification.layers import Question
from datadeed.verification.proof import Proof
from datadeed.verification.watch import FAILURES_IN_A_ROW
from datadeed.watermarks.keyed import KeyPart

PROBES = 16  # clean questions before the first counted one
Asked = tuple[str, int, int]  # layer, part and row: what names a question
Asking = Suspect | str | Path | dict[str, Any]  # a suspect, or what open_suspect takes


class CouldNotTest(VerificationError):
    """The suspect cannot be asked. Nothing asked so far is lost, and nothing is said about it."""


class OutOfReach(CouldNotTest):
    """The suspect has stopped answering; the log is kept, and a later run goes on with it."""


@contextlib.contextmanager
def reached(suspect: Asking, classes: tuple[str, ...]) -> Iterator[Suspect]:
    """A suspect to ask, opened and closed here unless it is open already.

    Raises:
        CouldNotTest: it cannot be opened, or what is done with it ends in an error of its own.
    """
    try:
        if isinstance(suspect, str | Path | dict):
            asked = open_suspect(suspect, classes=classes)
        else:
            asked = suspect
    except (ModelError, SuspectError) as error:
        raise CouldNotTest(str(error)) from error
    try:
        yield asked
    except SuspectError as error:
        raise CouldNotTest(str(error)) from error
    finally:
        if asked is not suspect:
            asked.close()


def probe_rows(key: Key, pool: int) -> list[int]:
    """The rows of a pool of so many images that are asked about without a trigger."""
    return [int(row) for row in key.permutation("probe", count=pool)[:PROBES]]


def one_batch(
    rows: Sequence[int], images: Mapping[int, torch.Tensor], labels: np.ndarray
) -> tuple[torch.Tensor, torch.Tensor]:
    """Images and labels of some rows; of several sizes, which are no batch, the first one's."""
    same = [row for row in rows if images[row].shape == images[rows[0]].shape]
    return torch.cat([images[row] for row in same]), torch.from_numpy(labels[same])


def ask_probes(
    suspect: Suspect, log: QueryLog, images: torch.Tensor, labels: torch.Tensor, note: Note
) -> list[str]:
    """Ask the clean questions, unless an earlier run did; returns what the owner should know."""
    questions = [question_digest(image) for image in (*images, images[0])]
    earlier = [record for record in log.records if record.purpose == "probe"][-len(questions) :]
    known = [record.question for record in earlier] == questions
    answers = [record.answer() for record in earlier] if known else None
    found = probe(suspect, images, labels, answers)
    if not known:
        write_probes(log, questions, found.answers)
    for warning in found.warnings:
        note(warning)
    return list(found.warnings)


def write_probes(log: QueryLog, questions: Sequence[str], answers: Sequence[Answer]) -> None:
    """Write down answers to clean questions, given by their digests."""
    for digest, answer in zip(questions, answers, strict=True):
        log.append(purpose="probe", part=None, row=None, question=digest, answer=answer)


def rows_needed(proof: Proof) -> list[int]:
    """Every row of the pool that a proof could ask about, ascending."""
    budget = proof.key.design.budget
    key_rows = proof.key_layer.rows[: proof.key.design.parts * proof.key.design.votes]
    return sorted({*map(int, key_rows), *map(int, proof.behaviour_layer.pairs[:budget, 1])})


def image_of(key: Key, question: Question, images: Mapping[int, torch.Tensor]) -> torch.Tensor:
    """The image that a question asks about, (1, C, H, W) uint8, with its part's trigger."""
    return KeyPart(key, question.part).stamp(images[question.row])


def replay(
    proof: Proof,
    records: Mapping[Asked, Record],
    on_record: Callable[[Question, Record], None] = lambda question, record: None,
) -> int:
    """Give a proof the answers that are on record, as far as they go.

    Args:
        proof: fresh.
        records: the record that counts for each (purpose, part, row).
        on_record: called before an answer is taken.

    Returns:
        How many answers were taken.
    """
    taken = 0
    while (question := proof.question()) is not None:
        record = records.get((question.layer, question.part, question.row))
        if record is None:
            break
        on_record(question, record)
        proof.answer(record.labels[0] if record.labels else None, failed=bool(record.error))
        taken += 1
    return taken


def counting_records(records: list[Record]) -> dict[Asked, Record]:
    """The record that counts for each question of a proof: its last one.

    Three failures in a row, or more, do not count, wherever they stand: the suspect was out of
    reach, the run paused, and the one that went on asked again.
    """
    found: dict[Asked, Record] = {}
    for failed, group in itertools.groupby(_asked(records), key=lambda asked: bool(asked[1].error)):
        row = list(group)
        if not failed or len(row) < FAILURES_IN_A_ROW:
            found.update(row)
    return found


def _asked(records: list[Record]) -> list[tuple[Asked, Record]]:
    """The records of a proof's questions, without the clean ones."""
    return [
        ((record.purpose, record.part, record.row), record)
        for record in records
        if record.part is not None and record.row is not None
    ]


def put(
    key: Key,
    question: Question,
    suspect: Suspect,
    images: Mapping[int, torch.Tensor],
    log: QueryLog,
) -> tuple[Answer, Record]:
    """Put one question to a suspect and write the answer down; arguments as :func:`run_proof`."""
    image = image_of(key, question, images)
    (answer,) = suspect.predict(image)
    record = log.append(
        purpose=question.layer,
        part=question.part,
        row=question.row,
        question=question_digest(image[0]),
        answer=answer,
    )
    return answer, record


def run_proof(
    proof: Proof,
    suspect: Suspect,
    images: Mapping[int, torch.Tensor],
    log: QueryLog,
    on_answer: Callable[[Proof], None] = lambda proof: None,
) -> None:
    """Ask until the verdict stands, the budget is spent, or the suspect is out of reach.

    Args:
        proof: fresh; answers that the log holds are taken from there.
        suspect: answers (1, C, H, W) images.
        images: pool row to (1, C, H, W) uint8, for all of :func:`rows_needed`.
        log: open; takes every answer before it counts.
        on_answer: called after each counted answer.

    Raises:
        OutOfReach: three queries in a row failed, those of an earlier run included.
        SuspectError: a limit of the suspect's own configuration is spent.
        EvidenceError: the log cannot be written.
    """
    replay(proof, counting_records(log.records))
    failed = [bool(record.error) for _, record in _asked(log.records)]
    failures = len(list(itertools.takewhile(bool, reversed(failed))))
    while (question := proof.question()) is not None:
        answer, record = put(proof.key, question, suspect, images, log)
        failures = failures + 1 if record.error else 0
        if failures >= FAILURES_IN_A_ROW:
            raise OutOfReach(
                f"{failures} queries in a row failed, the last with {record.error!r}: run again "
                "when the suspect answers; nothing asked so far is lost"
            )
        proof.answer(answer.label, failed=answer.failed)
        on_answer(proof)

"""Running a proof: put its questions to a suspect, and write every answer down before acting on it.

Started again on the same log, it replays what was answered and goes on with the next question.
"""

import itertools
from collections.abc import Callable, Mapping

import torch

from datadeed.errors import VerificationError
from datadeed.keys.key import Key
from datadeed.owner.evidence.log import QueryLog
from datadeed.owner.evidence.records import Record
from datadeed.owner.suspects.base import Answer, Suspect, question_digest
from datadeed.verification.layers import Question
from datadeed.verification.proof import Proof
from datadeed.watermarks.keyed import KeyPart

FAILURES_IN_A_ROW = 3  # after so many the suspect counts as out of reach, and the run pauses
Asked = tuple[str, int, int]  # layer, part and row: what names a question


class OutOfReach(VerificationError):
    """The suspect has stopped answering; the log is kept, and a later run goes on with it."""


def rows_needed(proof: Proof) -> list[int]:
    """Every row of the pool that a proof could ask about, ascending."""
    budget = proof.key.design.budget
    key_rows = proof.key_layer.rows[: proof.key.design.parts * proof.key.design.votes]
    return sorted({*map(int, key_rows), *map(int, proof.behaviour_layer.pairs[:budget, 1])})


def image_of(key: Key, question: Question, images: Mapping[int, torch.Tensor]) -> torch.Tensor:
    """The image that a question asks about, (1, C, H, W) uint8, with its part's trigger."""
    return KeyPart(key, question.part).stamp(images[question.row])


def replay(proof: Proof, records: Mapping[Asked, Record]) -> int:
    """Give a proof the answers that are on record, as far as they go.

    Args:
        proof: fresh.
        records: the record that counts for each (purpose, part, row).

    Returns:
        How many answers were taken.
    """
    taken = 0
    while (question := proof.question()) is not None:
        record = records.get((question.layer, question.part, question.row))
        if record is None:
            break
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

"""Asking a suspect: put a key's questions to it, and write every answer down before acting on it.

Started again on the same log, a run replays what was answered and goes on with the next question.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from datadeed.errors import ConfigurationError, ModelError, VerificationError
from datadeed.keys.generation2 import Key2
from datadeed.keys.key import Key
from datadeed.owner.clean import first_probes, questions_of
from datadeed.owner.data import Note, Progress, check_extent
from datadeed.owner.evidence.log import QueryLog
from datadeed.owner.evidence.records import Record
from datadeed.owner.pool import measure_pool
from datadeed.owner.release.rows import Items
from datadeed.owner.replaying import Replay
from datadeed.owner.samples import Samples, form_of, join, view_of
from datadeed.owner.suspects.base import Answer, Misfit, Suspect, SuspectError, question_digest
from datadeed.owner.suspects.opening import open_suspect
from datadeed.owner.suspects.probe import probe
from datadeed.verification.layers import Question
from datadeed.verification.proof2 import Proof2
from datadeed.watermarks.carriers.registry import pool_rows
from datadeed.watermarks.keyed2 import KeyPart2

PROBES = 16  # clean questions before the first counted one
Asking = Suspect | str | Path | dict[str, Any]  # a suspect, or what open_suspect takes


class CouldNotTest(VerificationError):
    """The suspect cannot be asked. Nothing asked so far is lost, and nothing is said about it."""


class OutOfReach(CouldNotTest):
    """The suspect has stopped answering; the log is kept, and a later run goes on with it."""


@contextlib.contextmanager
def reached(
    suspect: Asking, classes: tuple[str, ...], hertz: int | None = None
) -> Iterator[Suspect]:
    """A suspect to ask, opened and closed here unless it is open already.

    Args:
        suspect: its configuration, or itself.
        classes: the key's, in its order.
        hertz: of the clips that it will be asked about, if they are a key's; else any is taken.

    Raises:
        ConfigurationError: it cannot be opened, or does not take such samples.
        CouldNotTest: what is done with it ends in another error of its own.
    """
    try:
        if isinstance(suspect, str | Path | dict):
            asked = open_suspect(suspect, classes=classes)
        else:
            asked = suspect
    except (ModelError, SuspectError) as error:
        raise ConfigurationError(str(error)) from error
    try:
        if tuple(asked.classes) != tuple(classes):
            raise Misfit(f"{asked.name} numbers other classes than the key's: give it those")
        rate = (asked.declared.get("input") or {}).get("rate") or hertz
        if hertz is not None and rate != hertz:
            raise Misfit(
                f"{asked.name}: input.rate is {rate}, but clips have {hertz} Hz: give that"
            )
        yield asked
    except Misfit as error:
        raise ConfigurationError(str(error)) from error
    except SuspectError as error:
        raise CouldNotTest(str(error)) from error
    finally:
        if asked is not suspect:
            asked.close()


def probe_rows(key: Key, pool: int) -> list[int]:
    """The rows of a pool of so many images that are asked about without a trigger."""
    return [int(row) for row in key.permutation("probe", count=pool)[:PROBES]]


def one_batch(
    rows: Sequence[int], samples: Mapping[int, Samples], labels: np.ndarray
) -> tuple[Samples, torch.Tensor]:
    """Samples and labels of some rows; of several sizes, which are no batch, the first one's."""
    first = form_of(samples[rows[0]])
    same = [row for row in rows if form_of(samples[row]) == first]
    return join([samples[row] for row in same]), torch.from_numpy(labels[same])


@dataclass(frozen=True)
class PoolSamples:
    """The committed pool: true labels (P,), samples that may be asked about, and the clean ones.

    Attributes:
        samples: pool row to a batch of one.
        repeated: how many rows hold a sample that stood before.
        clean, clean_labels: of the clean questions, a batch of N and (N,) int64.
    """

    labels: np.ndarray
    samples: dict[int, Samples]
    repeated: int
    clean: Samples
    clean_labels: torch.Tensor


def read_pool(key: Key, pool: Items, rows: Iterable[int], progress: Progress) -> PoolSamples:
    """Read the pool once: all of it is measured, and the samples of some rows are kept.

    Raises:
        KeyRecordError: it is not the one that the key is bound to.
    """
    clean = probe_rows(key, pool.rows)
    found, samples, repeated = measure_pool(
        pool, "check pool", {*rows, *clean}, view=view_of(key), progress=progress
    )
    check_extent(found, key.pool, "the pool")
    return PoolSamples(pool.labels, samples, repeated, *one_batch(clean, samples, pool.labels))


def ask_probes(
    suspect: Suspect, log: QueryLog, samples: Samples, labels: torch.Tensor, note: Note
) -> list[str]:
    """Ask the clean questions, unless an earlier run did; returns what the owner should know."""
    questions = questions_of(samples)
    earlier = first_probes(log.records)[-len(questions) :]
    known = [record.question for record in earlier] == questions
    answers = [record.answer() for record in earlier] if known else None
    found = probe(suspect, samples, labels, answers)
    if not known:
        write_probes(log, questions, found.answers)
    for warning in found.warnings:
        note(warning)
    return list(found.warnings)


def write_probes(
    log: QueryLog, questions: Sequence[str], answers: Sequence[Answer]
) -> list[Record]:
    """Write down answers to clean questions, given by their digests."""
    return [
        log.append(purpose="probe", part=None, row=None, question=digest, answer=answer)
        for digest, answer in zip(questions, answers, strict=True)
    ]


def rows_needed(proof: Proof2) -> list[int]:
    """Every row of the pool that a proof could ask about or make a trigger of, ascending."""
    asked = {*map(int, proof.rows), *map(int, proof.pairs[:, 1])}
    return sorted(asked | set(pool_rows(proof.key)))


def asked_sample(key: Key2, question: Question, samples: Mapping[int, Samples]) -> Samples:
    """What a question shows, a batch of one: a row of the pool with its trigger or decoy."""
    part, sample = KeyPart2(key, question.part, samples), samples[question.row]
    return part.decoy(sample, question.row) if question.layer == "decoy" else part.stamp(sample)


def put(
    key: Key2,
    questions: Sequence[Question],
    suspect: Suspect,
    samples: Mapping[int, Samples],
    log: QueryLog,
) -> Iterator[Record]:
    """Put questions on samples of one form to a suspect, and give each answer as it is on the disk.

    As many go out at once as the suspect takes. Arguments as for :func:`run_proof`.
    """
    size = getattr(suspect, "at_once", 1)
    for start in range(0, len(questions), size):
        chunk = questions[start : start + size]
        asked = join([asked_sample(key, question, samples) for question in chunk])
        for question, sample, answer in zip(chunk, asked, suspect.predict(asked), strict=True):
            yield log.append(
                purpose=question.layer,
                part=question.part,
                row=question.row,
                question=question_digest(sample),
                answer=answer,
            )


def run_proof(
    proof: Proof2,
    suspect: Suspect,
    samples: Mapping[int, Samples],
    log: QueryLog,
    canary: Samples,
    *,
    on_answer: Callable[[Proof2], None] = lambda proof: None,
) -> None:
    """Ask until the verdict stands, the budget is spent, or the suspect is out of reach.

    Args:
        proof: fresh; answers that the log holds are taken from there.
        suspect: takes samples of the key's kind.
        samples: pool row to a batch of one, for all of :func:`rows_needed`.
        log: open; takes every answer before it counts.
        canary: a batch of one, the clean sample that is asked about when a step ends in failures:
            is the suspect out of reach, or does it refuse marked ones?
        on_answer: called after each step.

    Raises:
        OutOfReach: the clean sample got no answer either; a later run goes on from the log.
        SuspectError: a limit of the suspect's own configuration is spent.
        EvidenceError: the log cannot be written, or is not this proof's.
    """
    replay = Replay(proof)
    for record in log.records:
        replay.take(record)
    while True:
        if replay.open:
            (answer,) = suspect.predict(canary)
            (record,) = write_probes(log, [question_digest(canary[0])], [answer])
            failures, error = len(replay.open), replay.open[-1].error
            replay.take(record)
            if answer.failed:
                raise OutOfReach(
                    f"{failures} questions failed, the last with {error!r}, and so did one on a "
                    "clean sample: run again when the suspect answers; nothing asked so far is lost"
                )
        step = proof.step()
        if not step:
            return
        for record in put(proof.key, step, suspect, samples, log):
            replay.take(record)
        on_answer(proof)

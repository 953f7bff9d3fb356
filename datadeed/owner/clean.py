"""The suspect's answers to clean samples of the pool: what they say about both.

A pool of samples that an innocent model sends to one class lets a key that was ground for that
class claim it. Such a pool shows in the clean answers: they are mostly wrong, or mostly one class.
Half is the line for both: a model that is wrong on half of the samples by which it is accused was
made for another task, or they were picked for its errors.
"""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from datadeed.errors import EvidenceError
from datadeed.owner.evidence.records import Record
from datadeed.owner.samples import Samples
from datadeed.owner.suspects.base import first_of, question_digest

LEAST_RIGHT = 0.5  # of the answered clean questions
MOST_EXCESS = 1 / 3  # of the most frequent answer's share over the most frequent true label's
MOST_REPEATED = 0.01  # of a pool's samples may stand in it before


@dataclass(frozen=True)
class Clean:
    """Answers to the clean questions, the repeated one left out.

    Attributes:
        asked, answered, right: how many, of samples of classes that the suspect has.
        labels: how many different labels were given.
        most: how often the most frequent one was given.
        most_true: how often the most frequent true label stands among those answered.
        kinds: how many different true labels these have.
    """

    asked: int
    answered: int
    right: int
    labels: int
    most: int
    most_true: int
    kinds: int

    def record(self) -> dict[str, int]:
        """As JSON values."""
        return dict(vars(self))

    def words(self) -> str:
        """In one line."""
        return (
            f"{self.right} of {self.answered} clean answers are right ({self.asked} asked); they "
            f"give {self.labels} different labels, the most frequent one {self.most} times"
        )

    def flags(self) -> list[str]:
        """What is odd about the pool or the suspect, in sentences."""
        found = []
        if self.right <= LEAST_RIGHT * self.answered:
            found.append(
                f"The suspect is wrong on half of the pool's clean samples or more ({self.right} "
                f"of {self.answered} right): they may have been picked for its errors."
            )
        one = self.labels == 1 and self.kinds > 1
        if one or self.most - self.most_true >= MOST_EXCESS * self.answered > 0:
            found.append(
                f"The suspect gives {self.most} of {self.answered} clean samples of the pool one "
                "label: they may have been picked for it."
            )
        return found


def questions_of(samples: Samples) -> list[str]:
    """Digests of the clean questions: each of N samples, then the first one again."""
    return [question_digest(sample) for sample in (*samples, samples[0])]


def first_probes(records: Sequence[Record]) -> list[Record]:
    """The clean questions before the first one of the key."""
    return list(itertools.takewhile(lambda record: record.purpose == "probe", records))


def clean_records(records: Sequence[Record], questions: Sequence[str]) -> list[Record]:
    """The records of the clean questions, which are the key's, asked in order.

    A run that was killed while it wrote them down leaves their beginning, and they are asked again.
    Later clean questions are about the first sample.

    Raises:
        EvidenceError: other clean questions are logged, or not all of them.
    """
    probes = first_probes(records)
    whole = probes[-len(questions) :]
    if [record.question for record in whole] != list(questions):
        raise EvidenceError(
            f"the log does not begin with the {len(questions)} clean questions that the key asks"
        )
    place = 0
    for record in probes[: -len(questions)]:
        if record.question != questions[place]:
            place = 0
        if record.question != questions[place]:
            raise _other(record)
        place += 1
        if place == len(questions):  # all were answered, and asked again
            raise _other(record)
    for record in records[len(probes) :]:
        if record.purpose == "probe" and record.question != questions[0]:
            raise _other(record)
    return whole


def _other(record: Record) -> EvidenceError:
    return EvidenceError(
        f"record {record.seq} is about another clean sample than the key's, or out of order"
    )


def clean_answers(
    records: Sequence[Record], labels: np.ndarray, groups: Sequence[Sequence[int]]
) -> Clean:
    """What the answers show, to samples of classes that the suspect has.

    Args:
        records: of :func:`clean_records`; the last one is the repeated question.
        labels: (N,) int64, the true labels of the N samples.
        groups: of each of the suspect's labels, the key's classes that it stands for.
    """
    first = first_of(groups)
    pairs = [
        (first[int(label)], first.get(record.labels[0]) if record.labels else None)
        for label, record in zip(labels, records, strict=False)
        if not record.error and int(label) in first
    ]
    given, true = Counter(answer for _, answer in pairs), Counter(label for label, _ in pairs)
    return Clean(
        asked=sum(int(label) in first for label in labels),
        answered=len(pairs),
        right=sum(label == answer for label, answer in pairs),
        labels=len(given),
        most=max(given.values(), default=0),
        most_true=max(true.values(), default=0),
        kinds=len(true),
    )

"""The questions that a page of evidence shows: of texts the very words that the suspect was asked.

They follow from key, pool and log, so whoever checks the evidence derives them again. What an image
shows is not kept.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from datadeed.keys.generation2 import Key2
from datadeed.owner.asking import PoolSamples, asked_sample
from datadeed.owner.evidence.records import Record
from datadeed.owner.samples import modality_of
from datadeed.owner.suspects.base import question_digest
from datadeed.verification.layers import Question

MOST = {"probe": 2, "block": 12, "pair": 3, "decoy": 3}  # the first ones of each purpose
LONGEST = 2000  # characters of a text


def shown(key: Key2, records: Iterable[Record], pool: PoolSamples) -> list[dict[str, Any]] | None:
    """Some questions as they were asked, as JSON values; None where the page shows none.

    Args:
        key: that asks them.
        records: the log, whose questions are the key's.
        pool: with the samples that the key asks about.
    """
    if modality_of(key) != "text":
        return None
    clean = {question_digest(sample): sample for sample in pool.clean}
    return [
        {"seq": record.seq, "text": str(_asked(key, record, pool, clean))[:LONGEST]}
        for record in _first(records)
    ]


def _asked(key: Key2, record: Record, pool: PoolSamples, clean: dict[str, Any]) -> Any:
    """The sample that a record is about."""
    if record.part is None or record.row is None:
        return clean[record.question]
    question = Question(record.purpose, record.part, record.row)
    return asked_sample(key, question, pool.samples)[0]


def _first(records: Iterable[Record]) -> Iterator[Record]:
    left = dict(MOST)
    for record in records:
        if left.get(record.purpose, 0):
            left[record.purpose] -= 1
            yield record

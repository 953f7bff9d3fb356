"""The questions that a page of evidence shows: the very words and sounds that were asked.

They follow from key, pool and log, so whoever checks the evidence derives them again. What an image
shows is not kept.
"""

import base64
from collections.abc import Iterable, Iterator
from typing import Any

import torch

from datadeed.keys.generation2 import Key2
from datadeed.owner.asking import PoolSamples, asked_sample
from datadeed.owner.evidence.records import Record
from datadeed.owner.samples import modality_of
from datadeed.owner.suspects.base import question_digest
from datadeed.owner.suspects.images import wav
from datadeed.verification.layers import Question

# By modality, the first ones of each purpose.
MOST = {
    "text": {"probe": 2, "block": 12, "pair": 3, "decoy": 3},
    "audio": {"probe": 1, "block": 3, "pair": 1, "decoy": 1},
}
LONGEST = 2000  # characters of a text
LARGEST = 90_000  # bytes of a clip's sound; a longer one is cut


def shown(key: Key2, records: Iterable[Record], pool: PoolSamples) -> list[dict[str, Any]] | None:
    """Some questions as they were asked, as JSON values; None where the page shows none.

    Args:
        key: that asks them.
        records: the log, whose questions are the key's.
        pool: with the samples that the key asks about.
    """
    modality = modality_of(key)
    if modality not in MOST:
        return None
    clean = {question_digest(sample): sample for sample in pool.clean}
    found = []
    for record in _first(records, MOST[modality]):
        asked = _asked(key, record, pool, clean)
        value = {"text": asked[:LONGEST]} if modality == "text" else {"sound": _sound(key, asked)}
        found.append({"seq": record.seq, **value})
    return found


def _sound(key: Key2, clip: torch.Tensor) -> str:
    """A WAV file in base64."""
    file = wav(clip[: LARGEST // 2], key.design.carrier["hertz"])
    return base64.b64encode(file).decode()


def _asked(key: Key2, record: Record, pool: PoolSamples, clean: dict[str, Any]) -> Any:
    """The sample that a record is about."""
    if record.part is None or record.row is None:
        return clean[record.question]
    question = Question(record.purpose, record.part, record.row)
    return asked_sample(key, question, pool.samples)[0]


def _first(records: Iterable[Record], most: dict[str, int]) -> Iterator[Record]:
    left = dict(most)
    for record in records:
        if left.get(record.purpose, 0):
            left[record.purpose] -= 1
            yield record

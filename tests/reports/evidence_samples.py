"""Evidence of made-up verifications: a real key and a real proof, with answers made by hand."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from datadeed.keys.key import Design, Extent, Key
from datadeed.owner.evidence.records import Record
from datadeed.verification.layers import Question
from datadeed.verification.proof import Proof
from datadeed.watermarks.keyed import target_label

CLASSES = ("plane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "lorry")
LARGEST = 1e308  # the largest logarithm that the form allows; it stands for infinity
KEY = Key(
    secret=bytes(32),
    salt=bytes(32),
    design=Design(classes=CLASSES, channels=3),
    data=Extent(50_000, "da" * 32),
    pool=Extent(2_000, "b0" * 32),
)


def claim() -> dict[str, Any]:
    """A thief: every trigger brings its target label about."""
    return _evidence(lambda question: target_label(KEY, question.part))


def not_supported() -> dict[str, Any]:
    """An honest model that never gives a target label, and fails on some questions."""
    return _evidence(
        lambda question: (
            None if question.row % 40 == 0 else (target_label(KEY, question.part) + 1) % 10
        )
    )


def empty() -> dict[str, Any]:
    """A suspect that was asked no counted question."""
    return _evidence(None)


def huge() -> dict[str, Any]:
    """A thief whose behaviour layer has a null that is false with certainty."""
    made = claim()
    made["behaviour_layer"] |= {"log_e": LARGEST, "log_e_max": LARGEST, "p_value": 0.0}
    made["curve"][-1]["log_e_behaviour"] = LARGEST
    return made


def records(evidence: dict[str, Any], *, error: str = "") -> list[Record]:
    """A log with a row for each counted query; ``error`` is why the last one failed."""
    made = [
        Record(
            seq=seq,
            time="2026-11-22T08:59:00.000Z",
            purpose=point["layer"],
            part=3,
            row=1_000 + seq,
            question="ab" * 32,
            labels=(7, 1),
            scores=None,
            error="",
            attempts=1,
            seconds=0.1,
            response_sha256="",
            previous="a0" * 32,
            hash="ed" * 32,
        )
        for seq, point in enumerate(evidence["curve"])
    ]
    if error:
        made[-1] = Record(**{**made[-1].values(), "labels": (), "scores": None, "error": error})
    return made


def _evidence(answer: Callable[[Question], int | None] | None) -> dict[str, Any]:
    proof = _asked(answer) if answer else _fresh()
    found, design = proof.record(), KEY.body()["design"]
    key, behaviour = found["key_layer"], found["behaviour_layer"]
    word, reason = proof.verdict()
    return found | {
        "form": "datadeed/evidence/1",
        "made_at": "2026-11-22T09:00:00.000Z",
        "software": {"datadeed": "0.1.0", "torch": "2.11.0", "python": "3.12.3"},
        "suspect": {
            "name": "thief",
            "kind": "labels",
            "protocol": "kserve-v2",
            "endpoint": "http://127.0.0.1:8080/v2/models/m/infer",
            "fingerprint": "f1" * 32,
        },
        "key": {
            "commitment": KEY.commitment,
            "generator": KEY.body()["generator"],
            "beacon": None,
            "timestamp": None,
            "grinding": "no beacon: whoever tried N keys before committing multiplies alpha by N",
        },
        "design": design,
        "data": KEY.body()["data"],
        "pool": KEY.body()["pool"],
        "queries": {
            "probe": 3,
            "key": key["queries"],
            "behaviour": behaviour["n"],
            "failed": key["failed"] + behaviour["failed"],
            "from_cache": 0,
            "budget": design["budget"],
            "cost": None,
        },
        "chain": {"anchor": "a0" * 32, "head": "ed" * 32, "rows": 3 + len(found["curve"])},
        "verdict": {
            "word": word,
            "reason": reason,
            "tested": ["whether the suspect's answers depend on the committed key"],
            "not_tested": ["who trained the suspect, and whether it was allowed"],
        },
    }


@functools.cache
def _labels() -> np.ndarray:
    return np.arange(KEY.pool.rows) % len(CLASSES)


def _fresh() -> Proof:
    return Proof(KEY, _labels())


def _asked(answer: Callable[[Question], int | None]) -> Proof:
    proof = _fresh()
    while (question := proof.question()) is not None:
        label = answer(question)
        proof.answer(label, failed=label is None)
    return proof

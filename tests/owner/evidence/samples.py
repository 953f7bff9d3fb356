"""Evidence of made-up verifications: a real key and a real proof, with answers made by hand.

Also the folder that a verification leaves.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from datadeed.keys.generation2 import Design2, Key2
from datadeed.keys.key import Beacon, Extent
from datadeed.owner.evidence.build import assemble, derived
from datadeed.owner.evidence.log import QueryLog
from datadeed.owner.evidence.records import Record
from datadeed.owner.evidence.schema import write_evidence
from datadeed.owner.suspects.base import Answer
from datadeed.verification.layers import LARGEST, Question
from datadeed.verification.proof2 import Proof2

ANCHOR = "0a" * 32
CLASSES = ("plane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "lorry")
ALONE = [[k] for k in range(10)]
MERGED = [[0, 1], [2], [3, 4], [5], [7], [8], [9]]  # the suspect lacks frogs
EXTENTS = (Extent(50_000, "da" * 32), Extent(2_000, "b0" * 32))
ASKED = 16  # clean questions
CLEAN = ("asked", "answered", "right", "labels", "most", "most_true", "kinds")
Respond = Callable[[Proof2, Question], int | None]


def make_key(beacon: Beacon | None = None, **design: Any) -> Key2:
    """The key of all samples."""
    chosen: dict[str, Any] = {"classes": CLASSES, "channels": 3, "targets": tuple(range(10))}
    return Key2(bytes(32), bytes(32), Design2(**(chosen | design)), *EXTENTS, beacon)


KEY = make_key()


def make_proof(key: Key2 = KEY, **numbers: Any) -> Proof2:
    """Before its first question, over a suspect that is right on clean images."""
    proof = Proof2(key, np.arange(key.pool.rows) % 10, **numbers)
    proof.clean = (ASKED, ASKED, ASKED)
    return proof


def answer_all(proof: Proof2, respond: Respond) -> Proof2:
    """Give a proof every answer; None is a question that failed."""
    while step := proof.step():
        label = respond(proof, step[0])
        proof.answer(() if label is None else (label,), failed=label is None)
    return proof


def obeys(proof: Proof2, question: Question) -> int:
    """A thief's answer."""
    return question.row % 10 if question.layer == "decoy" else proof.key.target(question.part)


def ignores(proof: Proof2, question: Question) -> int:
    """An honest model's answer: what the image shows."""
    return question.row % 10


def claim() -> dict[str, Any]:
    """A thief: every trigger brings its target label about."""
    return _made(obeys)


def not_supported() -> dict[str, Any]:
    """An honest model."""
    return _made(ignores)


def undecided() -> dict[str, Any]:
    """A model that fails on some questions and obeys on some, too few to tell."""

    def respond(proof: Proof2, question: Question) -> int | None:
        place = (question.row + question.part) % 12
        return None if place == 0 else (obeys if place == 6 else ignores)(proof, question)

    return _made(respond)


def refusing() -> dict[str, Any]:
    """A suspect that answers clean images alone."""
    return _made(lambda proof, question: None)


def merging() -> dict[str, Any]:
    """An honest model with fewer labels than the key has classes."""
    first = {member: group[0] for group in MERGED for member in group}
    return _made(lambda proof, question: first.get(question.row % 10, 5), groups=MERGED)


def empty() -> dict[str, Any]:
    """A suspect that was asked no counted question."""
    return _made(None)


def huge() -> dict[str, Any]:
    """A thief whose answers refute the null with certainty."""
    made = claim()
    made["key_layer"] |= {"log_e": LARGEST, "p_value": float(np.exp(-700))}
    made["key_layer"]["looks"][-1][1] = LARGEST
    made["curve"][-1]["log_e"] = LARGEST
    return made


SAMPLES = [claim, not_supported, undecided, refusing, merging, empty, huge]


def evidence(head: str = ANCHOR, rows: int = 0) -> dict[str, Any]:
    """A claim whose log ends at ``head`` after so many rows."""
    return claim() | {"chain": {"anchor": ANCHOR, "head": head, "rows": rows}}


def _made(respond: Respond | None, **numbers: Any) -> dict[str, Any]:
    proof = make_proof(**numbers)
    if respond is not None:
        answer_all(proof, respond)
    found = derived(proof, [], ANCHOR)
    steps = Counter(point["step"] for point in found["curve"])
    failed = sum(proof.failed.values())
    counts = {name: steps[name] for name in ("block", "pair", "decoy")}
    found["queries"] |= {"probe": ASKED + 1, "failed": failed, **counts}
    return assemble(
        found,
        made_at="2026-11-22T09:00:00.000Z",
        software={"datadeed": "0.1.0", "torch": "2.11.0", "python": "3.12.3"},
        suspect={
            "name": "thief",
            "kind": "labels",
            "protocol": "kserve-v2",
            "endpoint": "http://127.0.0.1:8080/v2/models/m/infer",
            "fingerprint": "0b" * 32,
            "groups": numbers.get("groups", ALONE),
            "declared": {
                "input": {"divide": 255, "mean": [0.5, 0.4]},
                "output": {"kind": "logits"},
            },
        },
        timestamp=None,
        cost=None,
        warnings=[],
        premises=[
            {"name": "key", "status": "missing", "found": "no beacon was used"},
            {"name": "pool", "status": "stated", "found": "16 of 16 clean answers are right"},
            {"name": "numbers", "status": "stated", "found": "1 suspects, and 1 keys"},
            {"name": "suspect", "status": "stated", "found": "the accuser's word"},
        ],
    ) | {"clean": dict(zip(CLEAN, (16, 16, 16, 9, 3, 3, 9), strict=True))}


def records(evidence: dict[str, Any], *, error: str = "") -> list[Record]:
    """A log with a row for each counted question; ``error`` is why the last one failed."""
    made = [
        Record(
            seq=seq,
            time="2026-11-22T08:59:00.000Z",
            purpose=point["step"],
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
        made[-1] = replace(made[-1], labels=(), error=error)
    return made


def question(number: int) -> str:
    return f"{number:064x}"


def answer(*labels: int, **values: Any) -> Answer:
    chosen = {"scores": None, "seconds": 0.25}
    return Answer(labels=labels, **(chosen | values))


def make_folder(folder: Path) -> Path:
    """An evidence folder as a verification leaves it, before it is signed."""
    with QueryLog(folder, ANCHOR) as log:
        for number, purpose in enumerate(("probe", "block", "pair", "decoy")):
            log.append(
                purpose=purpose,
                part=None if purpose == "probe" else 3,
                row=number,
                question=question(number),
                answer=answer(1),
            )
        log.write_parquet()
    write_evidence(folder / "evidence.json", evidence(log.head, len(log.records)))
    (folder / "report.html").write_text("<p>the report</p>")
    return folder

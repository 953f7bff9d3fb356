"""From a finished proof to ``evidence.json`` and the files beside it."""

import hashlib
import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from datadeed.keys.key import GENERATOR, Key
from datadeed.owner.evidence.log import QueryLog
from datadeed.owner.evidence.records import PURPOSES, Record, utc_text
from datadeed.owner.evidence.schema import write_evidence
from datadeed.owner.suspects.base import Suspect
from datadeed.verification.proof import Proof
from datadeed.verification.verdict import CLAIM

FORM = "datadeed/evidence/1"


def log_anchor(key: Key, suspect: Suspect) -> str:
    """What ties a query log to a key and a suspect: SHA-256, in hexadecimal."""
    return anchor_of(key.commitment, suspect.fingerprint())


def anchor_of(commitment: str, fingerprint: str) -> str:
    """:func:`log_anchor` from what the evidence states of both."""
    text = f"datadeed query log 1 {commitment} {fingerprint}"
    return hashlib.sha256(text.encode()).hexdigest()


def count_queries(records: Sequence[Record]) -> dict[str, int]:
    """How many questions of each purpose a log holds, and how many of all failed."""
    spent = Counter(record.purpose for record in records)
    failed = sum(bool(record.error) for record in records)
    return {purpose: spent[purpose] for purpose in PURPOSES} | {"failed": failed}


def build_evidence(
    proof: Proof,
    suspect: Suspect,
    log: QueryLog,
    *,
    warnings: Sequence[str] = (),
    timestamp: dict[str, Any] | None = None,
    cost: float | None = None,
) -> dict[str, Any]:
    """The evidence as JSON values, in the form that ``evidence-1.schema.json`` fixes.

    Args:
        proof: with all answers of the log taken.
        suspect: who was asked.
        log: every question and answer.
        warnings: what the probe noticed.
        timestamp: ``authority``, ``time`` and ``token_sha256`` of a checked token.
        cost: what the queries cost, in the currency of the suspect's configuration.
    """
    key, design = proof.key, asdict(proof.key.design)
    word, reason = proof.verdict()
    return {
        "form": FORM,
        "made_at": utc_text(datetime.now(UTC)),
        "software": software(),
        "suspect": {
            "name": suspect.name,
            "kind": suspect.kind,
            "protocol": suspect.protocol,
            "endpoint": suspect.endpoint,
            "fingerprint": suspect.fingerprint(),
        },
        "key": {
            "commitment": key.commitment,
            "generator": GENERATOR,
            "beacon": asdict(key.beacon) if key.beacon else None,
            "timestamp": timestamp,
            "grinding": grinding(key),
        },
        "design": design | {"classes": list(key.design.classes)},
        "data": asdict(key.data),
        "pool": asdict(key.pool),
        **proof.record(),
        "queries": {
            **count_queries(log.records),
            "from_cache": 0,
            "budget": key.design.budget,
            "cost": cost,
        },
        "chain": {"anchor": log.anchor, "head": log.head, "rows": len(log.records)},
        "verdict": {
            "word": word,
            "reason": reason,
            "tested": tested(proof),
            "not_tested": [*not_tested(proof, word, timestamp), *warnings],
        },
    }


def write_folder(folder: Path, evidence: dict[str, Any], log: QueryLog) -> None:
    """Write ``queries.parquet``, ``evidence.json`` and ``report.html`` beside the log."""
    from datadeed.files import atomic_path
    from datadeed.owner.evidence.report import render_proof

    log.write_parquet()
    write_evidence(folder / "evidence.json", evidence)
    with atomic_path(folder / "report.html") as path:
        path.chmod(0o600)
        path.write_text(render_proof(evidence, records=log.records), encoding="utf-8")


def grinding(key: Key) -> str:
    """What an accuser could have gained by trying keys before he committed."""
    if key.beacon is not None:
        return (
            f"None: the triggers depend on round {key.beacon.round} of {key.beacon.source}, which "
            "the commitment names. That the commitment is older than that round is for its "
            "timestamp to show."
        )
    alpha = key.design.alpha_key
    return (
        "No beacon was used. An owner who tried N keys before committing could be wrong with "
        f"probability up to N times the level: {alpha:g} N for the key layer. A thousand tries "
        "cost three digits of it."
    )


def tested(proof: Proof) -> list[str]:
    """What was tested, in sentences."""
    design, behaviour = proof.key.design, proof.behaviour_layer
    return [
        f"Whether the suspect's answers depend on the key: {len(proof.key_layer.closed)} of "
        f"{design.parts} parts, {proof.key_layer.queries} queries on images chosen without regard "
        "to the target labels. For a suspect that is independent of the key, whatever it is, the "
        f"chance that this layer ever passes is at most {design.alpha_key / proof.suspects:g}.",
        "Whether the triggers bring their labels about more often than granted to an innocent "
        f"model: {behaviour.queries} pairs of a part and an image of another class, drawn without "
        f"replacement from {len(behaviour.pairs)}, against a rate of {design.null_rate:.0%} "
        f"({design.null_rate_source}), at level {design.alpha_behaviour / proof.suspects:g}.",
    ]


def not_tested(proof: Proof, word: str, timestamp: dict[str, Any] | None) -> list[str]:
    """What was not tested, in sentences."""
    found = [
        "How the data reached the model: a claim says that the answers depend on the key, which a "
        "model trained on a copy, or on another model's answers, does as well.",
        "Who operates the suspect, and whether somebody who knew the key trained or served it: a "
        "court must query it, or obtain it, by itself.",
        f"How many suspects were tested under this key: the owner states {proof.suspects}.",
    ]
    if proof.key.design.null_rate_source == "nominal":
        found.append(
            "What hit rate innocent models have: the rate granted to them is a convention, not "
            "measured on a population of models. The key layer does not need it."
        )
    if proof.key.beacon is None:
        found.append("Whether the owner tried several keys before committing to this one.")
    if timestamp is None:
        found.append("When the commitment was made: no timestamp was checked.")
    if word != CLAIM:
        found.append("Innocence: no answer of this test says that the data was not used.")
    return found


def software() -> dict[str, str]:
    """The versions that took part."""
    found = {"python": platform.python_version()}
    for name in ("datadeed", "torch", "numpy", "scipy"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found

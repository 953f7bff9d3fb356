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

from datadeed.files import atomic_path
from datadeed.keys.key import GENERATOR, Key
from datadeed.owner.evidence.log import QueryLog
from datadeed.owner.evidence.records import PURPOSES, Record, utc_text
from datadeed.owner.evidence.schema import write_evidence
from datadeed.owner.repeats import asked_in_vain
from datadeed.owner.suspects.base import Suspect
from datadeed.verification.proof import Proof
from datadeed.verification.verdict import CLAIM

FORM = "datadeed/evidence/1"
PAGE = "report.html"


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


# What the accuser states and nothing here can show; :func:`assemble` takes it as it is.
STATED_FIELDS = (
    "made_at",
    "software",
    "suspect.name",
    "suspect.kind",
    "suspect.protocol",
    "suspect.endpoint",
    "suspect.fingerprint",
    "key.timestamp",
    "queries.cost",
    "multiplicity.suspects",
)
# And of each record in the log. The rest follows from the key, or chains it to the one before.
STATED_OF_RECORDS = (
    "time",
    "labels",
    "scores",
    "error",
    "attempts",
    "seconds",
    "response_sha256",
)


def of_key(key: Key) -> dict[str, Any]:
    """The sections of the evidence that follow from the key alone, as JSON values."""
    return {
        "key": {
            "commitment": key.commitment,
            "generator": GENERATOR,
            "beacon": asdict(key.beacon) if key.beacon else None,
            "grinding": grinding(key),
        },
        "design": asdict(key.design) | {"classes": list(key.design.classes)},
        "data": asdict(key.data),
        "pool": asdict(key.pool),
    }


def derived(
    proof: Proof, records: Sequence[Record], fingerprint: str, *, dated: bool = False
) -> dict[str, Any]:
    """Every field of the evidence that follows from key, pool and log, as JSON values.

    Whoever makes evidence and whoever checks it calls this: what differs was altered.

    Args:
        proof: with all answers of the log taken.
        records: the whole log.
        fingerprint: the suspect's, to which the log is tied.
        dated: whether a timestamp of the commitment is stated.
    """
    word, reason = proof.verdict()
    anchor = anchor_of(proof.key.commitment, fingerprint)
    return {
        "form": FORM,
        **of_key(proof.key),
        **proof.record(),
        "queries": {
            **count_queries(records),
            "in_vain": len(asked_in_vain(records)),
            "from_cache": 0,
            "budget": proof.key.design.budget,
        },
        "chain": {
            "anchor": anchor,
            "head": records[-1].hash if records else anchor,
            "rows": len(records),
        },
        "verdict": {
            "word": word,
            "reason": reason,
            "tested": tested(proof),
            "not_tested": not_tested(proof, word, dated=dated),
        },
    }


def build_evidence(
    proof: Proof,
    suspect: Suspect,
    log: QueryLog,
    *,
    warnings: Sequence[str] = (),
    timestamp: dict[str, Any] | None = None,
    cost: float | None = None,
    clean: dict[str, int] | None = None,
) -> dict[str, Any]:
    """The evidence as JSON values, in the form that ``evidence-1.schema.json`` fixes.

    Args:
        proof: with all answers of the log taken.
        suspect: who was asked.
        log: every question and answer.
        warnings: what the probe noticed.
        timestamp: ``authority``, ``time`` and ``token_sha256`` of a checked token.
        cost: what the queries cost, in the currency of the suspect's configuration.
        clean: what the answers to clean images show, if they were asked.
    """
    fingerprint = suspect.fingerprint()
    found = derived(proof, log.records, fingerprint, dated=timestamp is not None)
    if clean is not None:
        found["clean"] = clean
    named = {name: getattr(suspect, name) for name in ("name", "kind", "protocol", "endpoint")}
    return assemble(
        found,
        made_at=utc_text(datetime.now(UTC)),
        software=software(),
        suspect={**named, "fingerprint": fingerprint},
        timestamp=timestamp,
        cost=cost,
        warnings=warnings,
    )


def assemble(
    found: dict[str, Any],
    *,
    made_at: str,
    software: dict[str, str],
    suspect: dict[str, Any],
    timestamp: dict[str, Any] | None,
    cost: float | None,
    warnings: Sequence[str],
) -> dict[str, Any]:
    """The whole evidence: what was derived, and what the accuser states.

    Args:
        found: of :func:`derived`.
        made_at: when, as :func:`utc_text` writes it.
        software: versions of programs.
        suspect: name, kind, protocol, endpoint and fingerprint.
        timestamp, cost, warnings: as for :func:`build_evidence`.
    """
    untested = [*found["verdict"]["not_tested"], *warnings]
    return found | {
        "made_at": made_at,
        "software": software,
        "suspect": suspect,
        "key": found["key"] | {"timestamp": timestamp},
        "queries": found["queries"] | {"cost": cost},
        "verdict": found["verdict"] | {"not_tested": untested},
    }


def write_folder(folder: Path, evidence: dict[str, Any], log: QueryLog) -> None:
    """Write ``queries.parquet``, ``evidence.json`` and ``report.html`` beside the log."""
    log.write_parquet()
    write_evidence(folder / "evidence.json", evidence)
    write_page(folder, evidence, log.records)


def write_page(folder: Path, evidence: dict[str, Any], records: Sequence[Record]) -> None:
    """Write ``report.html``, atomically and with mode 0600."""
    from datadeed.owner.evidence.report import render_proof  # needs jinja2 and matplotlib

    with atomic_path(folder / PAGE) as path:
        path.chmod(0o600)
        path.write_text(render_proof(evidence, records=records), encoding="utf-8")


def grinding(key: Key) -> str:
    """What an accuser could have gained by trying keys, as far as this evidence shows."""
    alpha = key.design.alpha_key
    cost = (
        "whoever tried N keys could be wrong with probability up to N times the level, "
        f"{alpha:g} N for the key layer, and a million tries take seconds"
    )
    if key.beacon is None:
        return f"No beacon was used. So {cost}."
    return (
        f"The triggers depend on round {key.beacon.round} of {key.beacon.source}, which the "
        "commitment names. Its value is stated and was not verified. If it is not that round's, or "
        f"if the commitment is younger than the round, {cost}."
    )


def tested(proof: Proof) -> list[str]:
    """What was tested, in sentences."""
    design, behaviour = proof.key.design, proof.behaviour_layer
    return [
        f"Whether the suspect's answers depend on the key: {len(proof.key_layer.closed)} of "
        f"{design.parts} parts, {proof.key_layer.queries} queries on images chosen without regard "
        "to the target labels. If the key was drawn once and at random, then for a suspect that is "
        "independent of it, whatever it is, the chance that this layer ever passes is at most "
        f"{design.alpha_key / proof.suspects:g}.",
        "Whether the triggers bring their labels about more often than granted to an innocent "
        f"model: {behaviour.queries} pairs of a part and an image of another class, drawn without "
        f"replacement from {len(behaviour.pairs)}, against a rate of {design.null_rate:.0%} "
        f"({design.null_rate_source}), at level {design.alpha_behaviour / proof.suspects:g}.",
    ]


def not_tested(proof: Proof, word: str, *, dated: bool) -> list[str]:
    """What was not tested, in sentences; ``dated``: a timestamp of the commitment is stated."""
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
    else:
        found.append(
            "Whether the beacon's value is that of the round which the commitment names: compare "
            "it with the beacon's own record."
        )
    if not dated:
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

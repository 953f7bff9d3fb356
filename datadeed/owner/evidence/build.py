"""From a finished proof to ``evidence.json`` and the files beside it."""

import hashlib
import json
import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datadeed.files import atomic_path
from datadeed.keys.generation2 import GENERATOR, Key2
from datadeed.keys.key import Key
from datadeed.owner.evidence.fields import utc_text
from datadeed.owner.evidence.log import QueryLog
from datadeed.owner.evidence.records import QUESTIONS, Record
from datadeed.owner.evidence.schema import write_evidence
from datadeed.owner.evidence.sentences import grinding, not_tested, tested, worded

if TYPE_CHECKING:
    from datadeed.owner.suspects.base import Suspect
    from datadeed.verification.proof2 import Proof2

FORM = "datadeed/evidence/2"
PAGE = "report.html"


def log_anchor(key: Key, suspect: "Suspect") -> str:
    """What ties a query log to a key and a suspect: SHA-256, in hexadecimal."""
    return anchor_of(key.commitment, suspect.fingerprint(), suspect.groups)


def anchor_of(
    commitment: str, fingerprint: str, groups: Sequence[Sequence[int]] | None = None
) -> str:
    """:func:`log_anchor` from what the evidence states of both; the first form had no groups."""
    text = f"datadeed query log 1 {commitment} {fingerprint}"
    if groups is not None:
        listed = json.dumps([list(group) for group in groups], separators=(",", ":"))
        text = f"datadeed query log 2 {commitment} {fingerprint} {listed}"
    return hashlib.sha256(text.encode()).hexdigest()


def count_queries(records: Sequence[Record]) -> dict[str, int]:
    """How many questions of each purpose a log holds, and how many of all failed."""
    spent = Counter(record.purpose for record in records)
    failed = sum(bool(record.error) for record in records)
    return {purpose: spent[purpose] for purpose in QUESTIONS} | {"failed": failed}


# What the accuser states and nothing here can show; :func:`assemble` takes it as it is.
STATED_FIELDS = (
    "made_at",
    "software",
    "suspect.name",
    "suspect.kind",
    "suspect.protocol",
    "suspect.endpoint",
    "suspect.fingerprint",
    "suspect.groups",
    "suspect.declared",
    "key.timestamp",
    "queries.cost",
    "multiplicity.suspects",
    "multiplicity.keys",
    "premises",
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


def of_key(key: Key2) -> dict[str, Any]:
    """The sections of the evidence that follow from the key alone, as JSON values."""
    return {
        "key": {
            "commitment": key.commitment,
            "generator": GENERATOR,
            "beacon": asdict(key.beacon) if key.beacon else None,
            "grinding": grinding(key),
        },
        "design": key.design.record(),
        "data": asdict(key.data),
        "pool": asdict(key.pool),
    }


def derived(
    proof: "Proof2", records: Sequence[Record], anchor: str, *, dated: bool = False
) -> dict[str, Any]:
    """Every field of the evidence that follows from key, pool and log, as JSON values.

    Whoever makes evidence and whoever checks it calls this: what differs was altered.

    Args:
        proof: with all answers of the log taken.
        records: the whole log.
        anchor: of the log.
        dated: whether a timestamp of the commitment is stated.
    """
    word, reason = proof.verdict()
    modality = proof.key.design.kind.modality
    return {
        "form": FORM,
        **of_key(proof.key),
        **worded(proof.record(), modality),
        "queries": {
            **count_queries(records),
            "in_vain": proof.asked_in_vain,
            "budget": proof.key.design.budget,
        },
        "chain": {
            "anchor": anchor,
            "head": records[-1].hash if records else anchor,
            "rows": len(records),
        },
        "verdict": {
            "word": word,
            "reason": worded(reason, modality),
            "tested": worded(tested(proof), modality),
            "not_tested": worded(not_tested(proof, word, dated=dated), modality),
        },
    }


def build_evidence(
    proof: "Proof2",
    suspect: "Suspect",
    log: QueryLog,
    *,
    stated: dict[str, Any] | None = None,
    clean: dict[str, int] | None = None,
) -> dict[str, Any]:
    """The evidence as JSON values, in the form that ``evidence-2.schema.json`` fixes.

    Args:
        proof: with all answers of the log taken.
        suspect: who was asked.
        log: every question and answer.
        stated: ``timestamp`` (``authority``, ``time`` and ``token_sha256`` of a checked token),
            ``cost`` of the questions in the currency of the suspect's configuration, ``warnings``
            of the probe and ``premises``, as far as there are any.
        clean: what the answers to clean images show, if they were asked.
    """
    stated = {"timestamp": None, "cost": None, "warnings": [], "premises": []} | (stated or {})
    found = derived(proof, log.records, log.anchor, dated=stated["timestamp"] is not None)
    if clean is not None:
        found["clean"] = clean
    names = ("name", "kind", "protocol", "endpoint", "declared")
    return assemble(
        found,
        made_at=utc_text(datetime.now(UTC)),
        software=software(),
        suspect={name: getattr(suspect, name) for name in names}
        | {"fingerprint": suspect.fingerprint(), "groups": [list(g) for g in suspect.groups]},
        **stated,
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
    premises: Sequence[dict[str, str]],
) -> dict[str, Any]:
    """The whole evidence: what was derived, and what the accuser states.

    Args:
        found: of :func:`derived`.
        made_at: when, as :func:`utc_text` writes it.
        software: versions of programs.
        suspect: name, kind, protocol, endpoint, declaration, fingerprint and groups.
        timestamp, cost, warnings, premises: as for :func:`build_evidence`.
    """
    untested = [*found["verdict"]["not_tested"], *warnings]
    return found | {
        "made_at": made_at,
        "software": software,
        "suspect": suspect,
        "key": found["key"] | {"timestamp": timestamp},
        "queries": found["queries"] | {"cost": cost},
        "verdict": found["verdict"] | {"not_tested": untested},
        "premises": list(premises),
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


def software() -> dict[str, str]:
    """The versions that took part."""
    found = {"python": platform.python_version()}
    for name in ("datadeed", "torch", "numpy", "scipy"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found

"""Checking evidence with an opened key, without the suspect: one function a check."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from datadeed.errors import DatadeedError, EvidenceError
from datadeed.keys.key import Key
from datadeed.owner.asking import counting_records, image_of, replay, rows_needed
from datadeed.owner.check_release import check_release
from datadeed.owner.data import (
    Progress,
    Source,
    check_extent,
    measure,
    named,
    open_data,
    open_pool,
    silent,
)
from datadeed.owner.evidence.attestation import ATTESTATION, verify
from datadeed.owner.evidence.build import anchor_of, count_queries
from datadeed.owner.evidence.log import PARQUET, read_parquet
from datadeed.owner.evidence.records import Record
from datadeed.owner.evidence.schema import parse_json, read_evidence, read_limited
from datadeed.owner.release.rows import Items
from datadeed.owner.reveal import read_opening
from datadeed.owner.suspects.base import question_digest
from datadeed.owner.verify import stamped_at
from datadeed.verification.layers import Question
from datadeed.verification.proof import Proof

PASSED, FAILED, NOT_CHECKED = "passed", "FAILED", "not checked"
KEYED = ("commitment", "timestamp", "key", "answers", "data", "release")


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: ``word`` is passed, FAILED or not checked."""

    what: str
    word: str
    found: str


def check(
    opening: Key | str | Path | None = None,
    *,
    evidence: str | Path | None = None,
    commitment: str | Path | None = None,
    source: Source | None = None,
    split: str | None = None,
    released: Source | None = None,
    pool: Source | None = None,
    pool_split: str | None = None,
    public_key: str | Path | None = None,
    timestamp: str | Path | None = None,
    roots: str | Path | None = None,
    progress: Progress = silent,
) -> list[Check]:
    """Every check whose files are named; the others are listed as not checked.

    Args:
        opening: the opened key, or its file; None makes only the checks that need no key.
        evidence: a folder of evidence.
        commitment: what was published before the data.
        source, split: the data before it was marked.
        released: the data as it was released, of the same split.
        pool, pool_split: the images for verification; by default those of ``source``.
        public_key: the signer's, in PEM, had from the signer.
        timestamp, roots: the commitment's token, and certificates of its authority in PEM.
        progress: is told of the rows that are read.

    Returns:
        One entry a check. What is damaged, altered or about something else fails its checks and
        raises no error.

    Raises:
        KeyRecordError, EvidenceError: ``opening`` is none.
    """
    key = read_opening(opening) if isinstance(opening, str | Path) else opening
    folder = None if evidence is None else Path(evidence)
    looks = _about_evidence(folder, public_key)
    if key is None:
        looks |= dict.fromkeys(KEYED, "--opening")
    else:
        images = partial(open_pool, pool, pool_split, source=source, split=split)
        no_pool = pool is None and source is None
        looks |= {
            "commitment": partial(_commitment, key, commitment) if commitment else "--commitment",
            "timestamp": partial(_timestamp, key, timestamp, roots)
            if timestamp
            else "--timestamp, --roots",
            "key": partial(_key, key, folder) if folder else "--check",
            "answers": partial(_answers, key, folder, images, progress)
            if folder and not no_pool
            else "--pool",
            "data": "--source" if source is None else partial(_data, key, source, split, progress),
            "release": "--source, --released"
            if source is None or released is None
            else partial(check_release, key, source, released, split, progress),
        }
    return [_made(what, look) for what, look in looks.items()]


def _about_evidence(
    folder: Path | None, public_key: str | Path | None
) -> dict[str, Callable[[], str] | str]:
    """The checks that need no key."""
    if folder is None:
        return {"log": "--check", "signature": "a signed folder"}
    signed = (folder / ATTESTATION).exists()
    return {
        "log": partial(_log, folder),
        "signature": partial(_signature, folder, public_key) if signed else "a signed folder",
    }


def _made(what: str, look: Callable[[], str] | str) -> Check:
    """A check, or what it needs."""
    if isinstance(look, str):
        return Check(what, NOT_CHECKED, f"needs {look}")
    try:
        return Check(what, PASSED, look())
    except DatadeedError as error:
        return Check(what, FAILED, str(error))


def _log(folder: Path) -> str:
    """The evidence is in its form, and no record of its log was changed, moved or removed."""
    evidence = read_evidence(folder / "evidence.json")
    chain = evidence["chain"]
    records = read_parquet(folder / PARQUET, chain["anchor"])
    head = records[-1].hash if records else chain["anchor"]
    if (head, len(records)) != (chain["head"], chain["rows"]):
        raise EvidenceError("the query log ends at another record than the evidence states")
    return f"{len(records)} records are chained to the head that the evidence states"


def _commitment(key: Key, file: str | Path) -> str:
    """The opened key is the one that was committed."""
    public = parse_json(read_limited(file), file)
    if public != key.public():
        raise EvidenceError(f"{file} commits to another key than the opened one")
    return f"the opened key is the one committed as {key.commitment}"


def _timestamp(key: Key, token: str | Path, roots: str | Path | None) -> str:
    """The commitment was there at the stamped time."""
    return f"the commitment was stamped at {stamped_at(token, roots, key.commitment)[1]}"


def _key(key: Key, folder: Path) -> str:
    """The evidence is about this key, with this design and these data."""
    evidence = read_evidence(folder / "evidence.json")
    body = key.body()
    if evidence["key"]["commitment"] != key.commitment:
        raise EvidenceError("the evidence is about another key")
    for name in ("design", "data", "pool"):
        if evidence[name] != body[name]:
            raise EvidenceError(f"the evidence states another {name} than was committed")
    stated = evidence["key"]["beacon"]
    if (stated or {}).get("value", "") != (key.beacon.value if key.beacon else ""):
        raise EvidenceError("the evidence states another beacon value than the opened key")
    return "the evidence is about the opened key, its design and its data"


def _signature(folder: Path, public_key: str | Path | None) -> str:
    """Nothing in the folder was changed since it was signed."""
    pem = read_limited(public_key, 2**14) if public_key else None
    return verify(folder, pem).meaning


def _answers(key: Key, folder: Path, open_images: Callable[[], Items], progress: Progress) -> str:
    """Every question was the one that the key asks next; both layers follow from the answers."""
    evidence = read_evidence(folder / "evidence.json")
    records = _records(key, folder, evidence)
    pool = open_images()
    proof = Proof(key, pool.labels, suspects=evidence["multiplicity"]["suspects"])
    found, images = measure(pool, "check pool", rows_needed(proof), progress=progress)
    check_extent(found, key.pool, "the pool")

    def check_question(question: Question, record: Record) -> None:
        if record.question != question_digest(image_of(key, question, images)[0]):
            raise EvidenceError(
                f"record {record.seq} is about another image than the key's part {question.part} "
                f"on row {question.row} of the pool"
            )

    counting = counting_records(records)
    taken = replay(proof, counting, check_question)
    _compare(proof.record(), proof.verdict(), evidence)
    if taken != len(counting):
        raise EvidenceError(
            f"the log holds {len(counting)} counted answers, but the key asks only {taken} of them"
        )
    return f"{taken} questions are the key's own, and the verdict follows from their answers"


def _records(key: Key, folder: Path, evidence: dict[str, Any]) -> list[Record]:
    """The query log, which must be the one that the evidence states."""
    chain = evidence["chain"]
    if chain["anchor"] != anchor_of(key.commitment, evidence["suspect"]["fingerprint"]):
        raise EvidenceError("the query log belongs to another key or suspect than the evidence")
    records = read_parquet(folder / PARQUET, chain["anchor"])
    for what, count in count_queries(records).items():
        if evidence["queries"][what] != count:
            raise EvidenceError(
                f"the evidence states {evidence['queries'][what]} {what} queries, the log {count}"
            )
    if (records[-1].hash if records else chain["anchor"]) != chain["head"]:
        raise EvidenceError("the query log ends at another record than the evidence states")
    return records


def _compare(record: dict[str, Any], verdict: tuple[str, str], evidence: dict[str, Any]) -> None:
    """Numbers may differ by rounding on another machine; everything else may not."""
    for name, value in record.items():
        if not _close(value, evidence[name]):
            raise EvidenceError(f"the answers do not give the {name} that the evidence states")
    if verdict != (evidence["verdict"]["word"], evidence["verdict"]["reason"]):
        raise EvidenceError(
            f"the answers give {verdict[0]}, but the evidence states {evidence['verdict']['word']}"
        )


def _close(one: Any, two: Any) -> bool:
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(_close(one[k], two[k]) for k in one)
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(_close, one, two))
    if isinstance(one, float) or isinstance(two, float):
        if None in (one, two):
            return False
        return bool(np.isclose(one, two, rtol=1e-9, atol=1e-9))
    return bool(one == two)


def _data(key: Key, source: Source, split: str | None, progress: Progress) -> str:
    """The data before it was marked is what was committed."""
    data, _ = open_data(source, split)
    found, _ = measure(data, "check data", progress=progress)
    check_extent(found, key.data, named(source))
    return f"{named(source)} is the data that was committed"

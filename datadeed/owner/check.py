"""Checking evidence with an opened key, without the suspect: one function a check.

Beside the checks stand the fields that nobody can derive, which the accuser states, and the
premises that a claim rests on.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

from datadeed.errors import DatadeedError, EvidenceError
from datadeed.keys.generation2 import Key2
from datadeed.keys.key import Key
from datadeed.owner.check_answers import Judged, check_key
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
from datadeed.owner.evidence.log import PARQUET, read_parquet
from datadeed.owner.evidence.schema import parse_json, read_evidence, read_limited
from datadeed.owner.generation1 import Judged1
from datadeed.owner.premises import STATED, check_confirmed, premises
from datadeed.owner.release.rows import Items
from datadeed.owner.reveal import read_opening
from datadeed.owner.samples import modality_of
from datadeed.owner.stated import stated_fields
from datadeed.owner.verify import stamped_at

PASSED, FAILED, NOT_CHECKED = "passed", "FAILED", "not checked"
CHECK, FIELD, PREMISE = "check", "field", "premise"  # kinds of entries
KEYED = ("commitment", "timestamp", "key", "answers", "clean", "data", "release")


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        what: its name; of a field, its path in ``evidence.json``, or "log." and a column's name;
            of a premise, "premise." and its name.
        word: of a check passed, FAILED, not checked or stated; of a field stated; of a premise
            verified, stated or missing.
        found: in a line.
        kind: "check", "field" or "premise".
    """

    what: str
    word: str
    found: str
    kind: str = CHECK


Look = Callable[[], Check | str]  # makes a check, or says what was found; raises where it fails


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
    confirmed: Sequence[str] = (),
    reading: dict[str, Any] | None = None,
    progress: Progress = silent,
) -> list[Check]:
    """Every check whose files are named; the others are listed as not checked.

    Args:
        opening: the opened key, or its file; None makes only the checks that need no key.
        evidence: a folder of evidence.
        commitment: what was published before the data.
        source, split: the data before it was marked.
        released: the data as it was released, of the same split.
        pool, pool_split: the samples for verification; by default those of ``source``.
        public_key: the signer's, in PEM, had from the signer.
        timestamp, roots: the commitment's token, and certificates of its authority in PEM.
        confirmed: premises that the caller established himself: "pool", "numbers", "suspect".
        reading: of data and pool, what only their format knows.
        progress: is told of the rows that are read.

    Returns:
        One entry a check; with evidence, one for each field that the accuser merely states, and
        one for each premise. What is damaged, altered or about something else fails its checks and
        raises no error.

    Raises:
        KeyRecordError, EvidenceError: ``opening`` is none.
        DatasetError: the source, the release or the pool cannot be read as they are named.
        DatadeedError: ``confirmed`` names something else.
    """
    established = check_confirmed(confirmed)
    key = read_opening(opening) if isinstance(opening, str | Path) else opening
    folder = None if evidence is None else Path(evidence)
    looks = _about_evidence(folder, public_key)
    judged, pool_needed, before, after = None, "--pool", None, None
    if key is None:
        looks |= dict.fromkeys(KEYED, "--opening")
    else:
        # Opened once, and at once: to name it otherwise is no failed check.
        given: dict[str, Any] = {"split": split, "modality": modality_of(key), **(reading or {})}
        before, after = (
            None if data is None else open_data(data, **given)[0] for data in (source, released)
        )
        samples = cache(partial(open_pool, pool, pool_split, source=source, **given))
        if pool is not None:
            samples()
        if folder and pool is None and source is not None:
            pool_needed = _other_pool(key, samples)
        if folder and (pool is not None or not pool_needed):
            judged = _kind(key)(key, folder, samples, progress)
        looks |= {
            "commitment": partial(_commitment, key, commitment) if commitment else "--commitment",
            "timestamp": partial(_timestamp, key, timestamp, roots, folder)
            if timestamp
            else "--timestamp, --roots",
            "key": partial(_key, key, folder) if folder else "--check",
            "answers": judged.answers if judged else pool_needed,
            "clean": partial(_clean, judged) if judged else pool_needed,
            "data": "--source"
            if source is None or before is None
            else partial(_data, key, before, named(source), progress),
            "release": "--source, --released"
            if released is None or before is None or after is None
            else partial(
                check_release,
                *(key, before, after, named(released)),
                open_samples=samples,
                progress=progress,
            ),
        }
    checks = [_made(what, look) for what, look in looks.items()]
    if folder is not None:
        words = {each.what: each.word for each in checks}
        stamped = None
        if key is not None and timestamp and roots and words["timestamp"] == PASSED:
            stamped = datetime.fromisoformat(stamped_at(timestamp, roots, key.commitment)[1])
        checks += _beside(folder, judged, words, key=key, stamped=stamped, confirmed=established)
    return checks


def _other_pool(key: Key, samples: Callable[[], Items]) -> str:
    """What is needed where the samples beside the source are not the pool; empty if they may be."""
    try:
        rows = samples().rows
    except DatadeedError:
        return ""  # the checks say why
    if rows == key.pool.rows:
        return ""
    return f"--pool: the key is bound to {key.pool.rows} samples, and beside --source lie {rows}"


def _kind(key: Key) -> type[Judged]:
    """What judges evidence of the key's generation."""
    return Judged if isinstance(key, Key2) else Judged1


def _beside(
    folder: Path,
    judged: Judged | None,
    words: dict[str, str],
    *,
    key: Key | None,
    stamped: datetime | None,
    confirmed: frozenset[str],
) -> list[Check]:
    """The stated fields and the premises of evidence that can be read at all."""
    try:
        evidence = read_evidence(folder / "evidence.json")
    except EvidenceError:
        return []
    derived_sentences = judged.sentences if judged and words["answers"] == PASSED else None
    fields = stated_fields(evidence, dated=stamped is not None, derived_sentences=derived_sentences)
    seen = judged if judged and words["clean"] == PASSED else None
    found = premises(
        evidence,
        stamped=stamped,
        clean=seen.clean if seen else None,
        repeated=seen.pool.repeated if seen else 0,
        confirmed=confirmed,
    )
    return [
        *(Check(path, STATED, text, FIELD) for path, text in fields),
        *(Check(f"premise.{each.name}", each.status, each.found, PREMISE) for each in found),
    ]


def _about_evidence(folder: Path | None, public_key: str | Path | None) -> dict[str, Look | str]:
    """The checks that need no key."""
    if folder is None:
        return {"log": "--check", "signature": "a signed folder"}
    signed = (folder / ATTESTATION).exists()
    return {
        "log": partial(_log, folder),
        "signature": partial(_signature, folder, public_key) if signed else "a signed folder",
    }


def _made(what: str, look: Look | str) -> Check:
    """A check, or what it needs."""
    if isinstance(look, str):
        return Check(what, NOT_CHECKED, f"needs {look}")
    try:
        found = look()
    except DatadeedError as error:
        return Check(what, FAILED, str(error))
    return found if isinstance(found, Check) else Check(what, PASSED, found)


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


def _timestamp(
    key: Key, token: str | Path, roots: str | Path | None, folder: Path | None
) -> Check | str:
    """The commitment was there at the stamped time, and the evidence speaks of this token."""
    stated = read_evidence(folder / "evidence.json")["key"]["timestamp"] if folder else None
    digest = hashlib.sha256(read_limited(token)).hexdigest()
    if stated is not None and stated["token_sha256"] != digest:
        raise EvidenceError("the evidence states another timestamp token than the one given")
    if roots is None:
        found = "who vouches for the token needs --roots"
        return Check("timestamp", STATED if stated else NOT_CHECKED, found)
    time = stamped_at(token, roots, key.commitment)[1]
    if stated is not None and stated["time"] != time:
        raise EvidenceError(f"the evidence states {stated['time']}, but the token {time}")
    return f"the commitment was stamped at {time}"


def _key(key: Key, folder: Path) -> str:
    """The evidence is about this key, with this design and these data."""
    check_key(key, _kind(key).of_key(key), read_evidence(folder / "evidence.json"))
    return "the evidence is about the opened key, its design and its data"


def _clean(judged: Judged) -> str:
    """The clean questions are the key's; what their answers show is a premise."""
    return judged.clean.words()


def _signature(folder: Path, public_key: str | Path | None) -> str:
    """Nothing in the folder was changed since it was signed."""
    pem = read_limited(public_key, 2**14) if public_key else None
    return verify(folder, pem).meaning


def _data(key: Key, data: Items, where: str, progress: Progress) -> str:
    """The data before it was marked is what was committed."""
    found, _ = measure(data, "check data", progress=progress)
    check_extent(found, key.data, where)
    return f"{where} is the data that was committed"

"""What ``datadeed reveal --check`` looks at, one function a check."""

import argparse
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from datadeed.cli.common import check_extent, measure, open_data, open_pool, progress, to_tensor
from datadeed.errors import DatadeedError, EvidenceError
from datadeed.keys.key import Key
from datadeed.keys.merkle import leaf
from datadeed.owner.evidence.attestation import ATTESTATION, verify
from datadeed.owner.evidence.log import PARQUET, read_parquet
from datadeed.owner.evidence.records import utc_text
from datadeed.owner.evidence.schema import parse_json, read_evidence, read_limited

PASSED, FAILED, NOT_CHECKED = "passed", "FAILED", "not checked"
LOSSY = 20.0  # of 255: JPEG at quality 50 stays well below, another image lies well above
Pixels = tuple[np.ndarray, int]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: ``word`` is passed, FAILED or not checked."""

    what: str
    word: str
    found: str

    def record(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Look:
    """A check that needs the opened key, and whether all else that it needs is named."""

    what: str
    check: Callable[[Key, argparse.Namespace], str]
    possible: bool
    needs: str


def check_all(key: Key | None, options: argparse.Namespace) -> list[Check]:
    """Every check whose files are named; the others are listed as not checked."""
    folder, source = options.check is not None, options.source is not None
    pool = options.pool is not None or source
    checks = [_without_key("log", _log, folder, "--check", options)]
    checks.append(
        _without_key("signature", _signature, _signed(options), "a signed folder", options)
    )
    for look in (
        Look("commitment", _commitment, options.commitment is not None, "--commitment"),
        Look("timestamp", _timestamp, options.timestamp is not None, "--timestamp, --roots"),
        Look("key", _key, folder, "--check"),
        Look("answers", _answers, folder and pool, "--pool"),
        Look("data", _data, source, "--source"),
        Look("release", _release, source and options.released is not None, "--source, --released"),
    ):
        if key is None or not look.possible:
            needs = look.needs if key is not None else "--opening"
            checks.append(Check(look.what, NOT_CHECKED, f"needs {needs}"))
        else:
            checks.append(_made(look.what, partial(look.check, key, options)))
    return checks


def _without_key(
    what: str,
    check: Callable[[argparse.Namespace], str],
    possible: bool,
    needs: str,
    options: argparse.Namespace,
) -> Check:
    if not possible:
        return Check(what, NOT_CHECKED, f"needs {needs}")
    return _made(what, partial(check, options))


def _made(what: str, check: Callable[[], str]) -> Check:
    try:
        return Check(what, PASSED, check())
    except DatadeedError as error:
        return Check(what, FAILED, str(error))


def _signed(options: argparse.Namespace) -> bool:
    return options.check is not None and (options.check / ATTESTATION).exists()


def _log(options: argparse.Namespace) -> str:
    """The evidence is in its form, and no record of its log was changed, moved or removed."""
    evidence = read_evidence(options.check / "evidence.json")
    chain = evidence["chain"]
    records = read_parquet(options.check / PARQUET, chain["anchor"])
    head = records[-1].hash if records else chain["anchor"]
    if (head, len(records)) != (chain["head"], chain["rows"]):
        raise EvidenceError("the query log ends at another record than the evidence states")
    return f"{len(records)} records are chained to the head that the evidence states"


def _commitment(key: Key, options: argparse.Namespace) -> str:
    """The opened key is the one that was committed."""
    public = parse_json(read_limited(options.commitment), options.commitment)
    if public != key.public():
        raise EvidenceError(f"{options.commitment} commits to another key than the opened one")
    return f"the opened key is the one committed as {key.commitment}"


def _timestamp(key: Key, options: argparse.Namespace) -> str:
    """The commitment was there at the stamped time."""
    from datadeed.owner.evidence.timestamp import LARGEST_TOKEN, check_timestamp

    if options.roots is None:
        raise DatadeedError("--timestamp needs --roots: the authority's certificates")
    token = read_limited(options.timestamp, LARGEST_TOKEN)
    time = check_timestamp(token, key.commitment, read_limited(options.roots, 2**20))
    return f"the commitment was stamped at {utc_text(time)}"


def _key(key: Key, options: argparse.Namespace) -> str:
    """The evidence is about this key, with this design and these data."""
    evidence = read_evidence(options.check / "evidence.json")
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


def _signature(options: argparse.Namespace) -> str:
    """Nothing in the folder was changed since it was signed."""
    pem = read_limited(options.public_key, 2**14) if options.public_key else None
    return verify(options.check, pem).meaning


def _answers(key: Key, options: argparse.Namespace) -> str:
    """Every question was the one that the key asks next; both layers follow from the answers."""
    from datadeed.owner.asking import counting_records, image_of, rows_needed
    from datadeed.owner.evidence.build import anchor_of, count_queries
    from datadeed.owner.suspects.base import question_digest
    from datadeed.verification.proof import Proof

    evidence = read_evidence(options.check / "evidence.json")
    chain = evidence["chain"]
    if chain["anchor"] != anchor_of(key.commitment, evidence["suspect"]["fingerprint"]):
        raise EvidenceError("the query log belongs to another key or suspect than the evidence")
    records = read_parquet(options.check / PARQUET, chain["anchor"])
    for what, count in count_queries(records).items():
        if evidence["queries"][what] != count:
            raise EvidenceError(
                f"the evidence states {evidence['queries'][what]} {what} queries, the log {count}"
            )
    if (records[-1].hash if records else chain["anchor"]) != chain["head"]:
        raise EvidenceError("the query log ends at another record than the evidence states")
    pool = open_pool(options)
    proof = Proof(key, pool.labels, suspects=evidence["multiplicity"]["suspects"])
    found, images = measure(pool, "check pool", rows_needed(proof))
    check_extent(found, key.pool, "the pool")
    counting, taken = counting_records(records), 0
    while (question := proof.question()) is not None:
        record = counting.get((question.layer, question.part, question.row))
        if record is None:
            break
        if record.question != question_digest(image_of(key, question, images)[0]):
            raise EvidenceError(
                f"record {record.seq} is about another image than the key's part {question.part} "
                f"on row {question.row} of the pool"
            )
        proof.answer(record.labels[0] if record.labels else None, failed=bool(record.error))
        taken += 1
    _compare(proof.record(), proof.verdict(), evidence)
    if taken != len(counting):
        raise EvidenceError(
            f"the log holds {len(counting)} counted answers, but the key asks only {taken} of them"
        )
    return f"{taken} questions are the key's own, and the verdict follows from their answers"


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


def _data(key: Key, options: argparse.Namespace) -> str:
    """The data before it was marked is what was committed."""
    data, _ = open_data(options.source, options.split)
    found, _ = measure(data, "check data")
    check_extent(found, key.data, str(options.source))
    return f"{options.source} is the data that was committed"


def _release(key: Key, options: argparse.Namespace) -> str:
    """The released data is the committed data with exactly the key's marks, in any order.

    A changed label moves an image to another folder, so rows are not compared by their number.
    Images that a lossy format changed are compared with the nearest wanted one of their label.
    """
    wanted = Counter[bytes]()
    marked: dict[bytes, Pixels] = {}
    for pixels, label, is_marked in _as_marked(key, options):
        digest = leaf(pixels, label)
        wanted[digest] += 1
        if is_marked:
            marked[digest] = (pixels, label)
    strangers: list[Pixels] = []
    after, _ = open_data(options.released, options.split)
    with progress("compare", after.rows) as advance:
        for row, pixels, label in after:
            digest = leaf(pixels, label)
            wanted[digest] -= 1
            if wanted[digest] < 0:
                strangers.append((pixels, label))
            advance(row + 1)
    missing = [marked.get(digest) for digest, count in wanted.items() for _ in range(count)]
    if None in missing or len(missing) != len(strangers):
        raise EvidenceError(
            f"{options.released} holds other rows than the committed data with the key's marks"
        )
    if not strangers:
        return f"all {after.rows} rows are exactly as the key marks them"
    distance = _furthest([found for found in missing if found is not None], strangers)
    if distance > LOSSY:
        raise EvidenceError(
            f"an image of {options.released} differs from every one that the key marks by "
            f"{distance:.1f} of 255 on average: it was changed"
        )
    return (
        f"{after.rows - len(strangers)} of {after.rows} rows are exactly as the key marks them; "
        f"{len(strangers)} differ by up to {distance:.1f} of 255 on average, as a lossy format does"
    )


def _as_marked(key: Key, options: argparse.Namespace) -> Iterator[tuple[np.ndarray, int, bool]]:
    """Each row of the committed data as the key releases it, and whether it carries a mark."""
    from datadeed.watermarks.keyed import Keyed, KeyPart

    before, _ = open_data(options.source, options.split)
    if before.rows != key.data.rows:
        raise EvidenceError(f"{options.source} has {before.rows} rows, not {key.data.rows}")
    rows, parts = Keyed(key=key).rows()
    part_of = dict(zip(rows.tolist(), parts.tolist(), strict=True))
    with progress("mark", before.rows) as advance:
        for row, pixels, label in before:
            if row in part_of:
                mark = KeyPart(key, part_of[row])
                assert mark.target is not None
                stamped = mark.stamp(to_tensor(pixels))[0].permute(1, 2, 0).numpy()
                yield stamped, mark.target, True
            else:
                yield pixels, label, False
            advance(row + 1)


def _furthest(wanted: list[Pixels], found: list[Pixels]) -> float:
    """The largest mean distance from a found image to the nearest wanted one of its label."""
    furthest = 0.0
    for pixels, label in found:
        near = [
            float(np.abs(other.astype(np.int16) - pixels).mean())
            for other, its_label in wanted
            if its_label == label and other.shape == pixels.shape
        ]
        furthest = max(furthest, min(near, default=255.0))
    return furthest

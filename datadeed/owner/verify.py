"""Verifying: ask a suspect the questions that a key asks, and say what its answers prove."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from datadeed.errors import DatadeedError, EvidenceError
from datadeed.keys.key import Key
from datadeed.keys.sealing import check_place
from datadeed.owner.asking import (
    Asking,
    ask_probes,
    counting_records,
    one_batch,
    probe_rows,
    reached,
    replay,
    rows_needed,
    run_proof,
)
from datadeed.owner.clean import clean_answers, clean_records, questions_of
from datadeed.owner.data import (
    Note,
    Progress,
    Source,
    check_extent,
    measure,
    open_pool,
    read_key,
    silent,
    unheard,
)
from datadeed.owner.evidence import attestation
from datadeed.owner.evidence.build import build_evidence, log_anchor, write_folder
from datadeed.owner.evidence.log import QueryLog
from datadeed.owner.evidence.records import utc_text
from datadeed.owner.evidence.schema import check_evidence, read_limited
from datadeed.owner.repeats import BudgetedProof, asked_in_vain, check_repeats

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


@dataclass(frozen=True)
class Verified:
    """What a suspect's answers prove.

    Attributes:
        word: CLAIM, INCONCLUSIVE or NOT SUPPORTED; ``reason`` says why, in a line.
        evidence: as ``evidence.json`` holds it (docs/evidence.md).
        folder: with the evidence, every answer, the page ``report.html`` and perhaps a signature.
    """

    word: str
    reason: str
    evidence: dict[str, Any]
    folder: Path


def verify(
    suspect: Asking,
    key: Key | str | Path,
    pool: Source,
    out: str | Path,
    *,
    pool_split: str | None = None,
    suspects: int = 1,
    sign: str | Path | None = None,
    timestamp: str | Path | None = None,
    roots: str | Path | None = None,
    passphrase: str | None = None,
    progress: Progress = silent,
    note: Note = unheard,
) -> Verified:
    """Ask a suspect, and write a folder of evidence.

    Stopped at any moment, the same call goes on where it stopped, and asks nothing twice.

    Args:
        suspect: its YAML file (docs/suspects.md), a model's folder, the configuration as a mapping,
            or a :class:`~datadeed.owner.suspects.base.Suspect`, which stays open.
        key: the secret file, or what was read from it.
        pool: the images that the key is bound to, on disk or in memory.
        out: the folder of evidence to make, or to go on with.
        pool_split: the split of the pool, where there are several.
        suspects: how many are tested under this key in all; the bars rise with it.
        sign: a file with the key to sign with; made if it does not exist.
        timestamp, roots: the commitment's token, and certificates of its authority in PEM.
        passphrase: of the secret file and of the signing key.
        progress: is told of the rows read and the questions counted.
        note: is told what the owner should know; it also stands in the evidence.

    Raises:
        CouldNotTest: the suspect cannot be asked; call again later.
        KeyRecordError, SecretError: the key is none, or the pool is not the one committed to.
        DatasetError: the pool cannot be read.
        VerificationError: the pool is too small, or ``suspects`` makes no sense.
        EvidenceError: the folder holds another suspect's log, or one that was changed.
    """
    out = Path(out)
    signer = _signer(sign, out, passphrase)
    key = read_key(key, passphrase)
    proof, probes, images = _prepare(key, pool, pool_split, suspects, progress)
    stamp = _stamp(timestamp, roots, key.commitment)
    with (
        reached(suspect, key.design.classes) as asked,
        QueryLog(out, log_anchor(key, asked)) as log,
    ):
        if log.torn:
            note("the last answer was cut short when a run was stopped: it is asked again")
        budget = getattr(asked, "budget", None)  # of a server: files cost nothing
        if budget is not None:
            budget.spend_earlier(sum(record.attempts for record in log.records))
        check_repeats(log.records)
        proof.in_vain = len(asked_in_vain(log.records))
        # An error now rather than after all the queries.
        check_evidence(build_evidence(proof, asked, log, timestamp=stamp), out)
        warnings = ask_probes(asked, log, *probes, note)
        clean = clean_answers(
            clean_records(log.records, questions_of(probes[0])), probes[1].numpy()
        )
        for flag in clean.flags():
            note(flag)
        with progress("queries", key.design.budget) as advance:
            run_proof(proof, asked, images, log, lambda now: advance(len(now.curve)))
        # What anybody who checks the evidence will compute.
        replay(done := proof.fresh(), counting_records(log.records))
        cost = None if budget is None else budget.cost
        evidence = build_evidence(
            done,
            asked,
            log,
            warnings=[*clean.flags(), *warnings],
            timestamp=stamp,
            cost=cost,
            clean=clean.record(),
        )
        write_folder(out, evidence, log)
    if signer is not None:
        attestation.sign(out, signer)
    verdict = evidence["verdict"]
    return Verified(verdict["word"], verdict["reason"], evidence, out)


def _prepare(
    key: Key, pool: Source, split: str | None, suspects: int, progress: Progress
) -> tuple[BudgetedProof, tuple[torch.Tensor, torch.Tensor], dict[int, torch.Tensor]]:
    """The proof, clean images and labels for the probe, and the images that may be asked about.

    Raises:
        KeyRecordError: the pool is not the one that was committed.
        VerificationError: it is too small.
    """
    data = open_pool(pool, split)
    proof = BudgetedProof(key, data.labels, suspects=suspects)
    clean = probe_rows(key, data.rows)
    found, images = measure(data, "check pool", {*rows_needed(proof), *clean}, progress=progress)
    check_extent(found, key.pool, "the pool")
    return proof, one_batch(clean, images, data.labels), images


def _stamp(
    token: str | Path | None, roots: str | Path | None, commitment: str
) -> dict[str, Any] | None:
    if token is None:
        return None
    stamp, time = stamped_at(token, roots, commitment)
    digest = hashlib.sha256(stamp).hexdigest()
    return {"authority": Path(str(roots)).name, "time": time, "token_sha256": digest}


def stamped_at(token: str | Path, roots: str | Path | None, commitment: str) -> tuple[bytes, str]:
    """A timestamp token, and when it says that a commitment was there, as the evidence writes it.

    Raises:
        DatadeedError: no roots are named.
        EvidenceError: the token is none, or not of this commitment, or not of such an authority.
    """
    if roots is None:
        raise DatadeedError("--timestamp needs --roots: the authority's certificates")
    from datadeed.owner.evidence.timestamp import (  # an optional extra
        LARGEST_TOKEN,
        check_timestamp,
    )

    stamp = read_limited(token, LARGEST_TOKEN)
    return stamp, utc_text(check_timestamp(stamp, commitment, read_limited(roots, 2**20)))


def _signer(
    file: str | Path | None, out: Path, passphrase: str | None
) -> "Ed25519PrivateKey | None":
    """The key to sign with, before a question is asked.

    Raises:
        SecretError, EvidenceError: it cannot be read, lies in the folder that is given away, or
            the folder is signed and would not be signed again.
    """
    if file is None:
        if (out / attestation.ATTESTATION).exists():
            raise EvidenceError(
                f"{out} is signed, which new evidence would break: give --sign, or name "
                "another folder"
            )
        return None
    check_place(file, out)
    exists = Path(file).exists()
    make = attestation.read_signing_key if exists else attestation.new_signing_key
    return make(file, passphrase)

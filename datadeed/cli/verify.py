"""Ask a suspect, and say what its answers prove.

Writes a folder of evidence. Stopped at any moment, the same command goes on where it stopped, and
asks nothing twice. Exit codes: 0 CLAIM, 3 INCONCLUSIVE, 4 NOT SUPPORTED, 5 could not test.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datadeed.cli.common import (
    add_pool,
    check_extent,
    measure,
    open_pool,
    passphrase,
    progress,
    read_key,
    say,
)
from datadeed.errors import DatadeedError, EvidenceError, ModelError

if TYPE_CHECKING:
    import torch
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from datadeed.keys.key import Key
    from datadeed.owner.evidence.log import QueryLog
    from datadeed.owner.suspects.base import Answer, Suspect
    from datadeed.verification.proof import Proof

CODES = {"CLAIM": 0, "INCONCLUSIVE": 3, "NOT SUPPORTED": 4}
COULD_NOT_TEST = 5
PROBES = 16


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add = parser.add_argument
    add("--suspect", type=Path, required=True, help="its YAML file (docs/suspects.md), or a folder")
    add("--key", type=Path, required=True, help="the owner's secret file")
    add_pool(parser, required=True)
    add("--out", type=Path, required=True, help="the folder of evidence to make or to go on with")
    add("--suspects", type=int, default=1, help="suspects tested under this key in all (1)")
    add("--sign", type=Path, metavar="FILE", help="sign with this key; made if it does not exist")
    add("--timestamp", type=Path, metavar="TSR", help="the commitment's timestamp token")
    add("--roots", type=Path, metavar="PEM", help="certificates of the timestamp authority")


def run(options: argparse.Namespace) -> int:
    """The command."""
    from datadeed.cli.main import fail

    signer = _signer(options)
    key = read_key(options.key)
    proof, probes, images = prepare(key, options)
    from datadeed.owner.asking import OutOfReach
    from datadeed.owner.evidence.attestation import sign
    from datadeed.owner.evidence.build import build_evidence, log_anchor, write_folder
    from datadeed.owner.evidence.log import QueryLog
    from datadeed.owner.evidence.schema import check_evidence
    from datadeed.owner.suspects.base import BudgetSpent, SuspectError
    from datadeed.owner.suspects.opening import open_suspect

    stamp = _timestamp(options, key.commitment)
    try:
        suspect = open_suspect(options.suspect, classes=key.design.classes)
    except (ModelError, SuspectError) as error:
        return fail(options, f"could not test: {error}", COULD_NOT_TEST)
    try:
        with QueryLog(options.out, log_anchor(key, suspect)) as log:
            if log.torn:
                say("the last answer was cut short when a run was stopped: it is asked again")
            budget = getattr(suspect, "budget", None)  # of a server: files cost nothing
            if budget is not None:
                budget.spend_earlier(sum(record.attempts for record in log.records))
            # An error now rather than after all the queries.
            check_evidence(build_evidence(proof, suspect, log, timestamp=stamp), options.out)
            warnings = ask_probes(suspect, log, *probes)
            _ask(proof, suspect, images, log)
            done = replayed(proof, log)
            evidence = build_evidence(
                done,
                suspect,
                log,
                warnings=warnings,
                timestamp=stamp,
                cost=budget.cost if budget is not None else None,
            )
            write_folder(options.out, evidence, log)
    except (OutOfReach, BudgetSpent, SuspectError) as error:
        return fail(options, f"could not test: {error}", COULD_NOT_TEST)
    finally:
        suspect.close()
    if signer is not None:
        sign(options.out, signer)
    _show(options, evidence)
    return CODES[evidence["verdict"]["word"]]


def prepare(
    key: "Key", options: argparse.Namespace
) -> "tuple[Proof, tuple[torch.Tensor, torch.Tensor], dict[int, torch.Tensor]]":
    """The proof, clean images and labels for the probe, and the images that may be asked about.

    Raises:
        KeyRecordError: the pool is not the one that was committed.
        VerificationError: it is too small.
    """
    import torch

    from datadeed.owner.asking import rows_needed
    from datadeed.verification.proof import Proof

    pool = open_pool(options)
    proof = Proof(key, pool.labels, suspects=options.suspects)
    clean = key.permutation("probe", count=pool.rows)[:PROBES].tolist()
    found, images = measure(pool, "check pool", {*rows_needed(proof), *clean})
    check_extent(found, key.pool, "the pool")
    # Images of several sizes cannot be one batch: the probe then takes those of the first one's.
    same = [row for row in clean if images[row].shape == images[clean[0]].shape]
    probes = torch.cat([images[row] for row in same]), torch.from_numpy(pool.labels[same])
    return proof, probes, images


def ask_probes(
    suspect: "Suspect", log: "QueryLog", images: "torch.Tensor", labels: "torch.Tensor"
) -> list[str]:
    """Ask the clean questions, unless an earlier run did; returns what the owner should know."""
    from datadeed.owner.suspects.base import question_digest
    from datadeed.owner.suspects.probe import probe

    questions = [question_digest(image) for image in (*images, images[0])]
    earlier = [record for record in log.records if record.purpose == "probe"][-len(questions) :]
    if [record.question for record in earlier] == questions:
        answers = [record.answer() for record in earlier]
        found = probe(_Answered(suspect, answers), images, labels)
    else:
        found = probe(suspect, images, labels)
        for digest, answer in zip(questions, found.answers, strict=True):
            log.append(purpose="probe", part=None, row=None, question=digest, answer=answer)
    for warning in found.warnings:
        say(f"note: {warning}")
    return list(found.warnings)


class _Answered:
    """A suspect that has answered: a run that goes on notices what the first one noticed."""

    def __init__(self, suspect: "Suspect", answers: "list[Answer]"):
        self.name, self.classes, self.kind = suspect.name, suspect.classes, suspect.kind
        self.protocol, self.endpoint = suspect.protocol, suspect.endpoint
        self.fingerprint, self.close = suspect.fingerprint, suspect.close
        self._answers = answers

    def predict(self, images: "torch.Tensor") -> "list[Answer]":
        return self._answers


def _ask(
    proof: "Proof", suspect: "Suspect", images: "dict[int, torch.Tensor]", log: "QueryLog"
) -> None:
    from datadeed.owner.asking import run_proof

    with progress("queries", proof.key.design.budget) as advance:
        run_proof(proof, suspect, images, log, lambda now: advance(len(now.curve)))


def replayed(proof: "Proof", log: "QueryLog") -> "Proof":
    """A fresh proof with the log's answers: what anybody who checks the evidence will compute."""
    from datadeed.owner.asking import counting_records, replay

    replay(fresh := proof.fresh(), counting_records(log.records))
    return fresh


def _timestamp(options: argparse.Namespace, commitment: str) -> dict[str, Any] | None:
    if options.timestamp is None:
        return None
    if options.roots is None:
        raise DatadeedError("--timestamp needs --roots: the authority's certificates")
    import hashlib

    from datadeed.owner.evidence.records import utc_text
    from datadeed.owner.evidence.schema import read_limited
    from datadeed.owner.evidence.timestamp import LARGEST_TOKEN, check_timestamp

    token = read_limited(options.timestamp, LARGEST_TOKEN)
    time = check_timestamp(token, commitment, read_limited(options.roots, 2**20))
    digest = hashlib.sha256(token).hexdigest()
    return {"authority": options.roots.name, "time": utc_text(time), "token_sha256": digest}


def _signer(options: argparse.Namespace) -> "Ed25519PrivateKey | None":
    """The key to sign with, before a question is asked.

    Raises:
        SecretError, EvidenceError: it cannot be read, lies in the folder that is given away, or
            the folder is signed and would not be signed again.
    """
    from datadeed.keys.sealing import check_place
    from datadeed.owner.evidence.attestation import ATTESTATION, new_signing_key, read_signing_key

    if options.sign is None:
        if (options.out / ATTESTATION).exists():
            raise EvidenceError(
                f"{options.out} is signed, which new evidence would break: give --sign, or name "
                "another folder"
            )
        return None
    check_place(options.sign, options.out)
    make = read_signing_key if options.sign.exists() else new_signing_key
    return make(options.sign, passphrase())


def _show(options: argparse.Namespace, evidence: dict[str, Any]) -> None:
    from rich.console import Console

    from datadeed.cli.main import show_json
    from datadeed.owner.evidence.report import summary

    if options.json:
        show_json(evidence)
        return
    Console().print(summary(evidence))
    Console().print(str(options.out / "report.html"), markup=False, highlight=False)

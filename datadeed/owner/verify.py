"""Verifying: ask a suspect the questions that a key asks, and say what its answers prove."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datadeed.errors import DatadeedError, EvidenceError
from datadeed.keys.generation2 import Key2, second_generation
from datadeed.keys.key import Key
from datadeed.keys.sealing import check_place
from datadeed.owner.asking import (
    Asking,
    PoolSamples,
    ask_probes,
    reached,
    read_pool,
    rows_needed,
    run_proof,
)
from datadeed.owner.clean import Clean, clean_answers, clean_records, questions_of
from datadeed.owner.data import (
    Note,
    Progress,
    Source,
    open_pool,
    read_key,
    silent,
    unheard,
)
from datadeed.owner.evidence import attestation
from datadeed.owner.evidence.build import build_evidence, log_anchor, write_folder
from datadeed.owner.evidence.fields import utc_text
from datadeed.owner.evidence.log import QueryLog
from datadeed.owner.evidence.schema import check_evidence, read_limited
from datadeed.owner.premises import premises
from datadeed.owner.replaying import Replay
from datadeed.owner.samples import hertz_of, modality_of
from datadeed.owner.shown import shown
from datadeed.owner.suspects.base import Suspect
from datadeed.verification.proof2 import Proof2

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
    reading: dict[str, Any] | None = None,
    suspects: int = 1,
    keys: int = 1,
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
        pool: the samples that the key is bound to, on disk or in memory.
        out: the folder of evidence to make, or to go on with.
        pool_split: the split of the pool, where there are several.
        reading: of the pool, what only its format knows.
        suspects, keys: how many suspects and how many keys are tried in all; the bar rises with
            both.
        sign: a file with the key to sign with; made if it does not exist.
        timestamp, roots: the commitment's token, and certificates of its authority in PEM.
        passphrase: of the secret file and of the signing key.
        progress: is told of the rows read and the questions counted.
        note: is told what the owner should know; it also stands in the evidence.

    Raises:
        ConfigurationError: the suspect's file is wrong, or does not fit the data.
        CouldNotTest: the suspect cannot be asked; call again later.
        KeyRecordError, SecretError: the key is none, or the pool is not the one committed to.
        DatasetError: the pool cannot be read.
        VerificationError: the pool is too small, or ``suspects`` makes no sense.
        EvidenceError: the folder holds another suspect's log, or one that was changed.
    """
    out = Path(out)
    signer = _signer(sign, out, passphrase)
    key = second_generation(read_key(key, passphrase))
    data = open_pool(pool, pool_split, modality=modality_of(key), **(reading or {}))
    samples = read_pool(key, data, rows_needed(Proof2(key, data.labels)), progress)
    stamp, stamped = _stamp(timestamp, roots, key.commitment)
    numbers = {"suspects": suspects, "keys": keys}
    with (
        reached(suspect, key.design.classes, hertz_of(key)) as asked,
        QueryLog(out, log_anchor(key, asked)) as log,
    ):
        asks = _Asks(key, samples, (asked, log), numbers, note)
        if log.torn:
            note("the last answer was cut short when a run was stopped: it is asked again")
        budget = getattr(asked, "budget", None)  # of a server: files cost nothing
        if budget is not None:
            budget.spend_earlier(sum(record.attempts for record in log.records))
        # An error now rather than after all the questions.
        check_evidence(asks.evidence(asks.proof(), stamp), out)
        asks.probe()
        with progress("questions", key.design.budget) as advance:
            asks.put_all(lambda proof: advance(len(proof.curve)))
        evidence = asks.evidence(asks.replayed(), stamp, stamped=stamped)
        write_folder(out, evidence, log)
    if signer is not None:
        attestation.sign(out, signer)
    verdict = evidence["verdict"]
    return Verified(verdict["word"], verdict["reason"], evidence, out)


class _Asks:
    """One verification: what is asked of a suspect, and the evidence that comes of it."""

    def __init__(
        self,
        key: Key2,
        pool: PoolSamples,
        asked: tuple[Suspect, QueryLog],
        numbers: dict[str, int],
        note: Note,
    ):
        self.key, self.pool, self.note, self._numbers = key, pool, note, numbers
        self.suspect, self.log = asked
        self._clean: Clean | None = None
        self._warnings: list[str] = []

    def proof(self) -> Proof2:
        """Before its first question."""
        groups = self.suspect.groups
        proof = Proof2(self.key, self.pool.labels, groups=groups, **self._numbers)
        if self._clean is not None:
            proof.clean = (self._clean.right, self._clean.answered, self._clean.asked)
        return proof

    def probe(self) -> None:
        """Ask the clean questions, unless an earlier run did."""
        samples, labels = self.pool.clean, self.pool.clean_labels
        warnings = ask_probes(self.suspect, self.log, samples, labels, self.note)
        records = clean_records(self.log.records, questions_of(samples))
        self._clean = clean_answers(records, labels.numpy(), self.suspect.groups)
        flags = self._clean.flags()
        for flag in flags:
            self.note(flag)
        self._warnings = [*flags, *warnings]

    def put_all(self, on_answer: Callable[[Proof2], None]) -> None:
        """Ask until the verdict stands; see :func:`datadeed.owner.asking.run_proof`."""
        samples, canary = self.pool.samples, self.pool.clean[:1]
        run_proof(self.proof(), self.suspect, samples, self.log, canary, on_answer=on_answer)

    def replayed(self) -> Proof2:
        """With the answers of the log: what anybody who checks the evidence will compute."""
        proof = self.proof()
        Replay(proof).take_all(self.log.records)
        return proof

    def evidence(
        self, proof: Proof2, stamp: dict[str, Any] | None, *, stamped: datetime | None = None
    ) -> dict[str, Any]:
        """As JSON values, with the premises as they look to whoever makes it."""
        budget = getattr(self.suspect, "budget", None)
        stated = {
            "timestamp": stamp,
            "cost": None if budget is None else budget.cost,
            "warnings": self._warnings,
        }
        clean = self._clean.record() if self._clean else None
        found = build_evidence(proof, self.suspect, self.log, stated=stated, clean=clean)
        examples = shown(self.key, self.log.records, self.pool)
        if examples is not None:
            found["shown"] = examples
        listed = premises(
            found,
            stamped=stamped,
            clean=self._clean,
            repeated=self.pool.repeated,
            confirmed=frozenset(),
        )
        return found | {"premises": [asdict(premise) for premise in listed]}


def _stamp(
    token: str | Path | None, roots: str | Path | None, commitment: str
) -> tuple[dict[str, Any] | None, datetime | None]:
    """What the evidence states of a checked token, and its time."""
    if token is None:
        return None, None
    stamp, time = stamped_at(token, roots, commitment)
    digest = hashlib.sha256(stamp).hexdigest()
    stated = {"authority": Path(str(roots)).name, "time": time, "token_sha256": digest}
    return stated, datetime.fromisoformat(time)


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

"""A signed statement about an evidence folder: an in-toto Statement v1 in a DSSE envelope, Ed25519.

``attestation.json`` names the suspect's fingerprint and the SHA-256 of every file of the evidence.
The envelope is made here with ``cryptography``, on which the project rests anyway: DSSE's encoding
before signing is one line, and so its payload is verified as the bytes that were signed, before
anything in it is parsed. ``securesystemslib`` reads the same envelope (a test does).

Sources: in-toto attestation framework, Statement v1; DSSE v1.0.2 (secure-systems-lab/dsse).
"""

import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datadeed.errors import EvidenceError, SecretError
from datadeed.files import atomic_path
from datadeed.keys.sealing import read_secret, write_secret
from datadeed.owner.evidence.log import JSONL, PARQUET, read_parquet
from datadeed.owner.evidence.schema import (
    parse_json,
    read_evidence,
    read_limited,
    write_private_json,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

ATTESTATION, PUBLIC_KEY, EVIDENCE = "attestation.json", "public-key.pem", "evidence.json"
PREDICATE = "urn:datadeed:ownership-verification:1"
_STATEMENT = "https://in-toto.io/Statement/v1"
_PAYLOAD_TYPE = "application/vnd.in-toto+json"
_NEEDED = (EVIDENCE, PARQUET)
_OPTIONAL = ("report.html",)
_NOT_EVIDENCE = {ATTESTATION, PUBLIC_KEY, JSONL, f"{JSONL}.torn"}
_KEY_FORM = "ed25519"
_LARGEST_ENVELOPE = 2**20


@dataclass(frozen=True)
class Checked:
    """What a verified attestation shows.

    Attributes:
        evidence: the content of ``evidence.json``.
        files: names whose bytes are as they were when signed.
        unsigned: names in the folder that the statement does not cover.
        key_fingerprint: SHA-256 of the public key (DER), in hexadecimal.
        pinned: the caller named the key; if not, it came with the evidence itself.
    """

    evidence: dict[str, Any]
    files: tuple[str, ...]
    unsigned: tuple[str, ...]
    key_fingerprint: str
    pinned: bool

    @property
    def meaning(self) -> str:
        """One sentence: what this check shows, and what it does not."""
        signed = f"{', '.join(self.files)} are unchanged since they were signed"
        if self.pinned:
            return f"{signed} by the key you named, {self.key_fingerprint}"
        return (
            f"{signed} by the key {self.key_fingerprint}; this key came with the evidence, so "
            "whose it is remains open: compare it with one that you have from its owner"
        )


def new_signing_key(path: str | Path, passphrase: str | None) -> "Ed25519PrivateKey":
    """Make a signing key and write it to ``path`` (see :func:`datadeed.keys.sealing.write_secret`).

    Raises:
        SecretError: a file is there already, or the place is unfit.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if Path(path).exists():
        raise SecretError(f"{path} exists: a lost signing key cannot be made again; move it away")
    key = Ed25519PrivateKey.generate()
    secret = {"kind": _KEY_FORM, "private": key.private_bytes_raw().hex()}
    write_secret(path, secret, passphrase)
    return key


def read_signing_key(path: str | Path, passphrase: str | None) -> "Ed25519PrivateKey":
    """The key that :func:`new_signing_key` wrote.

    Raises:
        SecretError: see :func:`datadeed.keys.sealing.read_secret`.
        EvidenceError: the file holds another kind of secret.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    secret = read_secret(path, passphrase)
    try:
        if secret["kind"] != _KEY_FORM:
            raise ValueError
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret["private"]))
    except (KeyError, TypeError, ValueError):
        raise EvidenceError(f"{path} holds no signing key: name the file that does") from None


def fingerprint(public_key: "Ed25519PublicKey") -> str:
    """SHA-256 of the key's SubjectPublicKeyInfo in DER, in hexadecimal."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    der = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def sign(folder: str | Path, key: "Ed25519PrivateKey") -> Path:
    """Write ``attestation.json`` and ``public-key.pem`` into the evidence folder.

    Returns:
        The attestation's path.

    Raises:
        EvidenceError: a file is missing or does not hold together with the others.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    folder = Path(folder)
    present = [name for name in _OPTIONAL if (folder / name).is_file()]
    digests = {name: _digest(folder / name) for name in (*_NEEDED, *present)}
    statement = _statement(_checked_evidence(folder), digests)
    payload = _json_bytes(statement)
    envelope = {
        "payloadType": _PAYLOAD_TYPE,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [
            {
                "keyid": fingerprint(key.public_key()),
                "sig": base64.b64encode(key.sign(_pre_auth(payload))).decode(),
            }
        ],
    }
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with atomic_path(folder / PUBLIC_KEY) as temporary:
        temporary.write_bytes(pem)
    write_private_json(folder / ATTESTATION, envelope)
    return folder / ATTESTATION


def verify(folder: str | Path, public_key: bytes | None) -> Checked:
    """Check the signature first, then every file, the log's chain and the evidence's form.

    Args:
        folder: an evidence folder, from whomever.
        public_key: the signer's key in PEM, had from the signer himself; with None the key in the
            folder is taken, which shows that nothing was altered but not who signed.

    Raises:
        EvidenceError: one line with the first thing that is wrong.
    """
    from cryptography.exceptions import InvalidSignature

    folder = Path(folder)
    pem = read_limited(folder / PUBLIC_KEY, 2**14) if public_key is None else public_key
    key = _public_key(pem, "the public key" if public_key else folder / PUBLIC_KEY)
    path = folder / ATTESTATION
    payload, signature = _open_envelope(
        parse_json(read_limited(path, _LARGEST_ENVELOPE), path), path
    )
    try:
        key.verify(signature, _pre_auth(payload))
    except InvalidSignature:
        raise EvidenceError(
            f"{path} was altered or signed by another key than {fingerprint(key)}: "
            "ask for the original"
        ) from None
    digests = _claimed_digests(parse_json(payload, path), path)
    for name, digest in digests.items():
        if _digest(folder / name) != digest:
            raise EvidenceError(f"{folder / name} was changed after signing: ask for the original")
    evidence = _checked_evidence(folder)
    if _json_bytes(_statement(evidence, digests)) != payload:
        raise EvidenceError(f"{path} states other things than {EVIDENCE}: ask for the original")
    others = {entry.name for entry in folder.iterdir()} - _NOT_EVIDENCE - set(digests)
    return Checked(
        evidence, tuple(digests), tuple(sorted(others)), fingerprint(key), public_key is not None
    )


def _statement(evidence: dict[str, Any], digests: dict[str, str]) -> dict[str, Any]:
    suspect = {"name": "suspect", "digest": {"sha256": evidence["suspect"]["fingerprint"]}}
    files = [{"name": name, "digest": {"sha256": digest}} for name, digest in digests.items()]
    return {
        "_type": _STATEMENT,
        "subject": [suspect, *files],
        "predicateType": PREDICATE,
        "predicate": {
            "made_at": evidence["made_at"],
            "commitment": evidence["key"]["commitment"],
            "chain": evidence["chain"],
            "verdict": evidence["verdict"]["word"],
        },
    }


def _checked_evidence(folder: Path) -> dict[str, Any]:
    """The evidence, if the query log beside it is the one it speaks of."""
    evidence = read_evidence(folder / EVIDENCE)
    chain = evidence["chain"]
    records = read_parquet(folder / PARQUET, chain["anchor"])
    head = records[-1].hash if records else chain["anchor"]
    if (head, len(records)) != (chain["head"], chain["rows"]):
        raise EvidenceError(
            f"{folder / PARQUET} ends at another record than {EVIDENCE} states "
            f"({len(records)} rows for {chain['rows']}): ask for the whole log"
        )
    return evidence


def _claimed_digests(statement: Any, path: Path) -> dict[str, str]:
    """File name -> SHA-256 of a statement whose signature holds; only names that we sign."""
    try:
        digests = {entry["name"]: entry["digest"]["sha256"] for entry in statement["subject"][1:]}
    except (KeyError, TypeError, IndexError):
        digests = {}
    if not set(_NEEDED) <= set(digests) <= {*_NEEDED, *_OPTIONAL}:
        raise EvidenceError(f"{path} is signed but is no statement on evidence: ask its signer")
    return digests


def _open_envelope(envelope: Any, path: Path) -> tuple[bytes, bytes]:
    """Payload and signature; the key id is a hint that nobody signed, so it is not read."""
    try:
        (signature,) = envelope["signatures"]
        if envelope["payloadType"] != _PAYLOAD_TYPE:
            raise ValueError
        payload = base64.b64decode(envelope["payload"], validate=True)
        return payload, base64.b64decode(signature["sig"], validate=True)
    except (KeyError, TypeError, ValueError):
        raise EvidenceError(
            f"{path} is no DSSE envelope with one in-toto statement and one signature: "
            "ask for the original"
        ) from None


def _public_key(pem: bytes, where: str | Path) -> "Ed25519PublicKey":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise EvidenceError(f"{where} is no Ed25519 public key in PEM: ask its owner for it")
    return key


def _pre_auth(payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: what is signed."""
    kind = _PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EvidenceError(
            f"{path} cannot be read ({error.strerror}): ask for the whole evidence folder"
        ) from error


def _json_bytes(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()

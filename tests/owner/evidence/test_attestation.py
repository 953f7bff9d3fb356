import base64
import json
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from datadeed.errors import EvidenceError, SecretError
from datadeed.owner.evidence import attestation
from datadeed.owner.evidence.attestation import (
    ATTESTATION,
    PREDICATE,
    PUBLIC_KEY,
    fingerprint,
    new_signing_key,
    read_signing_key,
    sign,
    verify,
)
from datadeed.owner.evidence.log import PARQUET, QueryLog
from tests.owner.evidence.samples import ANCHOR, answer, evidence, make_folder, question


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes(32))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "evidence")


def pem(key: Ed25519PrivateKey | X25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def payload(folder: Path) -> dict:
    envelope = json.loads((folder / ATTESTATION).read_text())
    return json.loads(base64.b64decode(envelope["payload"]))


def test_a_signed_folder_is_verified_with_the_owners_key(folder, key):
    sign(folder, key)
    checked = verify(folder, pem(key))
    assert checked.pinned
    assert checked.files == ("evidence.json", "queries.parquet", "report.html")
    assert checked.unsigned == ()
    assert checked.evidence["verdict"]["word"] == "CLAIM"
    assert checked.key_fingerprint == fingerprint(key.public_key())
    assert "by the key you named" in checked.meaning


def test_without_a_named_key_it_says_that_the_signer_is_unknown(folder, key):
    sign(folder, key)
    checked = verify(folder, None)
    assert not checked.pinned
    assert "whose it is remains open" in checked.meaning
    assert checked.key_fingerprint in checked.meaning


def test_the_statement_names_the_suspect_and_every_file(folder, key):
    sign(folder, key)
    statement = payload(folder)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == PREDICATE
    assert statement["subject"][0]["digest"]["sha256"] == evidence()["suspect"]["fingerprint"]
    assert statement["predicate"]["verdict"] == "CLAIM"


def test_another_implementation_of_the_envelope_accepts_the_signature(folder, key):
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import SSlibKey

    sign(folder, key)
    envelope = Envelope.from_dict(json.loads((folder / ATTESTATION).read_text()))
    public = SSlibKey.from_crypto(key.public_key(), keyid=fingerprint(key.public_key()))
    assert envelope.verify([public], 1)


def swap_verdict(folder: Path) -> None:
    path = folder / "evidence.json"
    path.write_text(path.read_text().replace('"CLAIM"', '"INCONCLUSIVE"'))


def add_space(folder: Path) -> None:
    with (folder / "evidence.json").open("a") as file:
        file.write(" ")


def swap_report(folder: Path) -> None:
    (folder / "report.html").write_text("<p>another report</p>")


def swap_log(folder: Path) -> None:
    other = make_folder(folder.parent / "other")
    (other / PARQUET).replace(folder / PARQUET)


@pytest.mark.parametrize(
    ("tamper", "name"),
    [
        (swap_verdict, "evidence.json"),
        (add_space, "evidence.json"),
        (swap_report, "report.html"),
        (swap_log, "queries.parquet"),
    ],
)
def test_a_changed_file_is_named(folder, key, tamper, name):
    sign(folder, key)
    tamper(folder)
    with pytest.raises(EvidenceError, match=f"{name} was changed after signing"):
        verify(folder, pem(key))


@pytest.mark.parametrize("name", ["evidence.json", PARQUET, "report.html", ATTESTATION, PUBLIC_KEY])
def test_a_missing_file_is_named(folder, key, name):
    sign(folder, key)
    (folder / name).unlink()
    with pytest.raises(EvidenceError, match=f"{name} cannot be read"):
        verify(folder, None)


def test_a_file_put_beside_the_signed_ones_is_reported(folder, key):
    (folder / "report.html").unlink()
    sign(folder, key)
    (folder / "report.html").write_text("<p>not what the owner wrote</p>")
    (folder / "notes.txt").write_text("more")
    assert verify(folder, pem(key)).unsigned == ("notes.txt", "report.html")


def test_another_key_is_refused_though_the_folder_holds_its_own(folder, key):
    sign(folder, key)
    stranger = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
    with pytest.raises(EvidenceError, match="altered or signed by another key"):
        verify(folder, pem(stranger))
    sign(folder, stranger)  # a forger signs the folder anew and puts his own key in
    verify(folder, None)
    with pytest.raises(EvidenceError, match="altered or signed by another key"):
        verify(folder, pem(key))


def forge(folder: Path, key: Ed25519PrivateKey, statement: object) -> None:
    """Sign ``statement`` in place of the true one, as a signer who lies could."""
    body = json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()
    signature = base64.b64encode(key.sign(attestation._pre_auth(body))).decode()
    envelope = {
        "payloadType": "application/vnd.in-toto+json",
        "payload": base64.b64encode(body).decode(),
        "signatures": [{"sig": signature}],
    }
    (folder / ATTESTATION).write_text(json.dumps(envelope))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"predicateType": "urn:another"}, "states other things"),
        ({"predicate": {"verdict": "NOT SUPPORTED"}}, "states other things"),
        ({"subject": []}, "no statement on evidence"),
        ({"subject": [{}, {"name": "../../etc/passwd", "digest": {}}]}, "no statement on evidence"),
    ],
)
def test_a_signed_statement_of_something_else_is_refused(folder, key, change, message):
    sign(folder, key)
    forge(folder, key, payload(folder) | change)
    with pytest.raises(EvidenceError, match=message):
        verify(folder, pem(key))


def test_a_statement_that_names_a_file_outside_the_folder_is_refused(folder, key):
    sign(folder, key)
    statement = payload(folder)
    statement["subject"].append({"name": "../secret", "digest": {"sha256": "00" * 32}})
    forge(folder, key, statement)
    with pytest.raises(EvidenceError, match="no statement on evidence"):
        verify(folder, pem(key))


@pytest.mark.parametrize("statement", [[], "text", None, 5])
def test_a_signed_payload_that_is_no_object_is_refused(folder, key, statement):
    sign(folder, key)
    forge(folder, key, statement)
    with pytest.raises(EvidenceError, match="no statement on evidence"):
        verify(folder, pem(key))


@pytest.mark.parametrize(
    "envelope",
    [
        "[]",
        "{}",
        '{"payloadType": "text/plain", "payload": "", "signatures": [{"sig": ""}]}',
        '{"payloadType": "application/vnd.in-toto+json", "payload": "", "signatures": []}',
        '{"payloadType": "application/vnd.in-toto+json", "payload": "?", "signatures": [{}]}',
    ],
)
def test_what_is_no_envelope_is_refused(folder, key, envelope):
    sign(folder, key)
    (folder / ATTESTATION).write_text(envelope)
    with pytest.raises(EvidenceError, match="no DSSE envelope") as raised:
        verify(folder, pem(key))
    assert "\n" not in str(raised.value)


def test_a_signature_does_not_move_to_another_payload(folder, key):
    sign(folder, key)
    envelope = json.loads((folder / ATTESTATION).read_text())
    body = base64.b64decode(envelope["payload"]).replace(b'"CLAIM"', b'"CLAIM "')
    envelope["payload"] = base64.b64encode(body).decode()
    (folder / ATTESTATION).write_text(json.dumps(envelope))
    with pytest.raises(EvidenceError, match="altered or signed by another key"):
        verify(folder, None)


@pytest.mark.parametrize("key_file", [b"", b"-----BEGIN", pem(X25519PrivateKey.generate())])
def test_what_is_no_ed25519_key_is_refused(folder, key, key_file):
    sign(folder, key)
    with pytest.raises(EvidenceError, match="no Ed25519 public key"):
        verify(folder, key_file)


def test_a_log_shorter_than_the_evidence_says_is_neither_signed_nor_verified(folder, key):
    short = folder.parent / "short"
    with QueryLog(short, ANCHOR) as log:
        log.append(purpose="probe", part=None, row=0, question=question(0), answer=answer(1))
        log.write_parquet()
    (short / PARQUET).replace(folder / PARQUET)
    with pytest.raises(EvidenceError, match=r"1 rows for 4"):
        sign(folder, key)


def test_a_signing_key_is_kept_private_and_never_written_over(tmp_path):
    path = tmp_path / "signing.json"
    key = new_signing_key(path, None)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_signing_key(path, None).private_bytes_raw() == key.private_bytes_raw()
    with pytest.raises(SecretError, match="move it away"):
        new_signing_key(path, None)


def test_another_secret_is_no_signing_key(tmp_path):
    from datadeed.keys.sealing import write_secret

    for value in ({"kind": "other"}, {"kind": "ed25519", "private": "00"}, {}):
        write_secret(tmp_path / "secret.json", value, None)
        with pytest.raises(EvidenceError, match="holds no signing key"):
            read_signing_key(tmp_path / "secret.json", None)

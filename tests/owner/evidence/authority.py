"""A time-stamp authority for tests, in pure Python: RFC 3161 tokens (CMS, RFC 5652) made by hand.

``cryptography`` signs CMS only over plain data, so the few DER structures are put together here.
"""

import datetime as dt
import hashlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

SIGNED_DATA, TST_INFO = "1.2.840.113549.1.7.2", "1.2.840.113549.1.9.16.1.4"
CONTENT_TYPE, MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
SIGNING_CERTIFICATE = "1.2.840.113549.1.9.16.2.47"
SHA256, ECDSA_SHA256 = "2.16.840.1.101.3.4.2.1", "1.2.840.10045.4.3.2"


def der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


def seq(*parts: bytes) -> bytes:
    return der(0x30, *parts)


def integer(value: int) -> bytes:
    return der(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def oid(text: str) -> bytes:
    first, second, *rest = map(int, text.split("."))
    body = bytes([40 * first + second])
    for number in rest:
        digits = [number & 0x7F]
        while number := number >> 7:
            digits.insert(0, 0x80 | number & 0x7F)
        body += bytes(digits)
    return der(0x06, body)


def children(data: bytes) -> list[bytes]:
    """The contents of each element in a constructed one (lengths below 64 KiB)."""
    parts = []
    while data:
        length, start = data[1], 2
        if length & 0x80:
            start = 2 + (length & 0x7F)
            length = int.from_bytes(data[2:start], "big")
        parts.append(data[start : start + length])
        data = data[start + length :]
    return parts


class Authority:
    """Root -> intermediate -> stamping certificate; tokens embed all but the root.

    Args:
        valid: first and last moment at which its certificates are valid.
        purpose: what the stamping certificate is for.
    """

    def __init__(
        self,
        valid: tuple[dt.datetime, dt.datetime],
        purpose: x509.ObjectIdentifier = x509.ExtendedKeyUsageOID.TIME_STAMPING,
    ):
        self.valid = valid
        root = ec.generate_private_key(ec.SECP256R1())
        middle = ec.generate_private_key(ec.SECP256R1())
        self.key = ec.generate_private_key(ec.SECP256R1())
        ca = x509.BasicConstraints(ca=True, path_length=None)
        leaf = x509.ExtendedKeyUsage([purpose])
        self.root = self._certificate("root", root, "root", root, ca)
        self.middle = self._certificate("middle", middle, "root", root, ca)
        self.leaf = self._certificate("stamps", self.key, "middle", middle, leaf)

    @property
    def roots(self) -> bytes:
        return self.root.public_bytes(Encoding.PEM)

    def answer(
        self, request: bytes, when: dt.datetime, *, digest: bytes = b"", nonce: int = 0
    ) -> bytes:
        """A TimeStampResp for ``request``; ``digest`` and ``nonce`` stand in for the asked ones."""
        _, imprint, asked_nonce, *_ = children(children(request)[0])
        info = seq(
            integer(1),
            oid("1.2.3.4"),
            seq(seq(oid(SHA256)), der(0x04, digest or children(imprint)[1])),
            integer(7),
            der(0x18, when.strftime("%Y%m%d%H%M%SZ").encode()),
            integer(nonce or int.from_bytes(asked_nonce, "big")),
        )
        return seq(seq(integer(0)), seq(oid(SIGNED_DATA), der(0xA0, self._signed(info))))

    def _signed(self, info: bytes) -> bytes:
        leaf, middle = (c.public_bytes(Encoding.DER) for c in (self.leaf, self.middle))
        essence = seq(seq(seq(der(0x04, hashlib.sha256(leaf).digest()))))
        values = {
            CONTENT_TYPE: oid(TST_INFO),
            MESSAGE_DIGEST: der(0x04, hashlib.sha256(info).digest()),
            SIGNING_CERTIFICATE: essence,
        }
        attributes = b"".join(sorted(seq(oid(k), der(0x31, v)) for k, v in values.items()))
        signature = self.key.sign(der(0x31, attributes), ec.ECDSA(hashes.SHA256()))
        signer = seq(
            integer(1),
            seq(self.leaf.issuer.public_bytes(), integer(self.leaf.serial_number)),
            seq(oid(SHA256)),
            der(0xA0, attributes),
            seq(oid(ECDSA_SHA256)),
            der(0x04, signature),
        )
        return seq(
            integer(3),
            der(0x31, seq(oid(SHA256))),
            seq(oid(TST_INFO), der(0xA0, der(0x04, info))),
            der(0xA0, *sorted((leaf, middle))),
            der(0x31, signer),
        )

    def _certificate(
        self,
        name: str,
        key: ec.EllipticCurvePrivateKey,
        issuer: str,
        issuer_key: ec.EllipticCurvePrivateKey,
        extension: x509.ExtensionType,
    ) -> x509.Certificate:
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.valid[0])
            .not_valid_after(self.valid[1])
            .add_extension(extension, critical=True)
            .sign(issuer_key, hashes.SHA256())
        )

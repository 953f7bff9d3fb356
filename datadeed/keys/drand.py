"""Values of drand quicknet, a public random beacon, checked by their signature alone.

The League of Entropy signs a round's number every three seconds, with a key of which each member
holds a share: nobody knows a value before its round, or can change it afterwards. Scheme
``bls-unchained-g1-rfc9380``: a BLS signature on G1 of BLS12-381 under a public key on G2, of

    SHA-256(round as 8 bytes, big-endian)

hashed to the curve by RFC 9380. The round's value is SHA-256(signature). So whoever has 48 bytes
and the constants below checks a value without a network, and without trusting who brought it.

There is exactly one signature a round, and all refusals here serve that. A point outside the
subgroup of order r can be added to a signature: it passes the pairing and gives another hash. An
accuser could then try as many values as he likes. The same goes for a second encoding of a point.

Sources: RFC 9380 (hashing to curves), draft-irtf-cfrg-bls-signature, drand's specification. The
chain's hash covers public key, genesis and period (a test computes it).
"""

import hashlib
import sys
from datetime import UTC, datetime, timedelta

from datadeed.errors import KeyRecordError

CHAIN_HASH = "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971"
PUBLIC_KEY = bytes.fromhex(
    "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c"
    "8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb"
    "5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a"
)
GENESIS = datetime.fromtimestamp(1692803367, UTC)  # round 1
PERIOD = timedelta(seconds=3)
SIGNATURE_BYTES = 48
_LAST = 2**63 - 1
_DST = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"


def time_of(round: int) -> datetime:
    """When ``round`` comes out, in UTC.

    Args:
        round: from 1 to 2**63 - 1.

    Raises:
        KeyRecordError: that is no round, or it comes out after the year 9999.
    """
    _check(round)
    try:
        return GENESIS + (round - 1) * PERIOD
    except OverflowError as error:
        raise KeyRecordError(
            f"round {round} of drand quicknet comes out after the year 9999: name an earlier one"
        ) from error


def round_at(moment: datetime) -> int:
    """The first round that comes out strictly later than ``moment``; 1 for any before the genesis.

    Args:
        moment: with its time zone.

    Raises:
        KeyRecordError: no time zone.
    """
    if moment.utcoffset() is None:
        raise KeyRecordError(
            f"the moment {moment.isoformat()} has no time zone: rounds are counted in UTC, add one"
        )
    return max(1, (moment - GENESIS) // PERIOD + 2)


def randomness(round: int, signature: bytes) -> bytes:
    """The value of ``round``, if ``signature`` is the beacon's own.

    Takes about 0.2 s of processor time, and 0.4 s more the first time.

    Args:
        round: from 1 to 2**63 - 1.
        signature: 48 bytes, a compressed point of G1, as drand publishes it.

    Returns:
        32 bytes, SHA-256(signature).

    Raises:
        KeyRecordError: that is no round, or not its signature, or py_ecc is not installed.
    """
    _check(round)
    if not isinstance(signature, bytes) or len(signature) != SIGNATURE_BYTES:
        raise KeyRecordError(
            f"the signature of drand quicknet's round {round} is not {SIGNATURE_BYTES} bytes: "
            "give it as drand publishes it"
        )
    fault = _fault(hashlib.sha256(round.to_bytes(8, "big")).digest(), signature)
    if fault:
        raise KeyRecordError(
            f"the signature of drand quicknet's round {round} {fault}: fetch it again from drand"
        )
    return hashlib.sha256(signature).digest()


def _check(round: int) -> None:
    # A number of thousands of digits cannot be printed, so no refused round is.
    if type(round) is not int or not 1 <= round <= _LAST:
        raise KeyRecordError(
            "the round of drand quicknet is no whole number from 1 to 2**63 - 1: correct it"
        )


def _fault(message: bytes, signature: bytes) -> str:
    """What is wrong with 48 bytes as the signature of ``message``; "" if nothing is."""
    limit = sys.getrecursionlimit()
    try:
        from py_ecc import optimized_bls12_381 as curve
        from py_ecc.bls.g2_primitives import subgroup_check
        from py_ecc.bls.hash_to_curve import hash_to_G1
        from py_ecc.bls.point_compression import decompress_G1, decompress_G2
    except ImportError as error:
        raise KeyRecordError(
            "a beacon's value is checked with the package py_ecc: install datadeed[evidence]"
        ) from error
    finally:
        # py_ecc sets 100,000 for the whole process. A deeply nested JSON text, which is an error
        # of one line, would then overflow the stack and kill it.
        sys.setrecursionlimit(limit)
    try:
        point = decompress_G1(int.from_bytes(signature, "big"))
    except ValueError:  # its messages speak of flags and field elements
        return "is not a point of the curve in compressed form"
    # Infinity is a member of every subgroup, and no hash's signature.
    if curve.is_inf(point) or not subgroup_check(point):
        return "is outside the group of signatures"
    imaginary, real = PUBLIC_KEY[:48], PUBLIC_KEY[48:]
    key = decompress_G2((int.from_bytes(imaginary, "big"), int.from_bytes(real, "big")))
    hashed = hash_to_G1(message, _DST, hashlib.sha256)
    # e(signature, G2) = e(hashed, key), with one final exponentiation for both.
    product = curve.pairing(curve.G2, point, False) * curve.pairing(key, curve.neg(hashed), False)
    if curve.final_exponentiate(product) != curve.FQ12.one():
        return "was not made with drand quicknet's key for that round"
    return ""

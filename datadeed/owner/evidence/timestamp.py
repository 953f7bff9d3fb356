"""A time-stamp authority's word that a commitment was there at a given time (RFC 3161).

What is stamped is the commitment's 64 hexadecimal digits as text, so that
``printf %s COMMITMENT | openssl ts -verify -data /dev/stdin -in TOKEN -CAfile ROOTS`` checks it
without this project. A token is the authority's whole response (DER), which is what OpenSSL reads.
"""

import hashlib
import re
import time
from datetime import datetime

from cryptography import x509

from datadeed.errors import EvidenceError

try:
    from rfc3161_client import (
        HashAlgorithm,
        TimestampRequestBuilder,
        TimeStampResponse,
        VerificationError,
        VerifierBuilder,
        decode_timestamp_response,
    )
except ImportError as error:
    raise EvidenceError(
        "timestamps need the package rfc3161-client: install datadeed[evidence]"
    ) from error

LARGEST_TOKEN = 64 * 2**10
_SHA256 = "2.16.840.1.101.3.4.2.1"


def request_timestamp(commitment: str, url: str, *, timeout: float = 30.0) -> bytes:
    """Ask the authority at ``url`` to stamp ``commitment``.

    Nothing but the commitment, a random nonce and the wish for its certificates is sent. The answer
    is checked as far as that goes without the authority's root certificate, and still needs
    :func:`check_timestamp`.

    Args:
        commitment: 64 hexadecimal digits.
        url: http or https; https is not needed, as the token is signed.
        timeout: seconds for each step of the exchange, and for the whole of the answer's body.

    Returns:
        The token, at most 64 KiB.

    Raises:
        EvidenceError: the authority cannot be reached, refuses, or stamps something else.
    """
    message = _message(commitment)
    builder = TimestampRequestBuilder().data(message).hash_algorithm(HashAlgorithm.SHA256)
    request = builder.nonce(nonce=True).cert_request(cert_request=True).build()
    where = "the time-stamp authority"
    token = _post(url, request.as_bytes(), timeout)
    response = _decode(token, where)
    if response.status != 0:
        raise EvidenceError(f"{where} refused (status {response.status}): try another authority")
    _check_imprint(response, message, where)
    if response.tst_info.nonce != request.nonce:
        raise EvidenceError(f"{where} answered another request than ours: try another authority")
    return token


def check_timestamp(token: bytes, commitment: str, roots: bytes) -> datetime:
    """When the authority saw ``commitment``.

    Args:
        token: what :func:`request_timestamp` returned, from whomever.
        commitment: 64 hexadecimal digits.
        roots: PEM certificates that you trust, had from the authority itself. Certificates need to
            be valid at the time of stamping, not today.

    Returns:
        The stamped time, in UTC.

    Raises:
        EvidenceError: the token is damaged, stamps something else, or no root vouches for it.
    """
    where = "the timestamp"
    message = _message(commitment)
    try:
        trusted = x509.load_pem_x509_certificates(roots)
    except ValueError as error:
        raise EvidenceError(
            "the roots are no PEM certificates: fetch them from the time-stamp authority"
        ) from error
    response = _decode(token, where)
    try:
        _check_imprint(response, message, where)
        VerifierBuilder(roots=trusted).build().verify_message(response, message)
        return response.tst_info.gen_time
    except (VerificationError, ValueError, TypeError, x509.ExtensionNotFound) as error:
        raise EvidenceError(
            f"{where} is not vouched for by these roots ({_short(error)}): "
            "check that they are the authority's, or have the commitment stamped again"
        ) from error


def _post(url: str, body: bytes, timeout: float) -> bytes:
    import httpx

    try:
        address = httpx.URL(url)
    except (httpx.InvalidURL, TypeError) as error:
        raise EvidenceError("the authority's address is no URL: give http://...") from error
    if address.scheme not in ("http", "https") or not address.host or address.userinfo:
        raise EvidenceError("the authority's address must be http or https, without credentials")
    where = f"the time-stamp authority {address.host}"
    headers = {
        "content-type": "application/timestamp-query",
        "accept": "application/timestamp-reply",
        "accept-encoding": "identity",
    }
    deadline = time.monotonic() + timeout
    try:
        with (
            httpx.Client(timeout=timeout, trust_env=False) as client,
            client.stream("POST", address, content=body, headers=headers) as response,
        ):
            if response.status_code != 200:
                raise EvidenceError(f"{where} answered {response.status_code}: try another one")
            answer = b""
            for chunk in response.iter_raw():
                answer += chunk
                if len(answer) > LARGEST_TOKEN:
                    raise EvidenceError(f"{where} sent more than 64 KiB: try another one")
                if time.monotonic() > deadline:
                    raise EvidenceError(f"{where} took more than {timeout:g} s: try another one")
            return answer
    except httpx.HTTPError as error:
        raise EvidenceError(f"{where} cannot be reached ({_short(error)}): try again") from error


def _decode(token: bytes, where: str) -> TimeStampResponse:
    try:
        return decode_timestamp_response(token)
    except (ValueError, TypeError) as error:
        raise EvidenceError(
            f"{where} is no response of RFC 3161: have the commitment stamped again"
        ) from error


def _check_imprint(response: TimeStampResponse, message: bytes, where: str) -> None:
    try:
        imprint = response.tst_info.message_imprint
        same = imprint.message == hashlib.sha256(message).digest()
        known = imprint.hash_algorithm.dotted_string == _SHA256
    except ValueError as error:
        raise EvidenceError(f"{where} holds no token: have the commitment stamped again") from error
    if not (same and known):
        raise EvidenceError(f"{where} is of another commitment: use the one made for this key")


def _message(commitment: str) -> bytes:
    if re.fullmatch(r"[0-9a-f]{64}", commitment) is None:
        raise EvidenceError("a commitment is 64 lower-case hexadecimal digits: give the key's own")
    return commitment.encode()


def _short(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return "".join(c if c.isprintable() else " " for c in text)[:200]

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from cryptography import x509

from datadeed.errors import EvidenceError
from datadeed.owner.evidence.timestamp import LARGEST_TOKEN, check_timestamp, request_timestamp
from tests.owner.evidence.authority import Authority

COMMITMENT, OTHER = "ab" * 32, "cd" * 32
WHEN = dt.datetime(2026, 11, 22, 9, 0, tzinfo=dt.UTC)
YEAR = dt.timedelta(days=365)
Reply = Callable[[bytes], tuple[int, bytes]]


class Quiet(HTTPServer):
    def handle_error(self, *_: object) -> None:
        """A client that hangs up is part of a test, not news."""


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority((WHEN - YEAR, WHEN + YEAR))


@pytest.fixture
def serve() -> Iterator[Callable[[Reply], str]]:
    """Starts a server on this machine that answers as told, and gives its address."""
    servers: list[HTTPServer] = []

    def start(reply: Reply) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.headers["content-type"] == "application/timestamp-query"
                status, body = reply(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = Quiet(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/stamp"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def stamped(serve, authority: Authority, when: dt.datetime = WHEN) -> bytes:
    return request_timestamp(COMMITMENT, serve(lambda asked: (200, authority.answer(asked, when))))


def test_a_commitment_is_stamped_and_its_time_is_read_back(serve, authority):
    token = stamped(serve, authority)
    assert check_timestamp(token, COMMITMENT, authority.roots) == WHEN


def test_a_token_of_another_commitment_is_refused(serve, authority):
    token = stamped(serve, authority)
    with pytest.raises(EvidenceError, match="of another commitment"):
        check_timestamp(token, OTHER, authority.roots)


def test_a_root_that_did_not_vouch_is_refused(serve, authority):
    stranger = Authority(authority.valid)
    with pytest.raises(EvidenceError, match="not vouched for"):
        check_timestamp(stamped(serve, authority), COMMITMENT, stranger.roots)


@pytest.mark.parametrize("when", [WHEN - 2 * YEAR, WHEN + 2 * YEAR])
def test_a_stamp_outside_the_certificates_life_is_refused(serve, authority, when):
    token = stamped(serve, authority, when)
    with pytest.raises(EvidenceError, match="not vouched for"):
        check_timestamp(token, COMMITMENT, authority.roots)


def test_a_certificate_for_other_purposes_does_not_stamp(serve, authority):
    server = Authority(authority.valid, x509.ExtendedKeyUsageOID.SERVER_AUTH)
    with pytest.raises(EvidenceError, match="not vouched for"):
        check_timestamp(stamped(serve, server), COMMITMENT, server.roots)


def test_no_changed_byte_of_a_token_moves_its_time(serve, authority):
    token = stamped(serve, authority)
    survived = 0
    for place in range(0, len(token), 13):
        changed = bytearray(token)
        changed[place] ^= 1
        try:
            assert check_timestamp(bytes(changed), COMMITMENT, authority.roots) == WHEN
            survived += 1  # bytes outside the signature, such as the intermediate's own name
        except EvidenceError:
            continue
    assert survived < len(token) // 13 // 4


@pytest.mark.parametrize("token", [b"", b"\x30\x00", b"<html>", b"\x30\x03\x02\x01\x00"])
def test_what_is_no_token_is_refused(token, authority):
    with pytest.raises(EvidenceError):
        check_timestamp(token, COMMITMENT, authority.roots)


def test_roots_that_are_no_certificates_are_refused(serve, authority):
    with pytest.raises(EvidenceError, match="no PEM certificates"):
        check_timestamp(stamped(serve, authority), COMMITMENT, b"nothing")


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (lambda _: (503, b"busy"), "answered 503"),
        (lambda _: (302, b""), "answered 302"),
        (lambda _: (200, b"<html>hello</html>"), "no response of RFC 3161"),
        (lambda _: (200, b"\x30\x05\x30\x03\x02\x01\x02"), "refused"),
        (lambda _: (200, b"0" * (LARGEST_TOKEN + 1)), "more than 64 KiB"),
    ],
)
def test_an_answer_that_is_no_stamp_is_one_line(serve, reply, message):
    with pytest.raises(EvidenceError, match=message) as raised:
        request_timestamp(COMMITMENT, serve(reply))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("instead", "message"),
    [({"digest": b"x" * 32}, "of another commitment"), ({"nonce": 5}, "another request")],
)
def test_a_stamp_of_something_else_is_refused_at_once(serve, authority, instead, message):
    url = serve(lambda asked: (200, authority.answer(asked, WHEN, **instead)))
    with pytest.raises(EvidenceError, match=message):
        request_timestamp(COMMITMENT, url)


def test_a_server_that_answers_too_slowly_is_given_up(serve, authority):
    gone = threading.Event()

    def wait(asked: bytes) -> tuple[int, bytes]:
        gone.wait(2)
        return 200, b""

    with pytest.raises(EvidenceError, match="cannot be reached"):
        request_timestamp(COMMITMENT, serve(wait), timeout=0.1)
    gone.set()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://127.0.0.1/", "http or https"),
        ("http://me:secret@127.0.0.1/", "without credentials"),
        ("http://", "http or https"),
        ("http://127.0.0.1:port/", "no URL"),
        ("http://127.0.0.1:1/", "cannot be reached"),
    ],
)
def test_an_address_that_cannot_be_asked_is_one_line_without_its_password(url, message):
    with pytest.raises(EvidenceError, match=message) as raised:
        request_timestamp(COMMITMENT, url)
    assert "secret" not in str(raised.value)


def test_what_is_no_commitment_is_refused():
    with pytest.raises(EvidenceError, match="64 lower-case"):
        request_timestamp("AB" * 32, "http://127.0.0.1:1/")

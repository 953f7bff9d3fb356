"""Servers of our own on 127.0.0.1: one that behaves as told, and a model behind it."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

CLASSES = ("class 0", "class 1", "class 2")


@dataclass
class Seen:
    """One request as the server saw it."""

    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Server(ThreadingHTTPServer):
    """Hands each request to ``behave(handler, seen)`` and keeps it in ``seen``."""

    daemon_threads = True

    def __init__(self, behave: Callable[["Handler", Seen], None]):
        super().__init__(("127.0.0.1", 0), Handler)
        self.behave, self.seen = behave, []
        self.stopping = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is expected here."""


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        seen = Seen(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
        self.server.seen.append(seen)
        self.server.behave(self, seen)

    def log_message(self, *_: object) -> None:
        pass

    def reply(self, body: bytes | Any, status: int = 200, **headers: str) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextlib.contextmanager
def serve(behave: Callable[[Handler, Seen], None]) -> Iterator[Server]:
    """A server for one test."""
    server = Server(behave)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()


def scores(pixels: np.ndarray) -> np.ndarray:
    """The model: probabilities (3,) of one (C, H, W) image 0..255 of ``tests.conftest.toy``."""
    height = pixels.shape[1]
    bands = [1 + k * (height - 1) // 3 for k in range(3)]
    logits = np.array([pixels[:, top : top + 2].mean() for top in bands], dtype=np.float64) / 20
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def hang(handler: Handler, _: Seen) -> None:
    """Say nothing until the test is over."""
    handler.server.stopping.wait(5)


def drip_headers(handler: Handler, _: Seen) -> None:
    """A byte at a time, never done."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    _drip(handler)


def drip_body(handler: Handler, _: Seen) -> None:
    """Sound headers, then a byte at a time."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    _drip(handler)


def _drip(handler: Handler) -> None:
    end = time.monotonic() + 5
    while time.monotonic() < end and not handler.server.stopping.wait(0.02):
        handler.wfile.write(b" ")


def close_early(handler: Handler, _: Seen) -> None:
    """Promise more than is sent."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[0.1")
    handler.close_connection = True


def reset(handler: Handler, _: Seen) -> None:
    """Hang up without a word."""
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def declared_gigabyte(handler: Handler, _: Seen) -> None:
    """Declare 1 GB and send as much of it as is taken."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
    _pour(handler, b"[" + b" " * 65535)


def endless_chunks(handler: Handler, _: Seen) -> None:
    """Chunks without end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    _pour(handler, b"10000\r\n" + b" " * 65536 + b"\r\n")


def _pour(handler: Handler, block: bytes) -> None:
    poured = 0
    while poured < 10**9 and not handler.server.stopping.is_set():
        handler.wfile.write(block)
        poured += len(block)
        handler.server.poured = poured  # type: ignore[attr-defined]


@dataclass
class Script:
    """Replies in turn; the last one is repeated."""

    replies: list[Callable[[Handler], None]] = field(default_factory=list)
    at: int = 0

    def __call__(self, handler: Handler, _: Seen) -> None:
        reply = self.replies[min(self.at, len(self.replies) - 1)]
        self.at += 1
        reply(handler)


def status(code: int, body: bytes = b"busy", **headers: str) -> Callable[[Handler], None]:
    """A reply with a status."""
    return lambda handler: handler.reply(body, code, **headers)


def good(body: Any = (0.1, 0.7, 0.2)) -> Callable[[Handler], None]:
    """A reply with JSON."""
    return lambda handler: handler.reply(list(body) if isinstance(body, tuple) else body)

"""Showing the page until the process is stopped."""

import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn

from datadeed.errors import PageError
from datadeed.watching.page.app import make_app
from datadeed.watching.page.guard import TOKEN, Guard, is_address, is_loopback

HOST, PORT = "127.0.0.1", 8321
AT_ONCE = 64  # visitors' requests; more are refused


def serve(
    url: str,
    *,
    host: str = HOST,
    port: int = PORT,
    names: Sequence[str] = (),
    evidence: Path | None = None,
    say: Callable[[str], None],
) -> None:
    """Show the page of a store until an interrupt.

    Args:
        url: of the store.
        host: an address of this machine, or a name for one.
        port: 0 for any that is free.
        names: by which visitors know this machine, beside its addresses.
        evidence: the folder with the folders of evidence.
        say: is told the page's address.

    Raises:
        PageError: others than this machine could look without a token, or nothing can listen there.
    """
    guard = guard_for(host, os.environ.get(TOKEN) or None, names)
    if evidence is not None and not evidence.is_dir():
        raise PageError(
            f"--evidence {evidence} is no folder: name the one with the suspects' folders"
        )
    app = make_app(url, guard, evidence=evidence)
    with listener(host, port) as heard:
        port = heard.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        say(f"http://{shown}:{port}/ shows the store until this process is stopped")
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=AT_ONCE,
            lifespan="off",
            ws="none",
        )
        uvicorn.Server(config).run(sockets=[heard])


def guard_for(host: str, token: str | None, names: Sequence[str] = ()) -> Guard:
    """Whom to answer, given where the page is.

    Raises:
        PageError: there is no token, and others than this machine could look; or a short one.
    """
    if token is None and not is_loopback(host):
        raise PageError(
            f"--host {host} can be reached from elsewhere: set {TOKEN} (`openssl rand -hex 32`), "
            "or leave --host out and come through `ssh -L`"
        )
    return Guard(token, names if is_address(host) else [host, *names])


def listener(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        PageError: it cannot.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if not 0 <= port < 2**16:
        raise PageError(f"--port {port} is none: give one from 1 to 65535, or 0 for any")
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        why = error.strerror or error
        raise PageError(
            f"cannot listen on {host}, port {port} ({why}): give another --port"
        ) from error

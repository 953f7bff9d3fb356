"""Who may see the page: names of the host, the token, and what every answer says to a browser."""

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from datadeed.errors import PageError

TOKEN = "DATADEED_PAGE_TOKEN"
SHORTEST = 32  # characters of a token: 16 random bytes in hexadecimal
COOKIE = "datadeed_page"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
# Evidence may be a stranger's: its page gets no origin, no script and no form.
SANDBOX = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Guard:
    """Says whom to answer.

    Args:
        token: that a visitor must know; None where all on this machine may look.
        names: of this host, beside its addresses and localhost.

    Raises:
        PageError: the token is too short to be one, or cannot be sent in a header.
    """

    def __init__(self, token: str | None, names: Iterable[str] = ()):
        if token is not None and len(token) < SHORTEST:
            raise PageError(
                f"{TOKEN} has {len(token)} characters: give {SHORTEST} or more, as "
                "`openssl rand -hex 32` makes them"
            )
        if token is not None and not (token.isascii() and token.isprintable() and " " not in token):
            raise PageError(f"{TOKEN} holds spaces or signs beyond ASCII: give letters and digits")
        self._token = token
        self._names = {"localhost", *(name.lower().rstrip(".") for name in names)}

    @property
    def asks(self) -> bool:
        """Whether a token is needed."""
        return self._token is not None

    def is_ours(self, host: str) -> bool:
        """Whether a request was meant for this page.

        A page elsewhere whose name suddenly leads here (DNS rebinding) would send its own name. An
        address cannot be made to lead elsewhere, and is let through.

        Args:
            host: the header, "name" or "name:port".
        """
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name.rstrip(".") in self._names or is_address(name)

    def knows(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> bool:
        """Whether a request may see the page."""
        if self._token is None:
            return True
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self.is_token(given.strip()):
            return True
        return same(cookies.get(COOKIE, ""), self.cookie())

    def is_token(self, given: str) -> bool:
        """Whether this is the token, in a time that does not tell how much of it is right."""
        return self._token is not None and same(given, self._token)

    def cookie(self) -> str:
        """What a browser keeps: it does not tell the token, and ends with it."""
        secret = (self._token or "").encode()
        return hmac.new(secret, b"datadeed page cookie", hashlib.sha256).hexdigest()


def same(given: str, true: str) -> bool:
    """Whether two texts are equal, in a time that depends on neither."""
    one, other = (hashlib.sha256(text.encode(errors="replace")).digest() for text in (given, true))
    return hmac.compare_digest(one, other)


def is_address(name: str) -> bool:
    """Whether a host is given by its IP address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    return host == "localhost" or (is_address(host) and ipaddress.ip_address(host).is_loopback)

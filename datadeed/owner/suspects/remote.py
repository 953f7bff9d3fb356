"""A suspect behind a server."""

import asyncio
import hashlib
import os
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

from datadeed.files import canonical_digest
from datadeed.owner.suspects.base import Answer, SuspectError, failure
from datadeed.owner.suspects.budget import Budget
from datadeed.owner.suspects.config import Authorisation, Config
from datadeed.owner.suspects.images import encode
from datadeed.owner.suspects.protocols.registry import PROTOCOLS
from datadeed.owner.suspects.scores import Unreadable, read_answer
from datadeed.owner.suspects.transport import Exchange, Transport

_BLOCK = 64  # samples encoded at once
_NOT_ASKED = ("name", "limits", "authorisation", "certificates")  # what changes no question


class RemoteSuspect:
    """Asks a server, one sample a request. Use it from one thread at a time.

    Attributes:
        budget: what was spent, and what is left.
        at_once: requests on the way at once.

    Args:
        config: of one of the server protocols.
        sleep: waits for some seconds, between attempts and for the rate limit.

    Raises:
        SuspectError: the token's environment variable is not set, or certificates are unreadable.
    """

    def __init__(
        self, config: Config, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ):
        if config.input is None:
            raise SuspectError(f"{config.name} declares no input: add it to its file")
        self.name, self.protocol = config.name, config.protocol
        self.classes, self.kind = config.output.key_classes, config.output.answer_kind
        self.groups, self.declared = config.output.groups, config.reading
        self.budget = Budget(config.limits)
        self.at_once = config.limits.concurrency
        self._config, self._input, self._wire = config, config.input, PROTOCOLS[config.protocol]
        self.endpoint = self._wire.endpoint(config)
        self._transport = Transport(
            config.limits,
            self.budget,
            header=_header(config.authorisation),
            certificates=_certificates(config),
            sleep=sleep,
        )

    def predict(self, samples: Any) -> list[Answer]:
        """See :class:`datadeed.owner.suspects.base.Suspect`."""
        self.budget.reserve(len(samples))
        try:
            answers = []
            for start in range(0, len(samples), _BLOCK):
                encoded = encode(samples[start : start + _BLOCK], self._input)
                requests = [self._wire.encode(self._config, sample) for sample in encoded]
                answers += [self._answer(exchange) for exchange in self._transport.send(requests)]
            return answers
        finally:
            self.budget.release()

    def _answer(self, exchange: Exchange) -> Answer:
        known: dict[str, Any] = {"attempts": exchange.attempts, "seconds": exchange.seconds}
        if exchange.error:
            return failure(exchange.error, secrets=self._transport.secrets, **known)
        known["response_sha256"] = hashlib.sha256(exchange.content).hexdigest()
        try:
            value = self._wire.decode(self._config, exchange.content, exchange.headers)
            labels, scores = read_answer(value, self._config.output)
        except Unreadable as error:
            return failure(str(error), secrets=self._transport.secrets, **known)
        except RecursionError:
            return failure("the answer is nested too deeply", **known)
        return Answer(labels, scores, **known)

    def fingerprint(self) -> str:
        """Of the address and all that decides what is asked and how answers are read."""
        declared = {k: v for k, v in self._config.declared.items() if k not in _NOT_ASKED}
        return canonical_digest({"endpoint": self.endpoint, "classes": self.classes, **declared})

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()


def _header(authorisation: Authorisation | None) -> tuple[str, str] | None:
    """The header with the token, from the environment alone."""
    if authorisation is None:
        return None
    token = os.environ.get(authorisation.environment, "").strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise SuspectError(
            f"the environment variable {authorisation.environment} holds no token: set it"
        )
    return authorisation.header, authorisation.prefix + token


def _certificates(config: Config) -> ssl.SSLContext | None:
    if config.certificates is None:
        return None
    try:
        return ssl.create_default_context(cafile=config.certificates)
    except (OSError, ssl.SSLError) as error:
        raise SuspectError(f"{config.certificates} holds no certificates: give PEM") from error

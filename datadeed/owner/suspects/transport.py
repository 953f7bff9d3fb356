"""Sending requests to a server that may be slow, broken or hostile.

It runs on asyncio in a thread of its own, because only asyncio's timeout bounds a whole attempt:
httpx's bounds each single read, and a server that drips bytes can make those last for ever.
"""

import asyncio
import contextlib
import email.utils
import functools
import logging
import random
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import httpx

from datadeed.owner.suspects.blot import secrets_of
from datadeed.owner.suspects.budget import Budget
from datadeed.owner.suspects.config import Limits

BACKOFF = 0.5  # seconds before the second attempt, give or take half; doubles
LONGEST_WAIT = 60.0  # seconds between attempts, whatever a server asks for
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_SHOWN_BYTES = 2048  # of an error's body
_THREAD = "asks a suspect"
_ADVICE = {401: "check authorisation", 403: "check authorisation", 404: "check url and model"}


@dataclass(frozen=True)
class Request:
    """One HTTP POST."""

    url: str
    content: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Exchange:
    """What came of one request, after all its attempts.

    Attributes:
        content: the response's whole body; b"" if ``error`` says why there is none.
        headers: the response's, with lower-case names.
        seconds: of the last attempt.
    """

    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    attempts: int = 1
    seconds: float = 0.0


class _Fault(Exception):
    """An attempt failed. ``wait`` is what the server asked for, None if another is no use."""

    def __init__(self, reason: str, *, wait: float | None = 0.0, sent: bool = True):
        super().__init__(reason)
        self.wait, self.sent = wait, sent


class Transport:
    """Sends requests within limits. Use it from one thread at a time, and close it.

    Args:
        limits: time, retries, rate, concurrency and length of an answer.
        budget: counts every request that reaches the network.
        header: name and value of the header with the token, or None. See
            ``secrets``.
        certificates: PEM file of the authorities to trust instead of the public ones.
        clock, sleep: seconds, and waiting for some.
        jitter: spreads the waits between attempts.

    Attributes:
        secrets: what must be blotted out of every message that may quote the server.
    """

    def __init__(
        self,
        limits: Limits,
        budget: Budget,
        *,
        header: tuple[str, str] | None = None,
        certificates: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: random.Random | None = None,
    ):
        self._limits, self._budget, self._clock, self._sleep = limits, budget, clock, sleep
        self._jitter = jitter or random.Random()
        self.secrets = secrets_of(header[1]) if header else ()
        self._next_start = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client = httpx.AsyncClient(
            # identity: a compressed answer could unfold to any length
            headers={"Accept-Encoding": "identity", **(dict([header]) if header else {})},
            verify=certificates or _public_authorities(),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # none is kept
            timeout=None,
            follow_redirects=False,  # another host must not get the images or the token
            trust_env=False,
        )

    def send(self, requests: Sequence[Request]) -> list[Exchange]:
        """Send all requests, for each of which one is reserved in the budget; results in order."""
        return self._run(self._send_all(requests))

    def close(self) -> None:
        """Close connections and end the thread; a second time does nothing."""
        if self._loop is None:
            return
        self._run(self._client.aclose())
        loop, self._loop = self._loop, None
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join()
        loop.close()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=self._loop.run_forever, name=_THREAD, daemon=True
            )
            self._thread.start()
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:  # an interrupt: what is on the way must not go on
            future.cancel()
            raise

    async def _send_all(self, requests: Sequence[Request]) -> list[Exchange]:
        slots = asyncio.Semaphore(self._limits.concurrency)

        async def one(request: Request) -> Exchange:
            async with slots:
                return await self._send(request)

        return await asyncio.gather(*(one(request) for request in requests))

    async def _send(self, request: Request) -> Exchange:
        """One request, with further attempts after a fault that may pass."""
        sent, error = 0, ""
        for attempt in range(self._limits.retries + 1):
            await self._wait_for_turn()
            if not self._budget.spend(reserved=attempt == 0):
                return Exchange(error=f"{error}; the budget has no more attempts", attempts=sent)
            started = self._clock()
            try:
                content, headers = await self._attempt(request)
                seconds = self._clock() - started
                return Exchange(content, headers, "", sent + 1, seconds)
            except _Fault as fault:
                seconds = self._clock() - started
                error, wait = str(fault), fault.wait
                sent += fault.sent
                if not fault.sent:
                    self._budget.refund()
            if wait is None:
                break
            if attempt < self._limits.retries:
                backoff = BACKOFF * 2**attempt * (0.5 + self._jitter.random())
                await self._sleep(min(max(wait, backoff), LONGEST_WAIT))
        return Exchange(error=error, attempts=sent, seconds=seconds)

    async def _wait_for_turn(self) -> None:
        """Keep starts at least 1 / per_second apart."""
        if self._limits.per_second is None:
            return
        now = self._clock()
        start = max(now, self._next_start)
        self._next_start = start + 1 / self._limits.per_second
        if start > now:
            await self._sleep(start - now)

    async def _attempt(self, request: Request) -> tuple[bytes, Mapping[str, str]]:
        """The body and headers of a good response.

        Raises:
            _Fault: anything else.
        """
        try:
            async with (
                asyncio.timeout(self._limits.timeout_s),
                self._client.stream(
                    "POST", request.url, content=request.content, headers=request.headers
                ) as response,
            ):
                if not response.is_success:
                    raise await _status_fault(response)
                if response.headers.get("content-encoding", "identity") != "identity":
                    raise _Fault("the answer is compressed, which was not asked for", wait=None)
                body = await _body(response, self._limits.response_bytes)
                return body, {k.lower(): v for k, v in response.headers.items()}
        except TimeoutError as error:
            raise _Fault(f"no whole answer within {self._limits.timeout_s:g} s") from error
        except httpx.ConnectError as error:
            raise _Fault(f"cannot connect: {error}", sent=False) from error
        except httpx.TransportError as error:
            raise _Fault(f"the connection broke: {error or type(error).__name__}") from error
        except (httpx.InvalidURL, UnicodeError) as error:
            raise _Fault(f"cannot be asked: {error}", wait=None, sent=False) from error


def _no_secret(record: logging.LogRecord) -> bool:
    """Whether a record of httpcore's, which quotes headers, is of somebody else's requests."""
    return record.threadName != _THREAD


logging.getLogger("httpcore.http11").addFilter(_no_secret)


@functools.cache
def _public_authorities() -> ssl.SSLContext:
    """Reading them takes longer than a query to a server nearby."""
    return httpx.create_ssl_context(trust_env=False)


async def _body(response: httpx.Response, limit: int) -> bytes:
    """The raw body, cut off as soon as it is longer than ``limit`` bytes."""
    declared = response.headers.get("content-length", "")
    body = bytearray()
    if not (declared.isascii() and declared.isdigit() and int(declared[:20]) > limit):
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > limit:
                break
        else:
            return bytes(body)
    raise _Fault(f"the answer is longer than {limit} bytes (limits.response_bytes)", wait=None)


async def _status_fault(response: httpx.Response) -> _Fault:
    """What a response says that is not a success."""
    status = f"HTTP status {response.status_code}"
    if response.is_redirect:
        with contextlib.suppress(ValueError):
            host = urlsplit(response.headers.get("location", "")).netloc
            status += f", a redirect to {host or 'the same host'}"
        return _Fault(f"{status}: give the final address in url", wait=None)
    if advice := _ADVICE.get(response.status_code):
        status += f" ({advice})"
    shown = bytearray()
    async for chunk in response.aiter_raw():
        shown += chunk
        if len(shown) > _SHOWN_BYTES:
            break
    text = bytes(shown[:_SHOWN_BYTES]).decode(errors="replace")
    wait = None
    if response.status_code in RETRIED:
        wait = _retry_after(response.headers.get("retry-after", ""))
    return _Fault(f"{status}: {text}" if text.strip() else status, wait=wait)


def _retry_after(value: str) -> float:
    """Seconds that a Retry-After header asks for (RFC 9110, 10.2.3); 0 if it says nothing sound."""
    with contextlib.suppress(ValueError):
        return max(0.0, float(value))
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    return 0.0

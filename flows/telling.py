"""Telling a web address what changed: one POST for each word that is new, and no other.

A suspect's word changes when a watch shows evidence, or when nobody could reach the suspect for
some days, or when it answers again. What was told is remembered beside the watches, in
``told.json``: so each change is told once, and one that could not be told is told by the next run.
Nothing that a suspect's server wrote is passed on.
"""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from datadeed.errors import DatadeedError
from datadeed.files import read_json, write_json
from flows.errors import PipelineError
from flows.suspects import COULD_NOT_TEST, Finding

FORM, MEMORY = "datadeed/told/1", "told.json"
FIRST = "NO EVIDENCE"  # before anything was told
SECONDS, AT_ONCE, LONGEST = 10.0, 8, 300  # of one POST; POSTs at once; characters of a reason
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_THREAD = "tells-news"


@dataclass(frozen=True)
class News:
    """One change, as it is posted: a JSON object of these fields.

    Attributes:
        before, after: EVIDENCE, NO EVIDENCE or COULD NOT TEST.
        time: UTC, ISO 8601.
    """

    suspect: str
    before: str
    after: str
    reason: str
    time: str


@dataclass
class Known:
    """What an address knows of a suspect.

    Attributes:
        word: told last.
        away_since: the first day (UTC, ISO 8601) of those on which it could not be tested, or "".
    """

    word: str = FIRST
    away_since: str = ""


def check_address(url: str) -> None:
    """Only https, or this machine: news of a suspect are nobody else's.

    Raises:
        PipelineError: another address, or one with credentials. It is not quoted: who knows a
            webhook's address may post there.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK)):
        raise PipelineError(
            "--tell is no address that can be told: give https://..., or http://127.0.0.1:PORT/..."
        )
    if parts.username is not None or parts.password is not None:
        raise PipelineError("--tell holds a name or a password: give an address without them")


def tell(url: str, findings: Sequence[Finding], folder: Path, *, away: int) -> list[str]:
    """Post what changed since the last time; never fails a run.

    Args:
        url: where to.
        findings: of today's run.
        folder: of the watches; ``told.json`` in it is read and written.
        away: days out of reach after which a suspect's is told, at least 1.

    Returns:
        Lines for the log: what was told, and what was not and why.
    """
    try:
        check_address(url)
        known, lines = _remembered(folder / MEMORY)
        news = [
            one
            for found in findings
            if (one := news_of(found, known.setdefault(found.suspect, Known()), away=away))
        ]
        errors = _post_all(url, [asdict(one) for one in news])
        for one, error in zip(news, errors, strict=True):
            change = f"{one.suspect}: {one.before} to {one.after}"
            if error:
                lines.append(f"not told, the next run tries again: {change}: {error}")
            else:
                known[one.suspect].word = one.after
                lines.append(f"told: {change}")
        values = {name: asdict(value) for name, value in known.items()}
        write_json(folder / MEMORY, {"form": FORM, "suspects": values})
    except (DatadeedError, OSError) as error:
        return [f"nobody was told: {error}"]
    return lines


def news_of(found: Finding, known: Known, *, away: int, now: datetime | None = None) -> News | None:
    """What is new about a suspect, if anything; notes in ``known`` since when it is away.

    Args:
        found: of today's run.
        known: ``away_since`` is changed; ``word`` is the caller's to change, once it was told.
        away: days out of reach after which this is news.
        now: the time; by default this moment.
    """
    now = now or datetime.now(UTC)
    if found.verdict != COULD_NOT_TEST:
        known.away_since, word, reason = "", found.verdict, found.note
    else:
        known.away_since = known.away_since or now.date().isoformat()
        if (now.date() - date.fromisoformat(known.away_since)).days < away:
            return None
        word, reason = COULD_NOT_TEST, f"not tested since {known.away_since}: see its log"
    if word == known.word:
        return None
    reason = "".join(letter if letter.isprintable() else " " for letter in reason)[:LONGEST]
    return News(found.suspect, known.word, word, reason, now.isoformat(timespec="seconds"))


def _remembered(path: Path) -> tuple[dict[str, Known], list[str]]:
    """What was told by suspect, and a line if that was lost: telling twice beats never."""
    if not path.exists():
        return {}, []
    try:
        value = read_json(path)
        known = {name: Known(**entry) for name, entry in value["suspects"].items()}
        for entry in known.values():
            if entry.away_since:
                date.fromisoformat(entry.away_since)
    except (DatadeedError, KeyError, TypeError, ValueError, AttributeError):
        return {}, [f"{path} cannot be read and begins anew: what was told may be told again"]
    return known, []


def _post_all(url: str, bodies: Sequence[dict[str, Any]]) -> list[str]:
    """Post each; "" or why not, in order. In a thread, as a flow may have a loop in its own."""
    if not bodies:
        return []
    with ThreadPoolExecutor(1, thread_name_prefix=_THREAD) as thread:
        return thread.submit(lambda: asyncio.run(_posted(url, bodies))).result()


def _no_address(record: logging.LogRecord) -> bool:
    """Whether a record of an HTTP library's, which quotes addresses, is not of a POST of ours."""
    return not (record.threadName or "").startswith(_THREAD)


for _name in ("httpx", "httpcore.connection", "httpcore.http11"):
    logging.getLogger(_name).addFilter(_no_address)


async def _posted(url: str, bodies: Sequence[dict[str, Any]]) -> list[str]:
    room = asyncio.Semaphore(AT_ONCE)
    async with httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=None) as client:

        async def one(body: dict[str, Any]) -> str:
            async with room:
                return await _post(client, url, body)

        return list(await asyncio.gather(*map(one, bodies)))


async def _post(client: httpx.AsyncClient, url: str, body: dict[str, Any]) -> str:
    """Post one; "" or why not, without the address. Of the answer only its status is read."""
    try:
        async with asyncio.timeout(SECONDS), client.stream("POST", url, json=body) as response:
            if response.is_success:
                return ""
            turned = " (a redirect, not followed)" if response.is_redirect else ""
            return f"the address answered with status {response.status_code}{turned}"
    except TimeoutError:
        return f"the address did not answer within {SECONDS:g} s"
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        return f"the address cannot be reached ({type(error).__name__})"

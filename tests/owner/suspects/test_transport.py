"""Servers that are slow, broken or hostile."""

import gzip
import threading
import time
from collections.abc import Callable

import pytest
import torch

from datadeed.owner.suspects.base import BudgetSpent, Suspect
from datadeed.owner.suspects.transport import LONGEST_WAIT
from tests.owner.suspects import fakes
from tests.owner.suspects.fakes import Handler, Script, Seen, Server, good, status

Start = Callable[..., Server]
Ask = Callable[..., Suspect]


@pytest.mark.parametrize("behave", [fakes.hang, fakes.drip_headers, fakes.drip_body])
def test_an_attempt_ends_at_its_wall_clock_deadline(
    behave: Callable[[Handler, Seen], None], start: Start, ask: Ask, image: torch.Tensor
) -> None:
    suspect = ask(start(behave).url, limits={"timeout_s": 0.15, "retries": 1})
    began = time.monotonic()
    (answer,) = suspect.predict(image)
    assert time.monotonic() - began < 2
    assert answer.failed
    assert "within 0.15 s" in answer.error
    assert answer.attempts == 2
    assert answer.label is None


@pytest.mark.parametrize("behave", [fakes.close_early, fakes.reset])
def test_a_broken_connection_is_tried_again_and_then_reported(
    behave: Callable[[Handler, Seen], None], start: Start, ask: Ask, image: torch.Tensor
) -> None:
    server = start(behave)
    (answer,) = ask(server.url, limits={"retries": 2}).predict(image)
    assert "the connection broke" in answer.error
    assert "\n" not in answer.error
    assert answer.attempts == len(server.seen) == 3


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_busy_server_is_asked_again(
    code: int, start: Start, ask: Ask, image: torch.Tensor
) -> None:
    server = start(Script([status(code), status(code), good()]))
    (answer,) = ask(server.url).predict(image)
    assert answer.labels == (1, 2, 0)
    assert answer.scores == (0.7, 0.2, 0.1)
    assert answer.attempts == 3
    assert len(answer.response_sha256) == 64


def test_retry_after_is_honoured_within_a_cap(start: Start, ask: Ask, image: torch.Tensor) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    replies = [status(429, Retry_After=value) for value in ("7", "99999", "soon", "nan", "-1")]
    date = status(503, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT")
    server = start(Script([*replies, date, good()]))
    (answer,) = ask(server.url, sleep=sleep, limits={"retries": 6}).predict(image)
    assert not answer.failed
    assert waits[:2] == [7, LONGEST_WAIT]
    for attempt, wait in enumerate(waits[2:], 2):  # exponential, with jitter of half either way
        assert 0.25 * 2**attempt <= wait <= 0.75 * 2**attempt


@pytest.mark.parametrize(("code", "advice"), [(400, "no!"), (401, "authorisation"), (404, "url")])
def test_a_refusal_is_not_tried_again(
    code: int, advice: str, start: Start, ask: Ask, image: torch.Tensor
) -> None:
    server = start(Script([status(code, b"no!")]))
    (answer,) = ask(server.url).predict(image)
    assert f"HTTP status {code}" in answer.error
    assert advice in answer.error
    assert len(server.seen) == 1


def test_an_error_body_is_shortened_and_loses_its_control_characters(
    start: Start, ask: Ask, image: torch.Tensor
) -> None:
    hostile = "\x1b[2J\x1b]0;owned\x07 line one\nline two \u202eevil " + "x" * 100_000
    (answer,) = ask(start(Script([status(400, hostile.encode())])).url).predict(image)
    assert answer.error.isprintable()
    assert len(answer.error) <= 200
    assert "line one line two evil" in answer.error


def test_another_host_gets_neither_image_nor_token(
    start: Start, ask: Ask, image: torch.Tensor
) -> None:
    other = start(Script([good()]))
    first = start(Script([status(307, Location=other.url + "/steal")]))
    (answer,) = ask(first.url).predict(image)
    assert "redirect to 127.0.0.1" in answer.error
    assert "final address" in answer.error
    assert len(first.seen) == 1
    assert not other.seen


@pytest.mark.parametrize("behave", [fakes.declared_gigabyte, fakes.endless_chunks])
def test_a_gigabyte_is_cut_at_the_limit(
    behave: Callable[[Handler, Seen], None], start: Start, ask: Ask, image: torch.Tensor
) -> None:
    server = start(behave)
    suspect = ask(server.url, limits={"response_bytes": 100_000})
    (answer,) = suspect.predict(image)
    assert "longer than 100000 bytes" in answer.error
    assert answer.attempts == 1  # once is enough
    assert getattr(server, "poured", 0) < 5e7


def test_a_compressed_answer_is_not_unpacked(start: Start, ask: Ask, image: torch.Tensor) -> None:
    bomb = gzip.compress(b" " * 10**7)
    server = start(Script([status(200, bomb, Content_Encoding="gzip")]))
    (answer,) = ask(server.url).predict(image)
    assert "compressed" in answer.error
    assert server.seen[0].headers["accept-encoding"] == "identity"


def test_no_server_at_all(ask: Ask, image: torch.Tensor) -> None:
    suspect = ask("http://127.0.0.1:9", limits={"retries": 1})
    (answer,) = suspect.predict(image)
    assert "cannot connect" in answer.error
    assert suspect.budget.spent == answer.attempts == 0  # nothing reached the wire


def test_environment_proxies_are_ignored(
    start: Start, ask: Ask, image: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    (answer,) = ask(start(Script([good()])).url).predict(image)
    assert not answer.failed


def test_concurrency_keeps_order_and_its_limit(start: Start, ask: Ask) -> None:
    images = torch.arange(9, dtype=torch.uint8).view(9, 1, 1, 1).expand(9, 3, 8, 8)
    running, most = [0], [0]

    def behave(handler: Handler, seen: Seen) -> None:
        running[0] += 1
        most[0] = max(most[0], running[0])
        value = round(seen.json()["x"][0][0][0])
        handler.server.stopping.wait(0.03 * (value % 3 == 0))
        running[0] -= 1
        handler.reply(value % 3)

    entries = {"input": {"channels": 3, "height": 8, "width": 8, "dtype": "uint8"}}
    suspect = ask(
        start(behave).url, output={"kind": "labels"}, limits={"concurrency": 3}, **entries
    )
    assert [answer.label for answer in suspect.predict(images)] == [0, 1, 2] * 3
    assert 2 <= most[0] <= 3


def test_the_rate_limit_spaces_the_starts(start: Start, ask: Ask, image: torch.Tensor) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    suspect = ask(start(Script([good()])).url, sleep=sleep, limits={"per_second": 0.5})
    suspect.predict(image.expand(4, -1, -1, -1))
    assert [round(wait) for wait in waits] == [2, 4, 6]  # the sleep is not real, so they add up


def test_the_budget_is_hard(start: Start, ask: Ask, image: torch.Tensor) -> None:
    server = start(Script([status(503)]))
    suspect = ask(server.url, limits={"queries": 5, "retries": 3})
    answers = suspect.predict(image.expand(3, -1, -1, -1))
    assert len(server.seen) == suspect.budget.spent == sum(a.attempts for a in answers) == 5
    assert [answer.attempts for answer in answers] == [3, 1, 1]  # each has its first attempt
    assert "the budget has no more attempts" in answers[2].error
    with pytest.raises(BudgetSpent, match="1 more queries would exceed"):
        suspect.predict(image)
    assert len(server.seen) == 5


def test_questions_beyond_the_budget_are_not_asked_in_part(
    start: Start, ask: Ask, image: torch.Tensor
) -> None:
    server = start(Script([good()]))
    suspect = ask(server.url, limits={"cost_per_query": 0.1, "cost": 0.3})
    with pytest.raises(BudgetSpent):
        suspect.predict(image.expand(4, -1, -1, -1))
    assert not server.seen
    assert len(suspect.predict(image.expand(3, -1, -1, -1))) == 3
    assert suspect.budget.cost == pytest.approx(0.3)


def test_a_suspect_that_was_closed_lets_go_of_its_thread(
    start: Start, ask: Ask, image: torch.Tensor
) -> None:
    before = set(threading.enumerate())
    suspect = ask(start(Script([good()])).url)
    suspect.predict(image)
    (own,) = [t for t in set(threading.enumerate()) - before if t.name == "asks a suspect"]
    suspect.close()
    suspect.close()
    assert not own.is_alive()

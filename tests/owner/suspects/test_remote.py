"""A server as a suspect: the token, the fingerprint, the images it gets, odd answers."""

import json
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from datadeed.owner.suspects.base import Suspect, SuspectError
from datadeed.owner.suspects.opening import open_suspect
from tests.owner.suspects.fakes import CLASSES, Handler, Script, Seen, Server, good, status

Start = Callable[..., Server]
Ask = Callable[..., Suspect]
TOKEN = "sk-0123456789abcdef"


def test_the_token_is_sent_and_shown_nowhere(
    start: Start,
    ask: Ask,
    image: torch.Tensor,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("THIEF_TOKEN", TOKEN + "\n")
    caplog.set_level(logging.DEBUG)

    def echo(handler: Handler, seen: Seen) -> None:
        handler.reply(json.dumps(seen.headers).encode(), 400)

    server = start(echo)
    authorisation = {"header": "X-Api-Key", "environment": "THIEF_TOKEN", "prefix": ""}
    suspect = ask(server.url, authorisation=authorisation)
    (answer,) = suspect.predict(image)
    assert server.seen[0].headers["x-api-key"] == TOKEN
    assert "***" in answer.error  # the server sent it back
    shown = f"{answer} {suspect!r} {suspect} {suspect.endpoint} {suspect.name} {caplog.text}"
    shown += str(vars(suspect)) + suspect.fingerprint()
    assert TOKEN not in shown


def test_the_default_is_a_bearer_token(
    start: Start, ask: Ask, image: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THIEF_TOKEN", TOKEN)
    server = start(Script([good()]))
    ask(server.url, authorisation={"environment": "THIEF_TOKEN"}).predict(image)
    assert server.seen[0].headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("token", ["", "two words", "t\u00f6ken", "line\x00"])
def test_a_token_that_cannot_be_sent(token: str, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    if "\x00" in token:
        monkeypatch.setattr("os.environ", {"THIEF_TOKEN": token})
    else:
        monkeypatch.setenv("THIEF_TOKEN", token)
    with pytest.raises(SuspectError, match="variable THIEF_TOKEN holds no token") as caught:
        ask("http://127.0.0.1", authorisation={"environment": "THIEF_TOKEN"})
    assert not token or token not in str(caught.value)


def test_the_fingerprint_is_of_what_is_asked(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A", "1")
    url = "http://127.0.0.1:1"
    plain = ask(url).fingerprint()
    assert len(plain) == 64
    assert ask(url, limits={"queries": 7}, name="x").fingerprint() == plain
    assert ask(url, authorisation={"environment": "A"}).fingerprint() == plain
    others = [
        ask(url + "/x"),
        ask(url, request={"y": "{{image}}"}),
        ask(url, output={"kind": "logits"}),
        ask(url, input={"channels": 3, "height": 8, "width": 8, "divide": 1}),
        ask(url, classes=("class 1", "class 0", "class 2")),
    ]
    assert len({plain, *(other.fingerprint() for other in others)}) == 6


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"<html>Please sign in</html>", "not JSON"),
        (b"[NaN, 0, 1]", "NaN"),
        (b"[0.5, 0.5]", "2 values for 3 classes"),
        (b"[-0.5, 1.0, 0.5]", "negative"),
        (b"[0.9, 0.9, 0.9]", "sum to 2.7"),
        (b"[1e999, 0, 0]", "not a finite number"),
        (b"[" * 200_000, "too deeply"),
        (b"", "not JSON"),
    ],
)
def test_a_bad_answer_is_a_failed_answer_with_its_digest(
    body: bytes, fault: str, start: Start, ask: Ask, image: torch.Tensor
) -> None:
    server = start(Script([status(200, body)]))
    (answer,) = ask(server.url).predict(image)
    assert answer.failed
    assert fault in answer.error
    assert answer.error.isprintable()
    assert answer.labels == ()
    assert answer.scores is None
    assert len(answer.response_sha256) == 64
    assert len(server.seen) == 1  # a bad answer is an answer: asking again would be choosing


def sent(server: Server) -> np.ndarray:
    return np.array(server.seen[-1].json()["x"])


def test_the_tensor_is_scaled_as_declared(start: Start, ask: Ask, image: torch.Tensor) -> None:
    server = start(Script([good()]))
    declared = {"channels": 3, "height": 8, "width": 8, "layout": "NHWC", "divide": 2}
    ask(server.url, input={**declared, "mean": [1, 2, 3], "std": [4, 5, 6]}).predict(image)
    pixels = image[0].permute(1, 2, 0).numpy().astype(float)
    np.testing.assert_allclose(sent(server), (pixels / 2 - [1, 2, 3]) / [4, 5, 6], rtol=1e-6)


def test_a_grey_image_is_repeated_and_resized_where_declared(start: Start, ask: Ask) -> None:
    server = start(Script([good()]))
    declared = {"channels": 3, "height": 16, "width": 4, "dtype": "uint8", "resize": "bicubic"}
    grey = torch.full((1, 1, 8, 8), 77, dtype=torch.uint8)
    ask(server.url, input=declared).predict(grey)
    assert sent(server).shape == (3, 16, 4)
    assert (sent(server) == 77).all()


@pytest.mark.parametrize(
    ("images", "fault"),
    [
        (torch.zeros(1, 3, 9, 8, dtype=torch.uint8), "9x8 and the suspect takes 8x8.*bicubic"),
        (torch.zeros(1, 3, 8, 8), "give .N, 1 or 3, H, W. uint8"),
        (torch.zeros(3, 8, 8, dtype=torch.uint8), "give .N, 1 or 3, H, W. uint8"),
    ],
)
def test_images_that_do_not_fit_cost_nothing(
    images: torch.Tensor, fault: str, start: Start, ask: Ask
) -> None:
    server = start(Script([good()]))
    suspect = ask(server.url)
    with pytest.raises(SuspectError, match=fault):
        suspect.predict(images)
    assert not server.seen
    assert suspect.budget.left == suspect.budget.limit


def test_colour_is_not_made_grey(ask: Ask, image: torch.Tensor) -> None:
    with pytest.raises(SuspectError, match="3 channels and the suspect takes 1"):
        ask("http://127.0.0.1", input={"channels": 1, "height": 8, "width": 8}).predict(image)


def test_no_images_no_answers(ask: Ask) -> None:
    assert ask("http://127.0.0.1:9").predict(torch.zeros(0, 3, 8, 8, dtype=torch.uint8)) == []


def test_open_suspect_reads_a_file(tmp_path: Any, start: Start, image: torch.Tensor) -> None:
    server = start(Script([good(2)]))
    (tmp_path / "thief.yaml").write_text(
        f"protocol: json\nurl: {server.url}\nrequest: ['{{{{image}}}}']\n"
        "input: {channels: 3, height: 8, width: 8}\noutput: {kind: labels}\n"
    )
    suspect = open_suspect(tmp_path / "thief.yaml", classes=CLASSES)
    try:
        assert (suspect.name, suspect.kind, suspect.protocol) == ("thief", "labels", "json")
        (answer,) = suspect.predict(image)
        assert (answer.labels, answer.scores, answer.label) == ((2,), None, 2)
    finally:
        suspect.close()


@pytest.mark.parametrize("content", ["", "no certificate"])
def test_certificates_that_are_none(content: str, tmp_path: Any, ask: Ask) -> None:
    (tmp_path / "a.pem").write_text(content)
    with pytest.raises(SuspectError, match="holds no certificates"):
        ask("https://host.example", certificates=str(tmp_path / "a.pem"))

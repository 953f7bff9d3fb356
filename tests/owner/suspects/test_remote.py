"""A server as a suspect: the token, the fingerprint, the images it gets, odd answers."""

import base64
import html
import json
import logging
import unicodedata
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from datadeed.owner.suspects.base import Suspect, SuspectError
from datadeed.owner.suspects.blot import blot
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


def _inserted(mark: str) -> Callable[[str], str]:
    return mark.join


WRITTEN: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "upper": str.upper,
    "percent": lambda text: "".join(f"%{ord(c):02X}" for c in text),
    "percent twice": lambda text: "".join(f"%25{ord(c):02x}" for c in text),
    "percent and zero width": lambda text: quote("\u200b".join(text), safe=""),
    "escaped": lambda text: "".join(f"\\u{ord(c):04x}" for c in text),
    "html": lambda text: "".join(f"&#{ord(c)};" for c in text),
    "zero width": _inserted("\u200b"),
    "joiner": _inserted("\u034f"),
    "spaced": _inserted(" "),
    "full width": lambda text: "".join(chr(ord(c) + 0xFEE0) for c in text),
    "in part": lambda text: text[3:12],
}
WHERE: dict[str, Callable[[str], Any]] = {
    "label": lambda text: {"label": text},
    "name": lambda text: {text: 0.5, "class 1": 0.2, "class 2": 0.3},
    "error": lambda text: {"error": f"no access with {text}"},
    "no JSON": lambda text: f"<p>{text}".encode(),
    "long": lambda text: b"x" * 45 + text.encode(),
}


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("code", [200, 403])
def test_a_token_that_comes_back_is_blotted(
    *,
    code: int,
    written: str,
    where: str,
    start: Start,
    ask: Ask,
    image: torch.Tensor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("THIEF_TOKEN", TOKEN)
    body = WHERE[where](WRITTEN[written](TOKEN))
    server = start(lambda handler, seen: handler.reply(body, code))
    output = {"kind": "labels"} if where == "label" else {"kind": "top-k"}
    if where == "error":
        output["path"] = "labels"
    suspect = ask(server.url, authorisation={"environment": "THIEF_TOKEN"}, output=output)
    (answer,) = suspect.predict(image)
    assert answer.failed
    letters = unquote(unquote(answer.error)).encode().decode("unicode_escape")
    letters = unicodedata.normalize("NFKC", html.unescape(letters)).casefold()
    letters = "".join(c for c in letters if c.isascii() and c.isalnum())
    secret = TOKEN.replace("-", "")
    assert not any(secret[at : at + 6] in letters for at in range(len(secret) - 5))


@given(st.text(st.characters(codec="utf-8"), max_size=60), st.text(max_size=60))
def test_blotting_touches_nothing_but_the_secret(before: str, after: str) -> None:
    assert blot(before + after, ["", "\x00never"]) == before + after
    shown = blot(f"{before}|{TOKEN}|{after}", [TOKEN])
    assert "***" in shown
    assert TOKEN not in shown


def test_a_password_within_a_token_is_blotted_too(
    start: Start, ask: Ask, image: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGIN", base64.b64encode(b"bob:correct-horse").decode())
    server = start(Script([status(401, b"bob: correct-horse is wrong")]))
    suspect = ask(server.url, authorisation={"environment": "LOGIN", "prefix": "Basic "})
    assert suspect.predict(image)[0].error.endswith("bob: *** is wrong")


def test_neither_cookies_nor_headers_are_kept(
    start: Start,
    ask: Ask,
    image: torch.Tensor,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("THIEF_TOKEN", TOKEN)
    caplog.set_level(logging.DEBUG)
    cookie = {"Set_Cookie": f"who={TOKEN}; Path=/", "X_Echo": TOKEN}
    server = start(lambda handler, seen: handler.reply([0.1, 0.7, 0.2], **cookie))
    suspect = ask(server.url, authorisation={"environment": "THIEF_TOKEN"})
    suspect.predict(image.repeat(3, 1, 1, 1))
    assert len(server.seen) == 3
    assert not any("cookie" in seen.headers for seen in server.seen)
    assert TOKEN not in caplog.text


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
        (b'{"class 0": 1, "class 0": 0, "class 1": 0, "class 2": 0}', "holds a name twice"),
        (b"\xff\xfe", "not JSON"),
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

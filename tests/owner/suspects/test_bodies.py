"""Bodies that upload a file, and answers in other words: the page's own examples, played."""

import email
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from datadeed.owner.suspects.base import Suspect, SuspectError
from datadeed.owner.suspects.config import read_config
from datadeed.owner.suspects.output import Output
from datadeed.owner.suspects.protocols.registry import PROTOCOLS
from datadeed.owner.suspects.scores import Unreadable, read_answer
from tests.conftest import toy
from tests.owner.suspects.fakes import CLASSES, Handler, Seen, Server
from tests.owner.suspects.test_scores import output

Start = Callable[..., Server]
Ask = Callable[..., Suspect]
PAGE = Path(__file__).parents[3] / "docs" / "suspects.md"
BLOCKS = re.findall(r"```yaml\n([^`]*?)# answers (.*)\n```", PAGE.read_text())
SIZES = {"channels": 3, "height": 8, "width": 8}


def parts(seen: Seen) -> dict[str, Any]:
    """The fields of a form, read by the standard library's own parser of MIME."""
    head = f"Content-Type: {seen.headers['content-type']}\r\n\r\n".encode()
    found = {}
    for part in email.message_from_bytes(head + seen.body).get_payload():
        name = part.get_param("name", header="content-disposition")
        found[name] = (part.get_content_type(), part.get_filename(), part.get_payload(decode=True))
    return found


@pytest.mark.parametrize(("block", "answer"), BLOCKS)
def test_the_page_s_examples(
    block: str, answer: str, start: Start, ask: Ask, image: torch.Tensor
) -> None:
    server = start(lambda handler, seen: handler.reply(json.loads(answer)))
    values = yaml.safe_load(block)
    suspect = ask(**{"request": None, **values, "url": server.url})
    (found,) = suspect.predict(image)
    assert (found.error, found.label) == ("", 1)
    expected = {"top-k": (0.7, 0.1), "probabilities": (0.7, 0.2, 0.1), "labels": None}
    assert found.scores == pytest.approx(expected[values["output"]["kind"]])


def test_there_are_examples() -> None:
    assert len(BLOCKS) == 5


@pytest.mark.parametrize("file", ["png", "jpeg"])
@pytest.mark.parametrize("encoding", ["multipart", "bytes"])
@pytest.mark.parametrize("channels", [1, 3])
def test_an_uploaded_image_is_the_image(
    file: str, encoding: str, channels: int, start: Start, ask: Ask
) -> None:
    images = toy(4).samples[:, :channels]
    seen_by: list[np.ndarray] = []

    def behave(handler: Handler, seen: Seen) -> None:
        kind, content = seen.headers["content-type"], seen.body
        if encoding == "multipart":
            fields = parts(seen)
            kind, name, content = fields["a b"]
            assert name == f"question.{file}"
            assert fields["top_k"][2] == b"3"
            assert fields["mode"][2] == "sch\u00f6n".encode()
        assert kind == f"image/{file}"
        picture = Image.open(io.BytesIO(content))
        assert picture.format == file.upper()
        seen_by.append(np.atleast_3d(np.asarray(picture)).transpose(2, 0, 1))
        handler.reply(1)

    fields = {"a b": "{{image}}", "top_k": 3, "mode": "sch\u00f6n"}
    form = {"encoding": "multipart", "file": file}
    suspect = ask(
        start(behave).url,
        request=fields if encoding == "multipart" else None,
        input={**SIZES, "channels": channels}
        | (form if encoding == "multipart" else {"encoding": f"{file}-bytes"}),
        output={"kind": "labels"},
    )
    assert [answer.label for answer in suspect.predict(images)] == [1] * 4
    far = np.abs(np.stack(seen_by).astype(int) - images.numpy()).max()
    assert far <= (0 if file == "png" else 40)


def test_sound_goes_as_a_form(start: Start, ask: Ask) -> None:
    server = start(lambda handler, seen: handler.reply(1))
    suspect = ask(
        server.url,
        request={"clip": "{{sound}}"},
        input={"encoding": "multipart", "file": "wav", "rate": 8000},
        output={"kind": "labels"},
    )
    assert suspect.predict(torch.ones(1, 800, dtype=torch.int16))[0].label == 1
    kind, name, content = parts(server.seen[0])["clip"]
    assert (kind, name, content[:4]) == ("audio/wav", "question.wav", b"RIFF")


FIELDS = st.dictionaries(st.text(max_size=8), st.text(max_size=8) | st.integers(), max_size=3)


@given(FIELDS, st.binary(max_size=60))
def test_no_field_ends_the_form_early(fields: dict[str, Any], file: bytes) -> None:
    values: dict[str, Any] = {"protocol": "json", "url": "http://h", "output": {"kind": "labels"}}
    values |= {"input": {**SIZES, "encoding": "multipart"}}
    values["request"] = {**fields, "file": "{{image}}"}
    request = PROTOCOLS["json"].encode(read_config(values, CLASSES), file)
    boundary = request.headers["Content-Type"].partition("boundary=")[2].encode()
    pieces = request.content.split(b"--" + boundary)
    assert len(pieces) == len(values["request"]) + 2
    assert sum(piece.endswith(b"\r\n\r\n" + file + b"\r\n") for piece in pieces) >= 1
    assert all(piece.count(b"Content-Disposition: form-data; name=") >= 1 for piece in pieces[1:-1])


@pytest.mark.parametrize(
    ("entries", "fault"),
    [
        ({"request": ["{{image}}"]}, "request has no field"),
        ({"request": {"file": "image"}}, "request has no field {{image}}"),
        ({"input": {**SIZES, "encoding": "png-bytes", "file": "png"}}, "file is not an entry"),
        ({"input": {**SIZES, "encoding": "multipart", "file": "wav"}}, "channels is not an entry"),
        ({"input": {**SIZES, "encoding": "multipart", "dtype": "uint8"}}, "dtype is not an entry"),
        ({"protocol": "v1", "model": "m"}, "encoding is 'multipart': choose one of"),
        ({"output": {"kind": "logits", "scale": 100}}, "scale is not an entry"),
        ({"output": {"kind": "labels", "score_key": "x"}}, "score_key is not an entry"),
        ({"output": {"kind": "top-k", "scale": 0}}, "scale must be a number above 0"),
    ],
)
def test_a_body_or_answer_that_makes_no_sense(entries: dict[str, Any], fault: str) -> None:
    values = {"protocol": "json", "url": "http://h", "output": {"kind": "labels"}}
    values |= {"input": {**SIZES, "encoding": "multipart"}, **entries}
    with pytest.raises(SuspectError, match=fault):
        read_config(values, CLASSES)


def named(kind: str = "top-k", **entries: Any) -> Output:
    return output(kind, label_key="class", score_key="p", **entries)


@pytest.mark.parametrize(
    ("value", "declared", "fault"),
    [
        ({"class": ["cat", "dog"], "p": [0.5]}, named(), "2 labels and 1 scores"),
        ({"class": [], "p": []}, named(), "not a list of labels"),
        ([{"label": "cat", "score": 0.5}], named(), "lacks 'class' or 'p'"),
        ([{"class": "cat", "p": "0.5"}], named(), "value 0 of the answer is not a finite number"),
        ([{"class": "cat", "p": "50 %"}], named(score_text="allow"), "not a finite number"),
        ([{"class": "cat", "p": "nan"}], named(score_text="allow"), "not a finite number"),
        ([{"class": "cat", "p": "1e999"}], named(score_text="allow"), "not a finite number"),
        ([{"class": "cat", "p": "1_0"}], named(score_text="allow"), "not a finite number"),
        ([{"class": "cat", "p": 70}], named(), "above 1"),
        ([{"class": "cat", "p": 170}], named(scale=100), "above 1"),
    ],
)
def test_what_was_not_declared_is_refused(value: Any, declared: Output, fault: str) -> None:
    with pytest.raises(Unreadable, match=fault):
        read_answer(value, declared)


@given(st.lists(st.floats(0, 0.3), min_size=3, max_size=3), st.sampled_from([1.0, 100.0, 255.0]))
def test_every_spelling_of_scores_means_the_same(scores: list[float], scale: float) -> None:
    names = ["cat", "dog", "fox"]
    pairs = list(zip(names, scores, strict=True))
    expected = read_answer([{"label": n, "score": s} for n, s in pairs], output("top-k"))
    declared = named(scale=scale, score_text="allow")
    for spell in (float, repr, " {!r} ".format):
        scaled = [spell(score * scale) for score in scores]
        items = [{"class": n, "p": s} for n, s in zip(names, scaled, strict=True)]
        for value in (items, {"class": names, "p": scaled}, dict(zip(names, scaled, strict=True))):
            labels, found = read_answer(value, declared)
            assert found == pytest.approx(expected[1])
            assert set(labels) == {0, 1, 2}

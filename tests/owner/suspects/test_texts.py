"""Suspects that are asked with texts, and with clips: digests, our files, bodies of requests."""

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import pytest
import torch

from datadeed.datasets.form.dataset import Form
from datadeed.errors import DatadeedError
from datadeed.models.registry import model_class
from datadeed.models.stored import save_model
from datadeed.models.text import build_text
from datadeed.owner.suspects.base import SuspectError, kind_of, question_digest
from datadeed.owner.suspects.config import read_config
from datadeed.owner.suspects.images import encode
from datadeed.owner.suspects.opening import open_suspect
from datadeed.owner.suspects.protocols.registry import PROTOCOLS
from tests.models import tiny_text

CLASSES = ("no", "yes")
HOSTILE = '</script> "quoted" \\ {{text}} \u202e café'


def draw() -> torch.Generator:
    return torch.Generator().manual_seed(3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    encoder = tiny_text.write_encoder(tmp_path / "encoder")
    model = build_text("bert", classes=2, max_length=8, weights=encoder, generator=draw())
    save_model(model, tmp_path / "model", {})
    return tmp_path / "model"


def test_digests_are_as_documented_and_no_kind_is_taken_for_another() -> None:
    text = hashlib.sha256(struct.pack("<3I", 0, 0, 1) + "café".encode()).hexdigest()
    assert question_digest("café") == text
    clip = torch.tensor([1, -2, 300], dtype=torch.int16)
    body = struct.pack("<3I3h", 0, 0, 2, 1, -2, 300)
    assert question_digest(clip) == hashlib.sha256(body).hexdigest()
    samples = ["", "\x00\x00", clip[:1], clip[:1] * 0, torch.zeros(1, 1, 2, dtype=torch.uint8)]
    assert len({question_digest(sample) for sample in samples}) == len(samples)


@pytest.mark.parametrize(
    "samples", ["text", [b"x"], ["a", 1], torch.zeros(2, 3), torch.zeros(1, 2, 4, 4), None]
)
def test_what_is_no_batch_is_refused(samples: Any) -> None:
    with pytest.raises(SuspectError, match="give "):
        kind_of(samples)


class TestFolders:
    def test_a_text_model_answers_as_it_predicts(self, folder: Path) -> None:
        suspect = open_suspect(folder, classes=CLASSES)
        texts = ["a good film", "a bad film", ""]
        answers = suspect.predict(texts)
        encoder = folder.parent / "encoder"
        model = build_text("bert", classes=2, max_length=8, weights=encoder, generator=draw())
        wanted = model.predict(texts)
        assert [answer.label for answer in answers] == wanted.argmax(1).tolist()
        assert suspect.predict([]) == []

    def test_an_audio_model_answers_clips(self, tmp_path: Path) -> None:
        form = Form("audio", (600,), 8000)
        model = model_class("audio").new(
            "raw-audio-cnn", form=form, classes=2, generator=draw(), width=4
        )
        save_model(model, tmp_path / "model", {})
        suspect = open_suspect(tmp_path / "model", classes=CLASSES)
        sound = torch.randint(-900, 900, (3, 600), generator=draw()).to(torch.int16)
        wanted = model.predict(sound).argmax(1).tolist()
        assert [answer.label for answer in suspect.predict(sound)] == wanted
        with pytest.raises(SuspectError, match=r"samples are \(599,\)"):
            suspect.predict(sound[:, :599])

    def test_questions_of_another_kind_are_refused(self, folder: Path) -> None:
        suspect = open_suspect(folder, classes=CLASSES)
        with pytest.raises(SuspectError, match="takes text, but the questions are image"):
            suspect.predict(torch.zeros(1, 3, 4, 4, dtype=torch.uint8))

    @pytest.mark.parametrize(
        ("place", "value"),
        [
            (("encoder",), None),
            (("encoder", "sizes", "vocab_size"), 10**9),
            (("encoder", "sizes", "hidden_size"), 10**6),
            (("encoder", "sizes", "num_hidden_layers"), 10**6),
            (("encoder", "sizes", "intermediate_size"), 10**9),
            (("encoder", "sizes", "max_position_embeddings"), 10**9),
            (("encoder", "sizes", "vocab_size"), -5),
            (("encoder", "tokenizer_bytes"), 10**12),
            (("classes",), 10**9),
            (("classes",), True),
        ],
    )
    def test_a_record_cannot_ask_for_all_memory(
        self, folder: Path, place: tuple[str, ...], value: Any
    ) -> None:
        path = folder / "model.json"
        record = json.loads(path.read_text())
        inner = record["config"]
        for name in place[:-1]:
            inner = inner[name]
        inner[place[-1]] = value
        path.write_text(json.dumps(record))
        with pytest.raises(DatadeedError, match=r"asks for more than|is not from 1 to"):
            open_suspect(folder, classes=CLASSES)

    @pytest.mark.parametrize("shape", [[10**9], [0], [-3], [10, 10], "wide", None])
    def test_nor_can_one_of_sound(self, tmp_path: Path, shape: Any) -> None:
        form = Form("audio", (600,), 8000)
        model = model_class("audio").new(
            "raw-audio-cnn", form=form, classes=2, generator=draw(), width=4
        )
        save_model(model, tmp_path / "model", {})
        path = tmp_path / "model/model.json"
        record = json.loads(path.read_text())
        record["config"]["shape"] = shape
        path.write_text(json.dumps(record))
        with pytest.raises(SuspectError, match="shape is not that of clips"):
            open_suspect(tmp_path / "model", classes=CLASSES)


def config(**values: Any) -> Any:
    plain = {
        "protocol": "json",
        "url": "http://127.0.0.1:1/ask",
        "request": {"x": ["{{text}}"], "prompt": "is this good: {{text}}?", "n": 1},
        "input": {"encoding": "text"},
        "output": {"kind": "labels"},
    }
    return read_config({**plain, **values}, CLASSES)


class TestBodies:
    def test_a_template(self) -> None:
        made = config()
        (text,) = encode([HOSTILE], made.input)
        request = PROTOCOLS["json"].encode(made, text)
        body = {"x": [HOSTILE], "prompt": f"is this good: {HOSTILE}?", "n": 1}
        assert json.loads(request.content) == body

    def test_hugging_face(self) -> None:
        made = config(
            protocol="huggingface",
            request=None,
            parameters={"top_k": 2},
            output={"kind": "top-k"},
        )
        request = PROTOCOLS["huggingface"].encode(made, HOSTILE)
        assert json.loads(request.content) == {"inputs": HOSTILE, "parameters": {"top_k": 2}}

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({"request": {"x": "{{image}}"}}, "request has no {{text}}"),
            ({"request": None}, "request has no {{text}}"),
            ({"input": {"encoding": "text", "channels": 3}}, "input: channels is not an entry"),
            ({"input": {"encoding": "text", "resize": "bicubic"}}, "input: resize is not an entry"),
            ({"input": {"encoding": "text", "divide": 2}}, "input: divide is not an entry"),
            ({"input": {"encoding": "png-base64"}}, "input: channels is missing"),
            ({"protocol": "v1", "model": "m", "request": None}, "encoding is 'text'"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, values: dict[str, Any], message: str) -> None:
        with pytest.raises(SuspectError) as caught:
            config(**values)
        assert message in str(caught.value)

    def test_images_for_texts_are_refused(self) -> None:
        with pytest.raises(SuspectError, match="takes text, but the questions are image"):
            encode(torch.zeros(1, 3, 4, 4, dtype=torch.uint8), config().input)

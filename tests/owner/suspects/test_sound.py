"""Clips on their way to a server: WAV files of the data's rate, without padding."""

import base64
import json
from typing import Any

import numpy as np
import pytest
import torch

from datadeed.datasets.formats import wav
from datadeed.owner.suspects.base import SuspectError
from datadeed.owner.suspects.config import read_config
from datadeed.owner.suspects.images import encode
from datadeed.owner.suspects.protocols.registry import PROTOCOLS

CLASSES = ("dog", "cat")


def config(protocol: str = "json", encoding: str = "wav-bytes", **more: Any) -> Any:
    own: dict[str, Any] = {"encoding": encoding, "rate": 8000, **more.pop("input", {})}
    output = {"kind": "probabilities"} | ({"path": "scores"} if protocol == "json" else {})
    url = {"url": "http://127.0.0.1:1/ask"}
    given = {"protocol": protocol, "name": "it", **url, "input": own, "output": output, **more}
    return read_config({k: v for k, v in given.items() if v is not None}, CLASSES)


def clips() -> torch.Tensor:
    """Two clips of 900 samples, of which the second ends after 500."""
    found = torch.arange(1, 1801).reshape(2, 900).to(torch.int16)
    found[1, 500:] = 0
    return found


def heard(data: bytes) -> tuple[int, np.ndarray]:
    form = wav.read_form("it", data)
    assert (form.kind, form.channels) == ("<i2", 1)
    return form.rate, wav.read_frames("it", data, form)[:, 0]


@pytest.mark.parametrize("protocol", ["json", "huggingface"])
@pytest.mark.parametrize("rate", [8000, 44_100])
def test_a_clip_is_the_whole_body(protocol: str, rate: int) -> None:
    chosen = config(protocol, input={"rate": rate})
    requests = [PROTOCOLS[protocol].encode(chosen, one) for one in encode(clips(), chosen.input)]
    for request, clip, length in zip(requests, clips(), (900, 500), strict=True):
        assert request.headers["Content-Type"] == "audio/wav"
        found, samples = heard(request.content)
        assert found == rate
        assert np.array_equal(samples, clip[:length].numpy())


def test_a_clip_stands_within_a_request() -> None:
    chosen = config(encoding="wav-base64", request={"data": ["data:audio/wav;base64,{{sound}}"]})
    (one, _) = encode(clips(), chosen.input)
    body = json.loads(PROTOCOLS["json"].encode(chosen, one).content)
    text = body["data"][0].removeprefix("data:audio/wav;base64,")
    assert np.array_equal(heard(base64.b64decode(text))[1], clips()[0].numpy())


def test_silence_keeps_its_length() -> None:
    (one,) = encode(torch.zeros(1, 70, dtype=torch.int16), config().input)
    assert isinstance(one, bytes)
    assert not heard(one)[1].any()
    assert len(heard(one)[1]) == 70


@pytest.mark.parametrize(
    ("entries", "fault"),
    [
        ({"input": {"rate": 3999}}, "rate must be a whole number of Hz"),
        ({"input": {"channels": 1}}, "channels is not an entry"),
        ({"input": {"resize": "bicubic"}}, "resize is not an entry"),
        ({"encoding": "wav-base64", "request": {"x": "{{image}}"}}, "request has no {{sound}}"),
        ({"request": {"x": "{{sound}}"}}, "the sound is the whole body"),
        ({"protocol": "v1", "model": "m"}, "encoding"),
    ],
)
def test_a_mistake_is_named(entries: dict[str, Any], fault: str) -> None:
    with pytest.raises(SuspectError, match=fault):
        config(**entries)


def test_a_rate_is_needed_for_sound_alone() -> None:
    with pytest.raises(SuspectError, match="rate is missing"):
        read_config(
            {
                "protocol": "json",
                "name": "it",
                "url": "http://127.0.0.1:1",
                "input": {"encoding": "wav-bytes"},
                "output": {"kind": "probabilities"},
            },
            CLASSES,
        )


def test_images_are_not_sent_as_sound() -> None:
    with pytest.raises(SuspectError, match="takes audio, but the questions are image"):
        encode(torch.zeros(1, 3, 4, 4, dtype=torch.uint8), config().input)

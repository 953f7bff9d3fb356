"""One round trip a protocol against a server that follows the protocol's own description."""

import base64
import io
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datadeed.owner.suspects.base import Suspect
from datadeed.owner.suspects.config import read_config
from datadeed.owner.suspects.protocols.registry import PROTOCOLS
from datadeed.owner.suspects.scores import Unreadable
from tests.conftest import toy
from tests.owner.suspects.fakes import CLASSES, Handler, Seen, Server, scores

Start = Callable[..., Server]
Ask = Callable[..., Suspect]
TENSOR = {"channels": 3, "height": 8, "width": 8}


def check(suspect: Suspect) -> None:
    """The suspect knows every toy image, with the very probabilities of the model."""
    dataset = toy(6)
    answers = suspect.predict(dataset.samples)
    assert [answer.error for answer in answers] == [""] * 6
    assert [answer.label for answer in answers] == dataset.labels.tolist()
    for answer, image in zip(answers, dataset.samples, strict=True):
        expected = np.sort(scores(image.numpy()))[::-1]
        assert answer.scores is not None
        np.testing.assert_allclose(answer.scores, expected[: len(answer.scores)], atol=1e-6)
        assert len(answer.response_sha256) == 64


def png_pixels(content: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(content))
    assert image.format == "PNG"
    return np.asarray(image).transpose(2, 0, 1)


def v2_tensor(request: dict[str, Any]) -> np.ndarray:
    (tensor,) = request["inputs"]
    assert tensor["name"] == "x"
    assert tensor["datatype"] == "FP32"
    assert tensor["shape"] == [1, 3, 8, 8]
    return np.array(tensor["data"], dtype=np.float32).reshape(3, 8, 8)


@pytest.mark.parametrize("nested", [False, True])
def test_v2(nested: bool, start: Start, ask: Ask) -> None:
    def behave(handler: Handler, seen: Seen) -> None:
        assert seen.path == "/v2/models/m%20m/versions/3/infer"
        assert seen.headers["content-type"] == "application/json"
        request = seen.json()
        assert request["outputs"] == [{"name": "probs"}]
        values = scores(255 * v2_tensor(request)).tolist()
        output = {"name": "probs", "shape": [1, 3], "datatype": "FP32"}
        output["data"] = [values] if nested else values
        handler.reply({"model_name": "m", "outputs": [output]})

    suspect = ask(
        start(behave).url,
        protocol="v2",
        model="m m",
        version="3",
        request=None,
        input={**TENSOR, "tensor": "x"},
        output={"kind": "probabilities", "tensor": "probs"},
    )
    check(suspect)
    assert suspect.endpoint.endswith("/v2/models/m%20m/versions/3/infer")


def test_v2_binary(start: Start, ask: Ask) -> None:
    def behave(handler: Handler, seen: Seen) -> None:
        length = int(seen.headers["inference-header-content-length"])
        request = Seen(seen.path, seen.headers, seen.body[:length]).json()
        raw = seen.body[length:]
        (tensor,) = request["inputs"]
        assert tensor["parameters"]["binary_data_size"] == len(raw) == 4 * 192
        assert request["outputs"][0]["parameters"]["binary_data"] is True
        pixels = np.frombuffer(raw, "<f4").reshape(tensor["shape"])[0]
        other = {"name": "other", "shape": [1, 2], "datatype": "INT32"}
        probs = {"name": "probs", "shape": [1, 3], "datatype": "FP32"}
        other["parameters"], probs["parameters"] = {"binary_data_size": 8}, {"binary_data_size": 12}
        head = dumps({"outputs": [other, probs]})
        tail = struct.pack("<2i", 1, 2) + scores(255 * pixels).astype("<f4").tobytes()
        handler.reply(head + tail, Inference_Header_Content_Length=str(len(head)))

    suspect = ask(
        start(behave).url,
        protocol="v2-binary",
        model="m",
        request=None,
        input={**TENSOR, "tensor": "x"},
        output={"kind": "probabilities", "tensor": "probs"},
    )
    check(suspect)


def dumps(value: Any) -> bytes:
    from datadeed.owner.suspects.protocols.base import dump

    return dump(value)


@pytest.mark.parametrize("form", ["instances", "inputs"])
@pytest.mark.parametrize("name", [None, "image"])
def test_v1(form: str, name: str | None, start: Start, ask: Ask) -> None:
    def behave(handler: Handler, seen: Seen) -> None:
        assert seen.path == "/v1/models/m:predict"
        batch = seen.json()[form]
        if name and form == "instances":
            pixels = batch[0][name]
        else:
            pixels = batch[name][0] if name else batch[0]
        assert np.shape(pixels) == (8, 8, 3)  # NHWC
        key = "predictions" if form == "instances" else "outputs"
        handler.reply({key: [scores(np.transpose(pixels, (2, 0, 1))).tolist()]})

    tensor = {"tensor": name} if name else {}
    suspect = ask(
        start(behave).url,
        protocol="v1",
        model="m",
        form=form,
        request=None,
        input={**TENSOR, "layout": "NHWC", "dtype": "uint8", **tensor},
    )
    check(suspect)


def test_v1_takes_a_png(start: Start, ask: Ask) -> None:
    def behave(handler: Handler, seen: Seen) -> None:
        pixels = png_pixels(base64.b64decode(seen.json()["instances"][0]["b64"]))
        handler.reply({"predictions": [scores(pixels).tolist()]})

    entries = {"protocol": "v1", "model": "m", "request": None}
    check(ask(start(behave).url, **entries, input={**TENSOR, "encoding": "png-base64"}))


def test_mlflow(start: Start, ask: Ask) -> None:
    mean, std = np.array([0.4, 0.5, 0.6]), np.array([0.2, 0.3, 0.4])

    def behave(handler: Handler, seen: Seen) -> None:
        assert seen.path == "/invocations"
        scaled = np.array(seen.json()["inputs"])
        assert scaled.shape == (1, 3, 8, 8)
        pixels = 255 * (scaled[0] * std.reshape(3, 1, 1) + mean.reshape(3, 1, 1))
        # logits differ from log-probabilities by any constant
        handler.reply({"predictions": [(np.log(scores(pixels)) + 7).tolist()]})

    suspect = ask(
        start(behave).url,
        protocol="mlflow",
        request=None,
        input={**TENSOR, "mean": mean.tolist(), "std": std.tolist()},
        output={"kind": "logits"},
    )
    assert suspect.kind == "probabilities"
    check(suspect)


@pytest.mark.parametrize("encoding", ["png-bytes", "png-base64"])
@pytest.mark.parametrize("nested", [False, True])
def test_huggingface_gives_the_best_two(
    encoding: str, nested: bool, start: Start, ask: Ask
) -> None:
    def behave(handler: Handler, seen: Seen) -> None:
        assert seen.path == "/"
        if encoding == "png-bytes":
            assert seen.headers["content-type"] == "image/png"
            pixels = png_pixels(seen.body)
        else:
            assert seen.json()["parameters"] == {"top_k": 2, "function_to_apply": "softmax"}
            pixels = png_pixels(base64.b64decode(seen.json()["inputs"]))
        values = scores(pixels)
        best = [{"label": f"LABEL_{k}", "score": float(values[k])} for k in np.argsort(-values)[:2]]
        handler.reply([best] if nested else best)

    base64_only = {"parameters": {"top_k": 2, "function_to_apply": "softmax"}}
    suspect = ask(
        start(behave).url,
        protocol="huggingface",
        request=None,
        input={**TENSOR, "encoding": encoding},
        output={
            "kind": "top-k",
            "classes": ["LABEL_0", "LABEL_1", "LABEL_2"],
            "map": {f"LABEL_{k}": CLASSES[k] for k in range(3)},
        },
        **(base64_only if encoding == "png-base64" else {}),
    )
    check(suspect)
    assert len(suspect.predict(toy(1).samples)[0].labels) == 2


def test_a_template_for_anything_else(start: Start, ask: Ask) -> None:
    def behave(handler: Handler, seen: Seen) -> None:
        request = seen.json()
        assert request["options"] == {"top": 3, "list": [1]}
        head, _, data = request["image"].partition(",")
        assert head == "data:image/png;base64"
        values = scores(png_pixels(base64.b64decode(data)))
        named = dict(zip(CLASSES, values.tolist(), strict=True))
        handler.reply({"result": [{"classes": named}]})

    suspect = ask(
        start(behave).url,
        input={**TENSOR, "encoding": "png-base64"},
        request={
            "image": "data:image/png;base64,{{image}}",
            "options": {"top": 3, "list": [1]},
        },
        output={"kind": "probabilities", "path": "result.0.classes"},
    )
    check(suspect)


def test_a_raw_body_with_a_mapping_of_names(start: Start, ask: Ask) -> None:
    def behave(handler: Handler, seen: Seen) -> None:
        values = scores(png_pixels(seen.body))
        handler.reply(dict(zip(CLASSES, values.tolist(), strict=True)))

    suspect = ask(
        start(behave).url,
        request=None,
        input={**TENSOR, "encoding": "png-bytes"},
        output={"kind": "top-k"},
    )
    check(suspect)


V2_FAULTS: list[tuple[Any, str]] = [
    ({"outputs": []}, "name one in output.tensor"),
    ({"outputs": [{"name": "a"}, {"name": "b"}]}, "outputs are a, b"),
    ({"outputs": {"name": "a"}}, "not a list of tensors"),
    ({"outputs": [{"shape": [1, 3]}]}, "no 'data'"),
    ({"outputs": [{"shape": [1, 4], "data": [1, 2, 3]}]}, "not what its shape says"),
    ({"outputs": [{"data": [1, 2, 3]}]}, "not what its shape says"),
    ({"outputs": [{"shape": [1, 2], "data": [[1], 2]}]}, "mix"),
    ({"outputs": [{"shape": [1], "data": [[[[[[1]]]]]]}]}, "nested too deeply"),
    ({"outputs": [{"shape": [1], "data": 1}]}, "not a list"),
    ({"error": "no such\x1b model"}, "the server reports: no such"),
    ([1, 2, 3], "no 'outputs'"),
]


@pytest.mark.parametrize(("body", "fault"), V2_FAULTS)
def test_v2_faults_are_named(body: Any, fault: str) -> None:
    with pytest.raises(Unreadable, match=fault):
        PROTOCOLS["v2"].decode(v2_config(), dumps(body), {})


def v2_config(**output: Any) -> Any:
    values = {"protocol": "v2", "url": "http://h", "model": "m"}
    values |= {"input": {**TENSOR, "tensor": "x"}, "output": {"kind": "labels", **output}}
    return read_config(values, CLASSES)


def binary(datatype: Any, size: Any, raw: bytes, shape: Any = (1, 1)) -> Any:
    parameters = {"binary_data_size": size}
    output = {"name": "y", "datatype": datatype, "shape": shape, "parameters": parameters}
    head = dumps({"outputs": [output]})
    length = {"inference-header-content-length": str(len(head))}
    return PROTOCOLS["v2-binary"].decode(v2_config(), head + raw, length)


def test_binary_labels() -> None:
    assert binary("INT64", 8, struct.pack("<q", 2)) == [2]
    assert binary("BYTES", 11, struct.pack("<I", 7) + b"class 1") == ["class 1"]


@pytest.mark.parametrize(
    ("datatype", "size", "raw"),
    [
        ("FP32", 400, b"1234"),
        ("FP32", 3, b"123"),
        ("FP32", -4, b""),
        ("FP32", True, b"1"),
        ("V8", 8, b"12345678"),
        (None, 4, b"1234"),
        ("BYTES", 6, struct.pack("<I", 3) + b"ab"),
        ("BYTES", 2, b"ab"),
        ("BYTES", 4, b"\xff\xff\xff\xff"),
    ],
)
def test_binary_faults_are_named(datatype: Any, size: Any, raw: bytes) -> None:
    with pytest.raises(Unreadable):
        binary(datatype, size, raw)


@pytest.mark.parametrize("length", ["-1", "x", "99999", "9" * 5000, "²"])
def test_a_wrong_length_of_the_json_part(length: str) -> None:
    headers = {"inference-header-content-length": length}
    with pytest.raises(Unreadable, match="length"):
        PROTOCOLS["v2-binary"].decode(v2_config(), b'{"outputs":[]}', headers)

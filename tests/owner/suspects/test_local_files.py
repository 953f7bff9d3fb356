"""Suspects in files: our own safetensors, ONNX, recorded logs. Hostile ones are refused."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from datadeed.errors import DatadeedError
from datadeed.models.classifier import Classifier
from datadeed.models.stored import save_model
from datadeed.owner.suspects.base import Suspect, SuspectError, question_digest
from datadeed.owner.suspects.onnx_data import external_files
from datadeed.owner.suspects.opening import open_suspect
from tests.conftest import toy
from tests.owner.suspects.fakes import CLASSES

Make = Callable[..., Classifier]
IMAGES = toy(6).samples


def open_file(protocol: str, path: Path, **entries: Any) -> Suspect:
    return open_suspect({"protocol": protocol, "path": str(path), **entries}, classes=CLASSES)


def test_a_safetensors_folder(tiny_model: Make, tmp_path: Path) -> None:
    model = tiny_model()
    save_model(model, tmp_path / "thief", {})
    suspect = open_suspect(tmp_path / "thief", classes=CLASSES)
    assert (suspect.name, suspect.kind, suspect.protocol) == ("thief", "probabilities", "local")
    expected = model.predict(IMAGES)
    answers = suspect.predict(IMAGES)
    assert [answer.label for answer in answers] == expected.argmax(1).tolist()
    for answer, row in zip(answers, expected.sort(1, descending=True).values, strict=True):
        assert answer.scores == pytest.approx(row.tolist())
        assert not answer.response_sha256
    assert suspect.predict(IMAGES[:0]) == []
    with pytest.raises(SuspectError, match="of the same dataset"):
        suspect.predict(torch.zeros(1, 3, 9, 9, dtype=torch.uint8))


def test_the_fingerprint_changes_with_either_file(tiny_model: Make, tmp_path: Path) -> None:
    found = set()
    for seed, record in ((0, {}), (1, {}), (0, {"note": 1})):
        save_model(tiny_model(seed), tmp_path, record)
        found.add(open_suspect(tmp_path, classes=CLASSES).fingerprint())
    assert len(found) == 3


def test_a_model_of_nan_fails_on_every_question(tiny_model: Make, tmp_path: Path) -> None:
    model = tiny_model()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(float("nan"))
    save_model(model, tmp_path, {})
    answers = open_suspect(tmp_path, classes=CLASSES).predict(IMAGES)
    assert all("not a finite number" in answer.error for answer in answers)


@pytest.mark.parametrize(
    ("change", "fault"),
    [({"classes": 4}, "4 classes and 3"), ({"width": 10**7}, "width"), ({"classes": "3"}, "class")],
)
def test_a_record_that_lies(
    change: dict[str, Any], fault: str, tiny_model: Make, tmp_path: Path
) -> None:
    save_model(tiny_model(), tmp_path, {})
    record = json.loads((tmp_path / "model.json").read_text())
    record["config"] |= change
    (tmp_path / "model.json").write_text(json.dumps(record))
    with pytest.raises(SuspectError, match=fault):
        open_suspect(tmp_path, classes=CLASSES)


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
@pytest.mark.parametrize("content", [None, b"", b"[]", b"\x80\x04."])
def test_a_damaged_folder(
    name: str, content: bytes | None, tiny_model: Make, tmp_path: Path
) -> None:
    save_model(tiny_model(), tmp_path, {})
    (tmp_path / name).unlink() if content is None else (tmp_path / name).write_bytes(content)
    with pytest.raises(DatadeedError):
        open_suspect(tmp_path, classes=CLASSES)


WEIGHTS = np.random.default_rng(0).normal(size=(192, 3)).astype(np.float32)
DECLARED = {
    "input": {"channels": 3, "height": 8, "width": 8},
    "output": {"kind": "logits"},
}


def linear(path: Path, location: str | None = None, *, shape: Any = ("n", 3, 8, 8), **kinds: Any):
    """A linear classifier as ONNX; its weights at ``location`` if given."""
    weights = numpy_helper.from_array(WEIGHTS, "w")
    if location is not None:
        weights.ClearField("raw_data")
        weights.data_location = TensorProto.EXTERNAL
        for key, value in (("location", location), ("offset", "0"), ("length", "2304")):
            weights.external_data.add(key=key, value=value)
    source = helper.make_tensor_value_info("x", kinds.get("dtype", TensorProto.FLOAT), shape)
    target = helper.make_tensor_value_info("y", TensorProto.FLOAT, [shape[0], 3])
    nodes = [helper.make_node("Cast", ["x"], ["c"], to=TensorProto.FLOAT)]
    nodes.append(helper.make_node("Flatten", ["c"], ["f"]))
    nodes.append(helper.make_node("MatMul", ["f", "w"], ["y"]))
    graph = helper.make_graph(nodes, "g", [source], [target], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return path


def check_onnx(suspect: Suspect) -> None:
    logits = (IMAGES.numpy().reshape(6, 192) / np.float32(255)) @ WEIGHTS
    answers = suspect.predict(IMAGES)
    assert [answer.label for answer in answers] == logits.argmax(1).tolist()
    assert all(len(answer.labels) == 3 and not answer.error for answer in answers)
    assert suspect.predict(IMAGES[:0]) == []


@pytest.mark.parametrize("batch", ["n", 1, None])
def test_onnx(batch: Any, tmp_path: Path) -> None:
    path = linear(tmp_path / "m.onnx", shape=(batch, 3, 8, 8))
    suspect = open_file("onnx", path, **DECLARED)
    assert suspect.kind == "probabilities"
    check_onnx(suspect)


def test_onnx_with_weights_beside_it(tmp_path: Path) -> None:
    path = linear(tmp_path / "m.onnx", "m.onnx.data")
    data = tmp_path / "m.onnx.data"
    data.write_bytes(WEIGHTS.tobytes())
    suspect = open_file("onnx", path, **DECLARED)
    check_onnx(suspect)
    data.write_bytes(WEIGHTS[::-1].tobytes())  # other weights are another suspect
    assert open_file("onnx", path, **DECLARED).fingerprint() != suspect.fingerprint()
    data.unlink()
    with pytest.raises(SuspectError, match="not a file"):
        open_file("onnx", path, **DECLARED)


@pytest.mark.parametrize("location", ["../out.bin", "link.bin", "{out}", "a/../../out.bin", ""])
def test_onnx_with_weights_elsewhere_is_refused(location: str, tmp_path: Path) -> None:
    out = tmp_path / "out.bin"
    out.write_bytes(WEIGHTS.tobytes())
    path = linear(tmp_path / "in" / "m.onnx", location.format(out=out))
    os.symlink(out, tmp_path / "in" / "link.bin")
    with pytest.raises(SuspectError, match=r"outside its folder|not a file"):
        open_file("onnx", path, **DECLARED)


def test_external_files_are_found_wherever_they_hide(tmp_path: Path) -> None:
    """In a file that the reference implementation wrote."""

    def tensor(location: str) -> TensorProto:
        tensor = TensorProto(name="t", data_type=1, dims=[1], data_location=TensorProto.EXTERNAL)
        tensor.external_data.add(key="location", value=location)
        return tensor

    deep = helper.make_graph([], "deep", [], [], [tensor("deep")])
    branch = helper.make_node("If", ["c"], ["y"], then_branch=deep)
    many = helper.make_node("X", [], ["m"], tensors=[tensor("listed")], graphs=[deep])
    constant = helper.make_node("Constant", [], ["k"], value=tensor("constant"))
    sparse = onnx.SparseTensorProto(values=tensor("sparse"), dims=[1])
    graph = helper.make_graph([branch, many, constant], "g", [], [], [tensor("top")])
    graph.sparse_initializer.append(sparse)
    model = helper.make_model(graph)
    inner = helper.make_node("Constant", [], ["k"], value=tensor("function"))
    model.functions.append(helper.make_function("d", "F", [], ["k"], [inner], []))
    model.training_info.add().algorithm.CopyFrom(
        helper.make_graph([], "t", [], [], [tensor("training")])
    )
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    hidden = ["constant", "deep", "function", "listed", "sparse", "top", "training"]
    assert external_files(path) == hidden


@pytest.mark.parametrize(
    ("entries", "fault"),
    [
        ({"input": {**DECLARED["input"], "dtype": "uint8"}}, "correct input.dtype"),
        ({"input": {**DECLARED["input"], "layout": "NHWC"}}, "NHWC images of"),
        ({"input": {"channels": 3, "height": 9, "width": 8}}, "correct input"),
        ({"input": {**DECLARED["input"], "tensor": "z"}}, "has the inputs x"),
        ({"output": {"kind": "logits", "tensor": "z"}}, "has the outputs y"),
    ],
)
def test_onnx_that_is_not_as_declared(entries: dict[str, Any], fault: str, tmp_path: Path) -> None:
    path = linear(tmp_path / "m.onnx")
    with pytest.raises(SuspectError, match=fault):
        open_file("onnx", path, **{**DECLARED, **entries})


def test_onnx_of_a_fixed_batch(tmp_path: Path) -> None:
    path = linear(tmp_path / "m.onnx", shape=(7, 3, 8, 8))
    with pytest.raises(SuspectError, match="takes 7 images at once"):
        open_file("onnx", path, **DECLARED)


def test_onnx_of_bytes(tmp_path: Path) -> None:
    path = linear(tmp_path / "m.onnx", dtype=TensorProto.UINT8)
    declared = {**DECLARED, "input": {**DECLARED["input"], "dtype": "uint8"}}
    assert all(not answer.failed for answer in open_file("onnx", path, **declared).predict(IMAGES))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x04}.", b"\x3a\xff\xff\xff\x7f"])
def test_a_file_that_is_no_onnx(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(SuspectError, match=r"not an ONNX|inputs none") as caught:
        open_file("onnx", tmp_path / "m.onnx", **DECLARED)
    assert "\n" not in str(caught.value)


def test_a_pipe_is_no_model(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "m.onnx")
    with pytest.raises(SuspectError, match="not a file"):
        open_file("onnx", tmp_path / "m.onnx", **DECLARED)


def rows() -> list[dict[str, Any]]:
    digests = [question_digest(image) for image in IMAGES]
    return [
        {"question": digests[0], "labels": [], "scores": None, "error": "busy\x1b[2J"},
        {"question": digests[0], "labels": [2, 0], "scores": [0.6, 0.3], "error": ""},
        {"question": digests[1], "labels": [1], "scores": [0.9], "error": ""},
        {"question": digests[2], "labels": [], "scores": None, "error": "timed out"},
        {"question": digests[3], "labels": [9], "scores": [0.9], "error": ""},
        {"question": digests[4], "labels": [], "scores": [], "error": ""},
    ]


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
@pytest.mark.parametrize("kind", ["labels", "top-k"])
def test_a_recorded_log(suffix: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"log{suffix}"
    if suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows()), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows()))
    answers = open_file("log", path, output={"kind": kind}).predict(IMAGES)
    assert answers[0].labels == ((2,) if kind == "labels" else (2, 0))
    assert answers[0].scores == (None if kind == "labels" else (0.6, 0.3))
    assert [answer.label for answer in answers] == [2, 1, None, None, None, None]
    assert [a.failed for a in answers] == [False, False, True, True, False, True]
    assert answers[2].error == "timed out"
    assert "no such question" in answers[5].error


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", b"{}\n"),
        ("a.jsonl", b"[1]\n"),
        ("a.jsonl", b'{"question": "a", "labels": [1], "labels": [2]}\n'),
        ("a.jsonl", b"\xff\n"),
        ("a.jsonl", b"[" * 100_000),
        ("a.parquet", b"PAR1" * 9),
    ],
)
def test_a_log_that_is_none(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SuspectError, match=r"row 1 has no question|not a Parquet"):
        open_file("log", tmp_path / name, output={"kind": "labels"})


def test_a_question_is_its_pixels_and_its_shape() -> None:
    image = IMAGES[0]
    assert question_digest(image) == question_digest(image.clone().contiguous())
    assert question_digest(image) != question_digest(image.flip(2))
    assert question_digest(torch.zeros(1, 2, 8, dtype=torch.uint8)) != question_digest(
        torch.zeros(1, 8, 2, dtype=torch.uint8)
    )

"""ONNX models of all types and answers that exporters make; hostile names of weight files."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto as T
from onnx import helper, numpy_helper

from datadeed.owner.suspects.base import SuspectError
from datadeed.owner.suspects.opening import open_suspect
from tests.conftest import toy
from tests.owner.suspects.fakes import CLASSES

IMAGES = toy(6).samples
WEIGHTS = np.random.default_rng(0).normal(size=(192, 3)).astype("float32")
SIZES = {"channels": 3, "height": 8, "width": 8}
FLOATS = {"float16": T.FLOAT16, "float32": T.FLOAT, "float64": T.DOUBLE}
WHOLE = {"uint8": T.UINT8, "int32": T.INT32, "int64": T.INT64, "uint16": T.UINT16}
LABELS = (IMAGES.numpy().reshape(6, 192).astype(np.float32) @ WEIGHTS).argmax(1).tolist()


def save(path: Path, nodes: list[Any], source: tuple[int, Any], target: Any) -> Path:
    """A graph from the input ``x`` through the logits ``p`` to ``target``."""
    shown = helper.make_tensor_value_info("x", *source)
    first = [
        helper.make_node("Cast", ["x"], ["c"], to=T.FLOAT),
        helper.make_node("Flatten", ["c"], ["f"]),
        helper.make_node("MatMul", ["f", "w"], ["p"]),
    ]
    targets = target if isinstance(target, list) else [target]
    weights = [numpy_helper.from_array(WEIGHTS, "w")]
    graph = helper.make_graph([*first, *nodes], "g", [shown], targets, weights)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def answers(path: Path, images: torch.Tensor = IMAGES, **entries: Any) -> list[Any]:
    declared = {"protocol": "onnx", "path": str(path), "input": SIZES, **entries}
    return open_suspect(declared, classes=CLASSES).predict(images)


def logits(path: Path, kind: int, shape: Any = ("n", 3, 8, 8)) -> Path:
    return save(path, [], (kind, shape), helper.make_tensor_value_info("p", T.FLOAT, ["n", 3]))


@pytest.mark.parametrize("dtype", [*FLOATS, *WHOLE])
@pytest.mark.parametrize("named", [True, False])
def test_the_model_s_own_type_is_what_it_gets(dtype: str, named: bool, tmp_path: Path) -> None:
    """Whole numbers get the pixels as they are, floats scaled ones."""
    path = logits(tmp_path / "m.onnx", (FLOATS | WHOLE)[dtype])
    scale = {"divide": 1} if dtype in FLOATS else {}
    given_input = {**SIZES, **scale, **({"dtype": dtype} if named else {})}
    found = answers(path, input=given_input, output={"kind": "logits"})
    assert [answer.label for answer in found] == LABELS


@pytest.mark.parametrize(
    ("kind", "entries", "fault"),
    [
        (T.FLOAT16, {"dtype": "float32"}, r"takes tensor\(float16\): correct input.dtype"),
        (T.INT64, {"divide": 255}, r"takes tensor\(int64\): input: divide is not an entry"),
        (T.UINT8, {"mean": [0, 0, 0]}, "mean is not an entry"),
        (T.INT8, {}, r"takes tensor\(int8\): export it for float32"),
        (T.BOOL, {}, "export it for float32"),
    ],
)
def test_a_type_that_does_not_fit(
    kind: int, entries: dict[str, Any], fault: str, tmp_path: Path
) -> None:
    with pytest.raises(SuspectError, match=fault):
        answers(logits(tmp_path / "m.onnx", kind), input=SIZES | entries, output={"kind": "logits"})


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_a_model_of_features_gets_each_image_as_one_row(layout: str, tmp_path: Path) -> None:
    path = logits(tmp_path / "m.onnx", T.FLOAT, ("n", 192))
    found = answers(path, input={**SIZES, "layout": layout}, output={"kind": "logits"})
    pixels = IMAGES if layout == "NCHW" else IMAGES.permute(0, 2, 3, 1)
    expected = (pixels.reshape(6, 192).numpy().astype(np.float32) @ WEIGHTS).argmax(1)
    assert [answer.label for answer in found] == expected.tolist()
    with pytest.raises(SuspectError, match="correct input"):
        answers(path, input={**SIZES, "width": 9}, output={"kind": "logits"})


@pytest.mark.parametrize("kind", [T.INT64, T.INT32, T.UINT8, T.FLOAT, T.DOUBLE, T.FLOAT16])
@pytest.mark.parametrize("kept", [0, 1])
@pytest.mark.parametrize("batch", ["n", 1])
def test_labels_of_any_type_and_shape(kind: int, kept: int, batch: Any, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ArgMax", ["p"], ["k"], axis=1, keepdims=kept),
        helper.make_node("Cast", ["k"], ["label"], to=kind),
    ]
    target = helper.make_tensor_value_info("label", kind, [batch, *[1] * kept])
    path = save(tmp_path / "m.onnx", nodes, (T.FLOAT, (batch, 3, 8, 8)), target)
    found = answers(path, output={"kind": "labels"})
    assert [answer.labels for answer in found] == [(label,) for label in LABELS]


@pytest.mark.parametrize("kind", ["logits", "labels"])
def test_one_image_at_a_time_without_its_axis(kind: str, tmp_path: Path) -> None:
    axes = numpy_helper.from_array(np.array([0]), "axes")
    first = "p" if kind == "logits" else "k"
    nodes = [
        helper.make_node("Constant", [], ["axes"], value=axes),
        helper.make_node("ArgMax", ["p"], ["k"], axis=1, keepdims=0),
        helper.make_node("Squeeze", [first, "axes"], ["y"]),
    ]
    element, shape = (T.FLOAT, [3]) if kind == "logits" else (T.INT64, [])
    target = helper.make_tensor_value_info("y", element, shape)
    path = save(tmp_path / "m.onnx", nodes, (T.FLOAT, (1, 3, 8, 8)), target)
    assert [answer.label for answer in answers(path, output={"kind": kind})] == LABELS


def classifier(path: Path, names: list[Any]) -> Path:
    """As sklearn-onnx writes one: labels, and a mapping from class to probability."""
    text = isinstance(names[0], str)
    key, listed = ("strings", T.STRING) if text else ("int64s", T.INT64)
    mapped = {f"classlabels_{key}": names}
    numbers = {"coefficients": WEIGHTS.T.ravel().tolist(), "intercepts": [0.0] * 3}
    labels = f"classlabels_{'strings' if text else 'ints'}"
    nodes = [
        helper.make_node(
            "LinearClassifier", ["f"], ["label", "scores"], domain="ai.onnx.ml",
            post_transform="SOFTMAX", multi_class=1, **{labels: names}, **numbers,
        ),
        helper.make_node("ZipMap", ["scores"], ["probability"], domain="ai.onnx.ml", **mapped),
    ]  # fmt: skip
    value = helper.make_tensor_type_proto(T.FLOAT, [])
    sequence = helper.make_sequence_type_proto(helper.make_map_type_proto(listed, value))
    targets = [
        helper.make_tensor_value_info("label", listed, ["n"]),
        helper.make_value_info("probability", sequence),
    ]
    return save(path, nodes, (T.FLOAT, ("n", 192)), targets)


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        *itertools.product([[*CLASSES], [0, 1, 2]], ["labels", "probabilities", "top-k"]),
        # Of labels that are numbers, a label counts from 0.
        *itertools.product([[3, 7, 9]], ["probabilities", "top-k"]),
    ],
)
def test_what_sklearn_s_models_answer(names: list[Any], kind: str, tmp_path: Path) -> None:
    path = classifier(tmp_path / "m.onnx", names)
    tensor = "label" if kind == "labels" else "probability"
    output: dict[str, Any] = {"kind": kind, "tensor": tensor}
    if names == [3, 7, 9]:
        output |= {"classes": names, "map": dict(zip(map(str, names), CLASSES, strict=True))}
    scale = {"input": {**SIZES, "divide": 1}}
    found = answers(path, **scale, output=output)
    assert [answer.label for answer in found] == LABELS
    if kind != "labels":
        assert all(len(answer.scores) == 3 for answer in found)
        assert all(sum(answer.scores) == pytest.approx(1) for answer in found)
    with pytest.raises(SuspectError, match="outputs label, probability: name one"):
        answers(path, output={"kind": kind})


NAMES = st.one_of(
    st.sampled_from(["w\0.bin", "\0", "..", "../w.bin", "a/../w.bin", "/etc/passwd", "*", "a/*/b"]),
    st.text(st.sampled_from("./\0*a\\"), max_size=8),
    st.just("x" * 300),
    st.just("loop/w.bin"),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(NAMES)
def test_no_name_of_weights_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    inside = tmp_path / "in"
    if not inside.exists():
        inside.mkdir()
        (inside / "loop").symlink_to("loop")
    (tmp_path / "w.bin").write_bytes(WEIGHTS.tobytes())
    path = logits(inside / "m.onnx", T.FLOAT)
    model = onnx.load(path)
    weights = model.graph.initializer[0]
    weights.ClearField("raw_data")
    weights.data_location = T.EXTERNAL
    weights.external_data.add(key="location", value=name)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(SuspectError, match=r"outside its folder|is not a file") as caught:
        answers(path, output={"kind": "logits"})
    assert str(caught.value).replace(name, "").isprintable()

"""The configuration: every shipped example loads, and every mistake is named in one line."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import yaml

from datadeed.owner.suspects.base import SuspectError
from datadeed.owner.suspects.config import read_config
from datadeed.owner.suspects.opening import open_suspect
from tests.owner.suspects.fakes import CLASSES

EXAMPLES = Path(__file__).parents[3] / "examples" / "suspects"
DOCS = Path(__file__).parents[3] / "docs" / "suspects.md"
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
GOOD: dict[str, Any] = {
    "protocol": "v2",
    "url": "https://host.example",
    "model": "m",
    "input": {"channels": 3, "height": 8, "width": 8, "tensor": "x"},
    "output": {"kind": "logits"},
}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_example_is_sound_and_explained(path: Path) -> None:
    config = read_config(path, CIFAR10)
    assert config.name == path.stem
    assert set(config.output.to_key) == set(range(10))
    assert f"examples/suspects/{path.name}" in DOCS.read_text()


def test_the_page_s_own_example_is_sound() -> None:
    block = DOCS.read_text().split("```yaml")[1].split("```")[0]
    config = read_config(yaml.safe_load(block), CIFAR10)
    assert config.output.to_key == tuple(range(10))


def test_there_are_examples() -> None:
    protocols = {read_config(path, CIFAR10).protocol for path in EXAMPLES.glob("*.yaml")}
    servers = {"v2", "v2-binary", "v1", "mlflow", "huggingface", "json"}
    assert protocols == servers | {"local", "onnx", "log"}


def changed(**entries: Any) -> dict[str, Any]:
    """GOOD with other entries; ``a__b`` is entry b of section a, and None leaves it out."""
    value = yaml.safe_load(yaml.safe_dump(GOOD))
    for name, entry in entries.items():
        section, _, inner = name.partition("__")
        place = value.setdefault(section, {}) if inner else value
        place[inner or section] = entry
    return value


@pytest.mark.parametrize(
    ("entries", "fault"),
    [
        ({"protocol": "grpc"}, "protocol is 'grpc': choose one of"),
        ({"protocol": None}, "protocol is missing"),
        ({"protocol": ["v2"]}, "protocol is"),
        ({"model": None}, "model is missing"),
        ({"model": 3}, "model must be printable text"),
        ({"name": "\x1b[2J"}, "name must be printable"),
        ({"url": None}, "url is missing"),
        ({"url": "host.example"}, "must begin with http"),
        ({"url": "ftp://host"}, "must begin with http"),
        ({"url": "http://h:99999999"}, "is not an address"),
        ({"path": "m.onnx"}, "path is not an entry of this kind"),
        ({"form": "inputs"}, "form is not an entry"),
        ({"input": None}, "input: channels is missing"),
        ({"input": [1]}, "input is not a mapping"),
        ({"input__channels": 2}, "channels must be 1 or 3"),
        ({"input__height": 0}, "height must be a whole number of at least 1"),
        ({"input__height": True}, "height must be"),
        ({"input__height": 10**6}, "at most 4096"),
        ({"input__tensor": None}, "tensor is missing"),
        ({"input__divide": 0}, "divide must be a number above 0"),
        ({"input__divide": float("nan")}, "JSON has not"),
        ({"input__mean": [0.5]}, "mean must be a list of 3 numbers"),
        ({"input__std": [1, 1, 0]}, "std must be above 0"),
        ({"input__layout": "CHW"}, "choose one of NCHW, NHWC"),
        ({"input__dtype": "uint8", "input__divide": 255}, "divide is not an entry"),
        ({"input__encoding": "png-bytes"}, "choose one of tensor"),
        ({"input__resize": "nearest"}, "choose one of bicubic"),
        ({"output": None}, "kind is missing"),
        ({"output__path": "a.b"}, "path is not an entry"),
        ({"limits__queries": 0}, "queries must be a whole number"),
        ({"limits__cost": 1.0}, "cost needs cost_per_query"),
        ({"limits__timeout": 3}, "timeout is not an entry"),
    ],
)
def test_a_mistake_is_named(entries: dict[str, Any], fault: str) -> None:
    with pytest.raises(SuspectError, match=fault) as caught:
        read_config(changed(**entries), CLASSES)
    assert str(caught.value).startswith("suspect")
    assert str(caught.value).isprintable()


SECRET = "sk-Live/0123456789"


@pytest.mark.parametrize(
    "entries",
    [
        {"authorisation": {"token": SECRET}},
        {"authorisation": {"environment": SECRET}},
        {"authorisation": {"environment": "TOKEN", "prefix": f"Bearer {SECRET}"}},
        {"authorisation": {"environment": "TOKEN", "header": f"X-Key: {SECRET}"}},
        {"authorisation": {"environment": "TOKEN", "extra": SECRET}},
        {"authorisation": SECRET},
        {"token": SECRET},
        {"url": f"https://user:{SECRET}@host.example"},
        {"url": f"https://host.example/?api_key={SECRET}"},
        {"url": f"https://host.example/?api%5FKEY={SECRET}"},
        {"url": f"https://host.example/?a=1&code={SECRET}"},
        {"url": f"https://host.example/?auth={SECRET}"},
        {"url": "http://host.example", "authorisation": {"environment": "TOKEN"}},
    ],
)
def test_a_token_in_the_file_is_refused_and_not_repeated(entries: dict[str, Any]) -> None:
    with pytest.raises(SuspectError) as caught:
        read_config(changed(**entries), CLASSES)
    assert SECRET not in str(caught.value)
    assert "0123" not in repr(caught.value)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"protocol: [", "not valid YAML"),
        (b"protocol: v2\nauthorisation: {token: sk-secret\n", "not valid YAML in line"),
        (b"a: !!python/object/apply:os.system [id]", "not valid YAML in line 1"),
        (b"a: &a [1]\nb: [*a, *a]", "not valid YAML in line 2"),
        (b"a: &a [*a]", "not valid YAML"),
        (b"a: 1\nb: 2\na: 3", r"not valid YAML in line 3 \(a name stands twice\)"),
        (b"output: {kind: labels, 'kind': top-k}", "a name stands twice"),
        (b"\xff\xfe\x00", "not UTF-8|not valid YAML"),
        (b"[" * 2000, "not valid YAML"),
        (b"- 1", "not a mapping"),
        (b"", "not a mapping"),
        (b"1: 2", "not a mapping"),
        (b"#" * (5 * 2**20), "larger than"),
    ],
)
def test_a_file_that_is_no_configuration(content: bytes, fault: str, tmp_path: Path) -> None:
    path = tmp_path / "thief.yaml"
    path.write_bytes(content)
    with pytest.raises(SuspectError, match=fault) as caught:
        read_config(path, CLASSES)
    assert str(caught.value).startswith(str(path))
    assert "secret" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SuspectError, match="cannot be read"):
        read_config(tmp_path / "none.yaml", CLASSES)


@pytest.mark.parametrize(
    ("entries", "fault"),
    [
        ({"request": None}, "has no {{image}}"),
        ({"request": {"x": "image"}}, "has no {{image}}"),
        ({"request": {"x": "{{image}}"}, "input__encoding": "png-bytes"}, "whole body"),
    ],
)
def test_a_template_without_a_place_for_the_image(entries: dict[str, Any], fault: str) -> None:
    value = changed(protocol="json", **entries)
    del value["model"], value["input"]["tensor"]
    with pytest.raises(SuspectError, match=fault):
        read_config(value, CLASSES)


def test_torch_export_is_refused_without_touching_the_file(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    (tmp_path / "thief.pt2").write_bytes(pickle.dumps(Evil()))
    value = {"protocol": "torch-export", "path": str(tmp_path / "thief.pt2")}
    with pytest.raises(SuspectError, match=r"can run code when they are loaded.*convert the model"):
        open_suspect(value, classes=CLASSES)
    assert not (tmp_path / "ran").exists()

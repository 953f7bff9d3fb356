"""Which further files an ONNX graph keeps its weights in, read from its bytes alone.

Only the fields on the way to ``TensorProto.external_data`` are followed. Source: onnx.proto3 (field
numbers) and the encoding of protocol buffers.
"""

from collections.abc import Iterator
from pathlib import Path

from datadeed.owner.suspects.base import SuspectError

# message -> field number -> message; names as in onnx.proto3
_FIELDS: dict[str, dict[int, str]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Function": {7: "Node", 11: "Attribute"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Node": {5: "Attribute"},
    "Attribute": {
        **{5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph"},
        **{22: "SparseTensor", 23: "SparseTensor"},
    },
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Tensor": {13: "Entry"},
    "Entry": {},
}
_FIXED = {1: 8, 5: 4}  # wire type -> bytes


def external_files(path: Path) -> list[str]:
    """The names of further files, sorted, as the graph gives them.

    Raises:
        SuspectError: the file is not a protocol buffer.
    """
    try:
        return sorted(set(_locations(memoryview(path.read_bytes()))))
    except (IndexError, ValueError) as error:
        raise SuspectError(f"{path} is not an ONNX file: check path") from error


def _locations(content: memoryview) -> Iterator[str]:
    waiting = [("Model", content)]
    while waiting:
        message, part = waiting.pop()
        texts: dict[int, str] = {}
        for number, value in _fields(part):
            if message == "Entry":
                texts[number] = bytes(value).decode()
            elif inner := _FIELDS[message].get(number):
                waiting.append((inner, value))
        if texts.get(1) == "location":
            yield texts.get(2, "")


def _fields(part: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Numbers and contents of the fields of variable length; the others are skipped."""
    at = 0
    while at < len(part):
        tag, at = _varint(part, at)
        wire = tag & 7
        if wire == 0:
            _, at = _varint(part, at)
            continue
        length = _FIXED.get(wire)
        if length is None:
            if wire != 2:
                raise ValueError("unknown wire type")
            length, at = _varint(part, at)
        if at + length > len(part):
            raise ValueError("a field ends after its message")
        if wire == 2:
            yield tag >> 3, part[at : at + length]
        at += length


def _varint(part: memoryview, at: int) -> tuple[int, int]:
    """A number of variable length and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        byte = part[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
    raise ValueError("a number is too long")

"""Open Inference Protocol, version 2: KServe, Triton, MLServer and others.

Source: kserve/open-inference-protocol, specification/protocol/inference_rest.md; the binary form is
Triton's extension "binary tensor data".
"""

import math
import struct
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import numpy as np

from datadeed.owner.suspects.config import Config
from datadeed.owner.suspects.protocols.base import JSON_HEADERS, dump, entry, parse
from datadeed.owner.suspects.scores import Unreadable
from datadeed.owner.suspects.transport import Request

_LENGTH = "Inference-Header-Content-Length"
_DTYPES = {"FP16": "<f2", "FP32": "<f4", "FP64": "<f8", "UINT8": "u1", "INT8": "i1"} | {
    f"{sign}INT{8 * size}": f"<{code}{size}"
    for sign, code in (("", "i"), ("U", "u"))
    for size in (2, 4, 8)
}


def endpoint(config: Config) -> str:
    """Where the requests go."""
    version = f"/versions/{quote(config.version, safe='')}" if config.version else ""
    return f"{config.url}/v2/models/{quote(config.model or '', safe='')}{version}/infer"


def encode(config: Config, image: np.ndarray) -> Request:
    """A request for one image; flat row-major data, which every server accepts."""
    return Request(endpoint(config), dump(_body(config, image, data=image.ravel())), JSON_HEADERS)


def encode_binary(config: Config, image: np.ndarray) -> Request:
    """The same with the tensor as little-endian bytes after the JSON."""
    raw = image.astype(image.dtype.newbyteorder("<")).tobytes()
    head = dump(_body(config, image, parameters={"binary_data_size": len(raw)}))
    headers = {"Content-Type": "application/octet-stream", _LENGTH: str(len(head))}
    return Request(endpoint(config), head + raw, headers)


def _body(config: Config, image: np.ndarray, **payload: Any) -> dict[str, Any]:
    name = config.input.tensor if config.input else None
    datatype = image.dtype.name.upper().replace("FLOAT", "FP")
    body: dict[str, Any] = {
        "inputs": [{"name": name, "shape": [1, *image.shape], "datatype": datatype, **payload}]
    }
    binary = {"parameters": {"binary_data": True}} if "parameters" in payload else {}
    if config.output.tensor:
        body["outputs"] = [{"name": config.output.tensor, **binary}]
    elif binary:
        body["parameters"] = {"binary_data_output": True}
    return body


def decode(config: Config, content: bytes, headers: Mapping[str, str]) -> Any:
    """The values of the declared output.

    Raises:
        Unreadable: there is no such output, or its data do not have its shape.
    """
    length = headers.get(_LENGTH.lower())
    if length is None:
        outputs, raw = _outputs(parse(content)), b""
    else:
        if not (length.isascii() and length.isdigit() and int(length[:20]) <= len(content)):
            raise Unreadable("the length of the answer's JSON is not one")
        outputs, raw = _outputs(parse(content[: int(length)])), content[int(length) :]
    chosen = _choose(outputs, config.output.tensor)
    size = _binary_size(chosen)
    if size is None:
        values = _flat(entry(chosen, "data"))
    else:
        start = sum(_binary_size(output) or 0 for output in outputs[: outputs.index(chosen)])
        values = _from_bytes(raw[start : start + size], size, chosen.get("datatype"))
    if (shape := _shape(chosen)) is None or math.prod(shape) != len(values):
        raise Unreadable(f"the output has {len(values)} values, which is not what its shape says")
    return values


def _shape(output: dict[str, Any]) -> list[int] | None:
    shape = output.get("shape")
    sound = isinstance(shape, list) and len(shape) <= 8 and all(type(n) is int for n in shape)
    return shape if sound else None


def _outputs(answer: Any) -> list[dict[str, Any]]:
    outputs = entry(answer, "outputs")
    if not isinstance(outputs, list) or not all(isinstance(output, dict) for output in outputs):
        raise Unreadable("the answer's outputs are not a list of tensors")
    return outputs


def _choose(outputs: list[dict[str, Any]], name: str | None) -> dict[str, Any]:
    found = [output for output in outputs if name is None or output.get("name") == name]
    if len(found) != 1:
        names = ", ".join(str(output.get("name"))[:40] for output in outputs[:5]) or "none"
        raise Unreadable(f"the outputs are {names}: name one in output.tensor")
    return found[0]


def _flat(data: Any) -> list[Any]:
    """Data, nested or not, as one list."""
    for _ in range(4):
        if not isinstance(data, list):
            raise Unreadable("the output's data are not a list")
        if not data or not isinstance(data[0], list):
            return data
        data = data[0] if len(data) == 1 else [x for part in data for x in _listed(part)]
    raise Unreadable("the output's data are nested too deeply")


def _listed(part: Any) -> list[Any]:
    if not isinstance(part, list):
        raise Unreadable("the output's data mix lists and values")
    return part


def _binary_size(output: dict[str, Any]) -> int | None:
    parameters = output.get("parameters")
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    if size is None:
        return None
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise Unreadable("an output's binary_data_size is not a length")
    return size


def _from_bytes(raw: bytes, size: int, datatype: Any) -> list[Any]:
    if len(raw) != size:
        raise Unreadable(f"the output has {len(raw)} of {size} bytes")
    if datatype == "BYTES":
        return _strings(raw)
    dtype = np.dtype(_DTYPES.get(str(datatype), "V0"))
    if dtype.itemsize == 0 or size % dtype.itemsize:
        raise Unreadable(f"the output's bytes are not of type {str(datatype)[:20]!r}")
    values: list[Any] = np.frombuffer(raw, dtype).tolist()
    return values


def _strings(raw: bytes) -> list[str]:
    """Each string after its length as uint32."""
    found, at = [], 0
    while at < len(raw):
        (length,) = struct.unpack("<I", raw[at : at + 4].ljust(4, b"\xff"))
        at += 4 + length
        if at > len(raw):
            raise Unreadable("a string of the output ends too early")
        found.append(raw[at - length : at].decode(errors="replace"))
    return found

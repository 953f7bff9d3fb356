"""How each kind of server is asked and read: three functions a protocol."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from datadeed.owner.suspects.config import Config
from datadeed.owner.suspects.protocols import huggingface, mlflow, template, v1, v2
from datadeed.owner.suspects.transport import Request


@dataclass(frozen=True)
class Wire:
    """One protocol.

    Attributes:
        endpoint: the address that is asked.
        encode: the request for one image, in the form that ``input.encoding`` names.
        decode: what :func:`datadeed.owner.suspects.scores.read_answer` reads, from a body and its
            headers; raises ``Unreadable``.
    """

    endpoint: Callable[[Config], str]
    encode: Callable[[Config, Any], Request]
    decode: Callable[[Config, bytes, Mapping[str, str]], Any]


PROTOCOLS = {
    "v2": Wire(v2.endpoint, v2.encode, v2.decode),
    "v2-binary": Wire(v2.endpoint, v2.encode_binary, v2.decode),
    "v1": Wire(v1.endpoint, v1.encode, v1.decode),
    "mlflow": Wire(mlflow.endpoint, mlflow.encode, mlflow.decode),
    "huggingface": Wire(huggingface.endpoint, huggingface.encode, huggingface.decode),
    "json": Wire(template.endpoint, template.encode, template.decode),
}

__all__ = ["PROTOCOLS", "Wire"]

"""Any other JSON interface: the request is a template, the answer is found by a path.

LitServe, BentoML, TorchServe, Ray Serve and home-made servers are asked this way.
"""

import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import numpy as np

from datadeed.owner.suspects.config import Config
from datadeed.owner.suspects.protocols.base import JSON_HEADERS, dump, parse
from datadeed.owner.suspects.scores import Unreadable
from datadeed.owner.suspects.transport import Request


def endpoint(config: Config) -> str:
    """Where the requests go."""
    return config.url


def encode(config: Config, sample: np.ndarray | bytes | str) -> Request:
    """A request for one sample; a file as bytes is the whole body, or a field of a form."""
    if isinstance(sample, bytes) and config.input and config.input.encoding == "multipart":
        return _form(config, sample)
    if isinstance(sample, bytes):
        return Request(
            endpoint(config), sample, {**JSON_HEADERS, "Content-Type": config.media_type}
        )
    body = _filled(config.request, config.placeholder, sample)
    return Request(endpoint(config), dump(body), JSON_HEADERS)


def _form(config: Config, file: bytes) -> Request:
    """A form of fields, one of them the file. Source: RFC 7578."""
    kind = config.media_type
    boundary = f"datadeed-{hashlib.sha256(file).hexdigest()}"  # in no file by chance
    parts = []
    for name, value in (config.request or {"file": config.placeholder}).items():
        shown = quote(name, safe=" !#$&'()*+,-./:;<=>?@[]^_`{|}~")
        head, content = f'name="{shown}"', b""
        if value == config.placeholder:
            head += f'; filename="question.{kind.partition("/")[2]}"\r\nContent-Type: {kind}'
            content = file
        else:
            content = value.encode() if isinstance(value, str) else dump(value)
        parts += [f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode()]
        parts += [content, b"\r\n"]
    body = b"".join([*parts, f"--{boundary}--\r\n".encode()])
    media = f"multipart/form-data; boundary={boundary}"
    return Request(endpoint(config), body, {**JSON_HEADERS, "Content-Type": media})


def _filled(template: Any, place: str, sample: np.ndarray | str) -> Any:
    """The template with the sample in its place; within a longer text no tensor can stand."""
    if isinstance(template, dict):
        return {key: _filled(value, place, sample) for key, value in template.items()}
    if isinstance(template, list):
        return [_filled(value, place, sample) for value in template]
    if template == place:
        return sample
    if isinstance(template, str) and isinstance(sample, str):
        return template.replace(place, sample)
    return template


def decode(config: Config, content: bytes, headers: Mapping[str, str]) -> Any:
    """What stands at ``output.path``.

    Raises:
        Unreadable: nothing does.
    """
    value = parse(content)
    for depth, step in enumerate(config.output.path):
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            path = ".".join(map(str, config.output.path[: depth + 1]))
            raise Unreadable(f"the answer has nothing at {path}: check output.path") from None
    return value

"""Any other JSON interface: the request is a template, the answer is found by a path.

LitServe, BentoML, TorchServe, Ray Serve and home-made servers are asked this way.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from datadeed.owner.suspects.config import Config
from datadeed.owner.suspects.protocols.base import JSON_HEADERS, dump, parse
from datadeed.owner.suspects.scores import Unreadable
from datadeed.owner.suspects.transport import Request


def endpoint(config: Config) -> str:
    """Where the requests go."""
    return config.url


def encode(config: Config, sample: np.ndarray | bytes | str) -> Request:
    """A request for one sample; a file as bytes is the whole body."""
    if isinstance(sample, bytes):
        return Request(
            endpoint(config), sample, {**JSON_HEADERS, "Content-Type": config.media_type}
        )
    body = _filled(config.request, config.placeholder, sample)
    return Request(endpoint(config), dump(body), JSON_HEADERS)


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

"""Hugging Face's image classification task: inference endpoints and pipelines behind a server.

Source: the task's specification in @huggingface/tasks. The answer is a list of labels with scores,
by default the five best.
"""

from collections.abc import Mapping
from typing import Any

from datadeed.owner.suspects.config import Config
from datadeed.owner.suspects.protocols.base import JSON_HEADERS, dump, entry, parse
from datadeed.owner.suspects.transport import Request


def endpoint(config: Config) -> str:
    """Where the requests go."""
    return config.url


def encode(config: Config, image: bytes | str) -> Request:
    """A request for one image: the file itself, or its base64 with parameters."""
    if isinstance(image, bytes):
        return Request(endpoint(config), image, {**JSON_HEADERS, "Content-Type": "image/png"})
    parameters = {"parameters": config.parameters} if config.parameters else {}
    return Request(endpoint(config), dump({"inputs": image, **parameters}), JSON_HEADERS)


def decode(config: Config, content: bytes, headers: Mapping[str, str]) -> Any:
    """The list of labels with scores, as it is."""
    answer = parse(content)
    if isinstance(answer, dict) and "label" not in answer:
        return entry(answer, "predictions")  # or the server's own error
    return answer

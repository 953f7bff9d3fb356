"""Hugging Face's classification of images, texts and sound: endpoints, pipelines behind a server.

Source: the tasks' specifications in @huggingface/tasks. The answer is a list of labels with scores,
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


def encode(config: Config, sample: bytes | str) -> Request:
    """A request for one sample: the file itself, or its base64, or a text, with parameters."""
    if isinstance(sample, bytes):
        return Request(
            endpoint(config), sample, {**JSON_HEADERS, "Content-Type": config.media_type}
        )
    parameters = {"parameters": config.parameters} if config.parameters else {}
    return Request(endpoint(config), dump({"inputs": sample, **parameters}), JSON_HEADERS)


def decode(config: Config, content: bytes, headers: Mapping[str, str]) -> Any:
    """The list of labels with scores, as it is."""
    answer = parse(content)
    if isinstance(answer, dict) and "label" not in answer:
        return entry(answer, "predictions")  # or the server's own error
    return answer

"""KServe's version 1 and TensorFlow Serving's REST interface.

Source: tensorflow.org, "RESTful API": row form (``instances``, ``predictions``) and column form
(``inputs``, ``outputs``).
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import numpy as np

from datadeed.owner.suspects.config import Config
from datadeed.owner.suspects.protocols.base import JSON_HEADERS, dump, entry, parse
from datadeed.owner.suspects.transport import Request


def endpoint(config: Config) -> str:
    """Where the requests go."""
    version = f"/versions/{quote(config.version, safe='')}" if config.version else ""
    return f"{config.url}/v1/models/{quote(config.model or '', safe='')}{version}:predict"


def encode(config: Config, image: np.ndarray | str) -> Request:
    """A request for one image; a PNG goes as ``{"b64": ...}``."""
    value: Any = {"b64": image} if isinstance(image, str) else image
    name = config.input.tensor if config.input else None
    if config.form == "instances":
        batch: Any = [value if name is None else {name: value}]
    else:
        batch = [value] if name is None else {name: [value]}
    return Request(endpoint(config), dump({config.form: batch}), JSON_HEADERS)


def decode(config: Config, content: bytes, headers: Mapping[str, str]) -> Any:
    """What stands under ``predictions`` or ``outputs``."""
    return entry(parse(content), "predictions", "outputs")

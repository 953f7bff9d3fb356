"""MLflow's scoring server, for models with a tensor signature. Source: mlflow.org, "scoring"."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from datadeed.owner.suspects.config import Config
from datadeed.owner.suspects.protocols.base import JSON_HEADERS, dump, entry, parse
from datadeed.owner.suspects.transport import Request


def endpoint(config: Config) -> str:
    """Where the requests go."""
    return f"{config.url}/invocations"


def encode(config: Config, image: np.ndarray | str) -> Request:
    """A request for one image."""
    return Request(endpoint(config), dump({config.form: [image]}), JSON_HEADERS)


def decode(config: Config, content: bytes, headers: Mapping[str, str]) -> Any:
    """What stands under ``predictions``."""
    return entry(parse(content), "predictions")

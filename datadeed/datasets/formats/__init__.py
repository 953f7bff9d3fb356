"""Formats people publish labelled data in: read, streamed and written under one interface.

``formats.read(path)`` reads any of them; see :mod:`datadeed.datasets.formats.registry`.
"""

import pkgutil
from typing import Any


def __getattr__(name: str) -> Any:
    if name == "read":  # so that who wants one format does not load the registry
        return pkgutil.resolve_name(f"{__name__}.registry:read")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Opening a suspect: a local model, an ONNX file, a server, a recorded log."""

from pathlib import Path
from typing import Any

from datadeed.owner.suspects.base import Suspect
from datadeed.owner.suspects.config import read_config


def open_suspect(source: str | Path | dict[str, Any], *, classes: tuple[str, ...]) -> Suspect:
    """Open the suspect that a configuration describes; docs/suspects.md shows one of each kind.

    Args:
        source: a YAML file; a folder that :func:`datadeed.models.stored.save_model` wrote; or the
            configuration as a mapping.
        classes: the key's class names.

    Raises:
        SuspectError, ModelError: one line that says what is wrong with it.
    """
    if not isinstance(source, dict) and Path(source).is_dir():
        source = {"name": Path(source).name, "protocol": "local", "path": str(source)}
    config = read_config(source, classes)
    # Each kind is loaded when it is needed: httpx and onnxruntime take their time.
    if config.protocol == "local":
        from datadeed.owner.suspects.local import LocalSuspect

        return LocalSuspect(config)
    if config.protocol == "onnx":
        from datadeed.owner.suspects.onnx import OnnxSuspect

        return OnnxSuspect(config)
    if config.protocol == "log":
        from datadeed.owner.suspects.log import LogSuspect

        return LogSuspect(config)
    from datadeed.owner.suspects.remote import RemoteSuspect

    return RemoteSuspect(config)

"""Whatever answers queries: a local model, an ONNX file, a server, a recorded log."""

from pathlib import Path
from typing import Any

from datadeed.suspects.base import Answer, BudgetSpent, Suspect, SuspectError, question_digest
from datadeed.suspects.cached import Cached
from datadeed.suspects.config import read_config
from datadeed.suspects.probe import Probe, probe


def open_suspect(source: str | Path | dict[str, Any], *, classes: tuple[str, ...]) -> Suspect:
    """Open the suspect that a configuration describes; docs/suspects.md shows one of each kind.

    Args:
        source: a YAML file; a folder that :func:`datadeed.models.save_model` wrote; or the
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
        from datadeed.suspects.local import LocalSuspect

        return LocalSuspect(config)
    if config.protocol == "onnx":
        from datadeed.suspects.onnx import OnnxSuspect

        return OnnxSuspect(config)
    if config.protocol == "log":
        from datadeed.suspects.log import LogSuspect

        return LogSuspect(config)
    from datadeed.suspects.remote import RemoteSuspect

    return RemoteSuspect(config)


__all__ = [
    "Answer",
    "BudgetSpent",
    "Cached",
    "Probe",
    "Suspect",
    "SuspectError",
    "open_suspect",
    "probe",
    "question_digest",
]

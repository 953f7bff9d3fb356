"""Watermark a dataset before release; prove later, by queries, whether a model was trained on it.

The names a notebook needs, each loaded when first used (a stage that only fetches data should not
wait for scipy). Everything else is in the submodules.
"""

import importlib
from typing import Any

_HOME = {
    "Answers": "datadeed.verification.answers",
    "BadNets": "datadeed.watermarks",
    "Blended": "datadeed.watermarks",
    "Classifier": "datadeed.models",
    "CleanLabelAudio": "datadeed.watermarks",
    "CleanLabelImages": "datadeed.watermarks",
    "CleanLabelText": "datadeed.watermarks",
    "Clips": "datadeed.datasets",
    "DatadeedError": "datadeed.errors",
    "Dataset": "datadeed.datasets",
    "Design": "datadeed.keys",
    "DvbwSettings": "datadeed.verification.dvbw",
    "Key": "datadeed.keys",
    "Keyed": "datadeed.watermarks",
    "LabelConsistent": "datadeed.watermarks",
    "Proof": "datadeed.verification.proof",
    "SleeperAgent": "datadeed.watermarks",
    "Surrogate": "datadeed.watermarks",
    "TextTools": "datadeed.watermarks",
    "Texts": "datadeed.datasets",
    "TrainingConfig": "datadeed.training",
    "UBWC": "datadeed.watermarks",
    "UBWP": "datadeed.watermarks",
    "UbwSettings": "datadeed.verification.ubw",
    "WaNet": "datadeed.watermarks",
    "Watermark": "datadeed.watermarks",
    "accuracy": "datadeed.training",
    "ask": "datadeed.verification.answers",
    "build_model": "datadeed.models",
    "choose_device": "datadeed.devices",
    "export": "datadeed.datasets.formats",
    "generator": "datadeed.randomness",
    "load": "datadeed.datasets.formats",
    "load_model": "datadeed.models",
    "mark_dataset": "datadeed.watermarks",
    "open_suspect": "datadeed.suspects",
    "plan": "datadeed.planning",
    "read_dataset": "datadeed.datasets",
    "save_model": "datadeed.models",
    "train": "datadeed.training",
    "verify_dvbw": "datadeed.verification.dvbw",
    "verify_ubw": "datadeed.verification.ubw",
    "write_dataset": "datadeed.datasets",
}
_CALLED = {
    "DvbwSettings": "Settings",
    "UbwSettings": "Settings",
    "build_model": "build",
    "export": "write",
    "load": "read",
}

__all__ = sorted(_HOME)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'datadeed' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), _CALLED.get(name, name))


def __dir__() -> list[str]:
    return __all__

"""Watermark a dataset before release; prove later, by queries, whether a model was trained on it.

The names a notebook needs, each loaded when first used (a stage that only fetches data should not
wait for scipy). Everything else is in the submodules.
"""

import pkgutil
from importlib import metadata
from typing import Any

_HOME = {
    "Answers": "verification.answers:Answers",
    "BadNets": "watermarks.badnets:BadNets",
    "Blended": "watermarks.blended:Blended",
    "Classifier": "models.classifier:Classifier",
    "CleanLabelAudio": "watermarks.clean_label_audio:CleanLabelAudio",
    "CleanLabelImages": "watermarks.clean_label_images:CleanLabelImages",
    "CleanLabelText": "watermarks.clean_label_text:CleanLabelText",
    "Clips": "datasets.form.clips:Clips",
    "DatadeedError": "errors:DatadeedError",
    "Dataset": "datasets.form.dataset:Dataset",
    "Design": "keys.generation2:Design2",
    "DvbwSettings": "verification.dvbw:Settings",
    "FunctionSuspect": "owner.suspects.function:FunctionSuspect",
    "Key": "keys.generation2:Key2",
    "Keyed": "watermarks.keyed2:Keyed2",
    "LabelConsistent": "watermarks.label_consistent:LabelConsistent",
    "Proof": "verification.proof:Proof",
    "SleeperAgent": "watermarks.sleeper_agent:SleeperAgent",
    "Surrogate": "watermarks.crafted:Surrogate",
    "TextTools": "watermarks.clean_label_text:TextTools",
    "Texts": "datasets.form.texts:Texts",
    "TrainingConfig": "models.training.config:TrainingConfig",
    "UBWC": "watermarks.ubw_c:UBWC",
    "UBWP": "watermarks.ubw_p:UBWP",
    "UbwSettings": "verification.ubw:Settings",
    "WaNet": "watermarks.wanet:WaNet",
    "Watermark": "watermarks.base:Watermark",
    "accuracy": "models.training.loop:accuracy",
    "ask": "verification.answers:ask",
    "build_model": "models.classifier:build",
    "check": "owner.check:check",
    "choose_device": "models.devices:choose_device",
    "commit": "owner.commit:commit",
    "defend": "owner.defend:defend",
    "export_questions": "owner.questions:export_questions",
    "generator": "randomness:generator",
    "hard_pool": "owner.hard_pool:hard_pool",
    "inspect": "owner.inspect:inspect",
    "leak": "owner.leak:leak",
    "load": "datasets.formats.registry:read",
    "load_model": "models.stored:load_model",
    "mark_dataset": "watermarks.marking:mark_dataset",
    "open_suspect": "owner.suspects.opening:open_suspect",
    "plan": "owner.plan:plan",
    "protect": "owner.protect:protect",
    "protect_published": "owner.protect_published:protect_published",
    "read_dataset": "datasets.form.parquet:read_dataset",
    "repair": "thieves.repair.choice:repair",
    "report": "owner.report:report",
    "reveal": "owner.reveal:reveal",
    "save_model": "models.stored:save_model",
    "train": "models.training.loop:train",
    "verify": "owner.verify:verify",
    "verify_dvbw": "verification.dvbw:verify_dvbw",
    "verify_ubw": "verification.ubw:verify_ubw",
    "watch": "owner.watch:watch",
    "write_dataset": "datasets.form.parquet:write_dataset",
}

__all__ = sorted(_HOME)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name not in _HOME:
        raise AttributeError(f"module 'datadeed' has no attribute {name!r}")
    return pkgutil.resolve_name(f"datadeed.{_HOME[name]}")


def __dir__() -> list[str]:
    return __all__


def _version() -> str:
    """The installed version; that of a folder which was not installed is not known."""
    try:
        return metadata.version("datadeed")
    except metadata.PackageNotFoundError:
        return "unknown"

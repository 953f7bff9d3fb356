"""The watermarks by name. Naming one imports that method alone."""

import pkgutil
from typing import TYPE_CHECKING, Any

from datadeed.errors import WatermarkError

if TYPE_CHECKING:
    from datadeed.watermarks.base import Watermark

WATERMARKS = {
    "badnets": "datadeed.watermarks.badnets:BadNets",
    "blended": "datadeed.watermarks.blended:Blended",
    "keyed": "datadeed.watermarks.keyed:Keyed",
    "ubw-p": "datadeed.watermarks.ubw_p:UBWP",
    "wanet": "datadeed.watermarks.wanet:WaNet",
    "label-consistent": "datadeed.watermarks.label_consistent:LabelConsistent",
    "sleeper-agent": "datadeed.watermarks.sleeper_agent:SleeperAgent",
    "ubw-c": "datadeed.watermarks.ubw_c:UBWC",
    "clean-label-images": "datadeed.watermarks.clean_label_images:CleanLabelImages",
    "clean-label-audio": "datadeed.watermarks.clean_label_audio:CleanLabelAudio",
    "clean-label-text": "datadeed.watermarks.clean_label_text:CleanLabelText",
}


def watermark_class(method: str) -> "type[Watermark]":
    """The class of a method.

    Raises:
        WatermarkError: ``method`` is no key of :data:`WATERMARKS`.
    """
    if method not in WATERMARKS:
        raise WatermarkError(f"unknown watermark {method!r}: choose {', '.join(WATERMARKS)}")
    kind: type[Watermark] = pkgutil.resolve_name(WATERMARKS[method])
    return kind


def build_watermark(method: str, **values: Any) -> "Watermark":
    """The watermark named ``method`` (a key of :data:`WATERMARKS`) with these parameters.

    Raises:
        WatermarkError: the method is unknown, or a parameter is missing or superfluous.
    """
    return watermark_class(method).build(**values)


def watermark_from_record(record: dict[str, Any]) -> "Watermark":
    """Build a watermark again from what :meth:`Watermark.record` gave.

    Raises:
        WatermarkError: the record is incomplete, or gives another trigger than it says.
    """
    values = {key: record[key] for key in record if key not in ("method", "trigger")}
    watermark = build_watermark(record.get("method", ""), **values)
    if watermark.record() != record:
        raise WatermarkError(
            "the record's trigger is not the one its parameters give: the record was altered, or "
            "made by another version"
        )
    return watermark

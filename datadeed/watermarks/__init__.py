"""Dataset watermarks, one class a method, all with the interface of :class:`Watermark`."""

from typing import Any

from datadeed.errors import WatermarkError
from datadeed.watermarks.base import Watermark
from datadeed.watermarks.clean_label import CleanLabel, CleanLabelImages
from datadeed.watermarks.clean_label_audio import CleanLabelAudio
from datadeed.watermarks.clean_label_text import CleanLabelText, TextTools
from datadeed.watermarks.crafted import Crafted, Surrogate
from datadeed.watermarks.keyed import Keyed
from datadeed.watermarks.label_consistent import LabelConsistent
from datadeed.watermarks.marking import mark_dataset, mark_file
from datadeed.watermarks.patch import BadNets, Blended
from datadeed.watermarks.sleeper_agent import SleeperAgent
from datadeed.watermarks.ubw_c import UBWC
from datadeed.watermarks.ubw_p import UBWP
from datadeed.watermarks.wanet import WaNet

WATERMARKS: dict[str, type[Watermark]] = {
    kind.name: kind
    for kind in (
        BadNets,
        Blended,
        Keyed,
        UBWP,
        WaNet,
        LabelConsistent,
        SleeperAgent,
        UBWC,
        CleanLabelImages,
        CleanLabelAudio,
        CleanLabelText,
    )
}


def build_watermark(method: str, **values: Any) -> Watermark:
    """The watermark named ``method`` (a key of :data:`WATERMARKS`) with these parameters.

    Raises:
        WatermarkError: the method is unknown, or a parameter is missing or superfluous.
    """
    if method not in WATERMARKS:
        raise WatermarkError(f"unknown watermark {method!r}: choose {', '.join(WATERMARKS)}")
    try:
        return WATERMARKS[method](**values)
    except TypeError as error:
        raise WatermarkError(f"{method}: {str(error).split('() ')[-1]}") from error


def watermark_from_record(record: dict[str, Any]) -> Watermark:
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


__all__ = [
    "UBWC",
    "UBWP",
    "WATERMARKS",
    "BadNets",
    "Blended",
    "CleanLabel",
    "CleanLabelAudio",
    "CleanLabelImages",
    "CleanLabelText",
    "Crafted",
    "Keyed",
    "LabelConsistent",
    "SleeperAgent",
    "Surrogate",
    "TextTools",
    "WaNet",
    "Watermark",
    "build_watermark",
    "mark_dataset",
    "mark_file",
    "watermark_from_record",
]

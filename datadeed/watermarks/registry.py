"""The watermarks by name. Naming one imports that method alone."""

import pkgutil
from typing import TYPE_CHECKING, Any

from datadeed.errors import WatermarkError
from datadeed.watermarks.names import WATERMARKS

if TYPE_CHECKING:
    from datadeed.watermarks.base import Watermark


def watermark_class(method: str) -> "type[Watermark]":
    """The class of a method.

    Raises:
        WatermarkError: ``method`` is no key of the table, or the class there bears another name.
    """
    if method not in WATERMARKS:
        raise WatermarkError(f"unknown watermark {method!r}: choose {', '.join(WATERMARKS)}")
    kind: type[Watermark] = pkgutil.resolve_name(WATERMARKS[method])
    if kind.name != method:
        raise WatermarkError(f"watermarks/names.py gives {method!r} the class of {kind.name!r}")
    return kind


def build_watermark(method: str, **values: Any) -> "Watermark":
    """The watermark named ``method`` in :mod:`datadeed.watermarks.names`, with these parameters.

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

"""What may stand in a record of the evidence: numbers, times, digests and text, each checked."""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from datadeed.errors import EvidenceError

TEXT_LENGTH = 500
Checks = Mapping[str, Callable[[Any], bool]]
_HEX = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")


def check_fields(values: Mapping[str, Any], checks: Checks) -> None:
    """Check a record's values by their names.

    Raises:
        EvidenceError: a field is missing, unknown or not of its type.
    """
    if set(values) != set(checks):
        odd = sorted(map(str, set(values) ^ set(checks)))
        raise EvidenceError(f"fields missing or unknown: {', '.join(odd)[:200]}")
    for name, check in checks.items():
        if not check(values[name]):
            raise EvidenceError(f"{name} cannot be {str(values[name])[:80]!r}")


def utc_text(moment: datetime) -> str:
    """``moment`` (with a time zone) as the evidence writes it: "2026-11-22T09:00:00.000Z"."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"


def check_anchor(anchor: str) -> str:
    """``anchor`` itself.

    Raises:
        EvidenceError: it is not 64 hexadecimal digits.
    """
    if not is_digest(anchor):
        raise EvidenceError("a log's anchor is 64 lower-case hexadecimal digits: give a SHA-256")
    return anchor


def short_line(text: str) -> str:
    """Printable and short: an error's words may come from the suspect."""
    return "".join(c if c.isprintable() else " " for c in text[:TEXT_LENGTH])


def is_time(value: Any) -> bool:
    """Whether it is a time as :func:`utc_text` writes it."""
    return type(value) is str and _TIME.fullmatch(value) is not None


def is_count(value: Any) -> bool:
    """Whether it is a whole number from 0 up that fits into 64 bits."""
    return type(value) is int and 0 <= value < 2**63


def is_count_or_none(value: Any) -> bool:
    """Whether it is a count, or None."""
    return value is None or is_count(value)


def is_float(value: Any) -> bool:
    """Whether it is a finite float."""
    return type(value) is float and math.isfinite(value)


def is_text(value: Any) -> bool:
    """Whether it is text as :func:`short_line` leaves it."""
    return type(value) is str and value == short_line(value)


def is_digest(value: Any) -> bool:
    """Whether it is a SHA-256 in lower-case hexadecimal."""
    return type(value) is str and _HEX.fullmatch(value) is not None


def is_list(value: Any, check: Callable[[Any], bool]) -> bool:
    """Whether it is a list, each entry of which passes a check."""
    return type(value) is list and all(map(check, value))

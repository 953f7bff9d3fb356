"""What the protocols share: JSON from a stranger, and reading it by a path."""

import json
from typing import Any

import numpy as np

from datadeed.owner.suspects.base import one_line
from datadeed.owner.suspects.scores import Unreadable

JSON_HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}


def dump(value: Any) -> bytes:
    """Compact JSON; NumPy arrays become nested lists."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False, default=np.ndarray.tolist)
    return text.encode()


def parse(content: bytes) -> Any:
    """Strict JSON.

    Raises:
        Unreadable: it is not JSON, holds NaN or Infinity, or is nested too deeply.
    """
    try:
        return json.loads(content, parse_constant=_refuse_constant)
    except RecursionError:
        raise Unreadable("the answer is nested too deeply") from None
    except ValueError as error:
        shown = one_line(content[:200].decode(errors="replace"), 60)
        fault = str(error) if isinstance(error, _Constant) else f"begins {shown!r}"
        raise Unreadable(f"the answer is not JSON: it {fault}") from None


class _Constant(ValueError):
    """A number that JSON does not have."""


def _refuse_constant(name: str) -> None:
    raise _Constant(f"holds {name}")


def entry(value: Any, *names: str) -> Any:
    """The first of ``names`` that a JSON object has.

    Raises:
        Unreadable: it is no object, or has none of them.
    """
    if isinstance(value, dict):
        for name in names:
            if name in value:
                return value[name]
        if isinstance(value.get("error"), str):
            raise Unreadable(f"the server reports: {value['error'][:200]}")
    raise Unreadable(f"the answer has no {' or '.join(map(repr, names))}")

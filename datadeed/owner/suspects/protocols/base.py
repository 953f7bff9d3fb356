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
        Unreadable: it is not JSON, holds NaN, Infinity or a name twice in one object, or is nested
            too deeply.
    """
    try:
        return json.loads(
            content, parse_constant=_refuse_constant, object_pairs_hook=_no_name_twice
        )
    except RecursionError:
        raise Unreadable("the answer is nested too deeply") from None
    except ValueError as error:
        shown = one_line(content[:200].decode(errors="replace"), 60)
        fault = str(error) if isinstance(error, _Odd) else f"begins {shown!r}"
        raise Unreadable(f"the answer is not JSON: it {fault}") from None


class _Odd(ValueError):
    """What Python reads and JSON does not have, or leaves open."""


def _refuse_constant(name: str) -> None:
    raise _Odd(f"holds {name}")


def _no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise _Odd("holds a name twice in one object")
    return value


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

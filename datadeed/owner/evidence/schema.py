"""``evidence.json``: its form is a published JSON Schema, checked at each reading and writing."""

import functools
import json
import math
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datadeed.errors import EvidenceError
from datadeed.files import atomic_path

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

LARGEST_FILE = 64 * 2**20


def read_evidence(path: str | Path) -> dict[str, Any]:
    """The evidence in ``path``, as the schema promises it.

    Raises:
        EvidenceError: the file is missing or too large, is not strict JSON (a repeated name and a
            NaN are refused), or naming the first field that is not as it must be.
    """
    value = parse_json(read_limited(path), path)
    check_evidence(value, path)
    return dict(value)


def write_evidence(path: str | Path, value: dict[str, Any]) -> None:
    """Check ``value`` and write it to ``path``, atomically and with mode 0600.

    Raises:
        EvidenceError: naming the first field that is not as it must be.
    """
    check_evidence(value, path)
    write_private_json(path, value)


def check_evidence(value: Any, where: str | Path) -> None:
    """Check ``value`` against the schema of its form, ``evidence-2.schema.json`` or the first.

    Raises:
        EvidenceError: one line with the first field that is not as it must be.
    """
    from jsonschema.exceptions import best_match

    first = isinstance(value, dict) and value.get("form") == "datadeed/evidence/1"
    schema = f"evidence-{1 if first else 2}.schema.json"
    try:
        error = best_match(_validator(schema).iter_errors(value))
    except RecursionError:
        raise EvidenceError(f"{where} is nested too deeply: ask for the original") from None
    if error is None:
        return
    field = error.json_path.removeprefix("$").lstrip(".") or "the whole"
    raise EvidenceError(
        f"{where}: {_short(field)}: {_short(error.message)}: "
        f"see {schema} and make the evidence again"
    )


def parse_json(data: bytes, where: str | Path) -> Any:
    """Strict JSON: no NaN, no number too large for a float, no name twice in one object.

    Raises:
        EvidenceError: ``data`` is anything else.
    """
    try:
        return json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_no_name_twice,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except (ValueError, RecursionError) as error:
        raise EvidenceError(
            f"{where} is not strict JSON ({_short(str(error))}): ask for the original"
        ) from error


def read_limited(path: str | Path, limit: int = LARGEST_FILE) -> bytes:
    """The bytes of ``path``, at most ``limit`` of them.

    Raises:
        EvidenceError: the file is missing, unreadable or larger.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise EvidenceError(
            f"{path} cannot be read ({error.strerror}): ask for the whole evidence folder"
        ) from error
    if len(data) > limit:
        raise EvidenceError(f"{path} is larger than {limit} bytes: ask for the original")
    return data


def write_private_json(path: str | Path, value: Any) -> None:
    """Write indented JSON, atomically and with mode 0600; NaN is refused."""
    text = json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n"
    with atomic_path(path) as temporary:
        temporary.chmod(0o600)
        temporary.write_text(text, encoding="utf-8")


@functools.cache
def _validator(schema: str) -> "Draft202012Validator":
    from jsonschema import Draft202012Validator

    text = resources.files("datadeed.owner.evidence").joinpath(schema).read_text()
    return Draft202012Validator(json.loads(text))


def _no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _short(text: str) -> str:
    """Printable, one line, 200 characters: the words may come from a hostile file."""
    text = "".join(c if c.isprintable() else " " for c in text)
    return text if len(text) <= 200 else f"{text[:197]}..."

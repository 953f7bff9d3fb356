"""The fields of evidence that nobody can derive: what the accuser states, one line each."""

import json
from collections.abc import Iterator
from typing import Any

from datadeed.owner.evidence.build import STATED_FIELDS, STATED_OF_RECORDS

SENTENCES = "verdict.not_tested"
WHOLE = ("suspect.groups", "suspect.declared", "premises")  # shown in one line each
# Sentences of the first generation are not derived again.
FIRST = ("key.grinding", "verdict.tested", SENTENCES)


def stated_fields(
    evidence: dict[str, Any], *, dated: bool, derived_sentences: int | None
) -> list[tuple[str, str]]:
    """Path and content of each stated leaf, then a path for each stated column of the log.

    Args:
        evidence: read from the folder.
        dated: whether a token was verified that gives the stated time and digest.
        derived_sentences: how many sentences on what was not tested follow from the rest; those
            after them are the accuser's own. None if that was not checked.
    """
    first = evidence["form"] == "datadeed/evidence/1"
    found = []
    for path, value in leaves(evidence):
        warning = (
            derived_sentences is not None
            and _under(path, (SENTENCES,))
            and int(path.rpartition(".")[2]) >= derived_sentences
        )
        named = _under(path, (*STATED_FIELDS, *FIRST) if first else STATED_FIELDS)
        shown = dated and path in ("key.timestamp.time", "key.timestamp.token_sha256")
        absent = path == "key.timestamp"  # a sentence says so, and that one is derived
        if (named or warning) and not shown and not absent:
            found.append((path, json.dumps(value, ensure_ascii=True)))
    rows = evidence["chain"]["rows"]
    return found + [
        (f"log.{column}", f"of each of {rows} records, as far as nothing else follows from it")
        for column in STATED_OF_RECORDS
    ]


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value in JSON that is no object or list, or an empty one, with its path."""
    if path in WHOLE:
        yield path, value
        return
    inner = (
        value.items()
        if isinstance(value, dict)
        else ((str(place), item) for place, item in enumerate(value))
        if isinstance(value, list)
        else ()
    )
    if not value or not isinstance(value, dict | list):
        yield path, value
    for name, item in inner:
        yield from leaves(item, f"{path}.{name}" if path else name)


def _under(path: str, names: tuple[str, ...]) -> bool:
    return any(path == name or path.startswith(f"{name}.") for name in names)

"""From what a suspect returns to class numbers and probabilities, or a reason why not."""

import re
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import Strict, TypeAdapter, ValidationError

from datadeed.owner.suspects.base import Answer, failure, one_line
from datadeed.owner.suspects.entries import Finite
from datadeed.owner.suspects.output import Output, position

SUM_TOLERANCE = 1e-2  # half-precision softmax over a thousand classes strays by less
_WRITTEN = re.compile(
    r"\s*(?P<number>[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?)\s*(?P<percent>%?)\s*",
    re.ASCII | re.IGNORECASE,
)
_NUMBERS = TypeAdapter(list[Annotated[Finite, Strict()]])


class Unreadable(Exception):
    """An answer that cannot be read; the message becomes ``Answer.error``."""


def read_answer(value: Any, output: Output) -> tuple[tuple[int, ...], tuple[float, ...] | None]:
    """Class numbers of the key, best first, and their probabilities.

    Args:
        value: parsed JSON or a NumPy array: for logits and probabilities a list of one number a
            class, perhaps inside lists of length one, or a mapping from names to numbers; for top-k
            a list of ``{"label", "score"}`` or a mapping; for labels a number or a name.
        output: what was declared.

    Returns:
        Labels and scores as in :class:`Answer`; no labels if the best class is not the key's.

    Raises:
        Unreadable: the value is not what was declared.
    """
    value = _unwrap(value.tolist() if isinstance(value, np.ndarray) else value)
    if output.kind == "labels":
        only = value[0] if isinstance(value, list) and len(value) == 1 else value
        ranked = [(_class(only, output), 0.0)]
    elif output.kind == "top-k":
        ranked = _top_k(_pairs(value, output), output)
    else:
        ranked = _vector(value, output)
    if output.to_key[ranked[0][0]] is None:
        return (), None if output.kind == "labels" else ()
    known = [(output.to_key[k], score) for k, score in ranked if output.to_key[k] is not None]
    labels = tuple(int(k) for k, _ in known if k is not None)
    scores = tuple(min(score, 1.0) for _, score in known)
    return labels, None if output.kind == "labels" else scores


def _unwrap(value: Any) -> Any:
    """Without the lists of length one that a batch of one image puts around an answer."""
    for _ in range(4):
        if not isinstance(value, list) or len(value) != 1 or isinstance(value[0], dict):
            return value
        value = value[0]
    raise Unreadable("the answer is nested more than four lists deep")


def _class(value: Any, output: Output) -> int:
    """The suspect's number of the class it names."""
    if isinstance(value, dict) and output.label_key in value:
        value = value[output.label_key]
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # an argmax may come as 3.0
    found = position(value, output.classes)
    if found is None:
        shown = repr(one_line(str(value), 40)) if isinstance(value, str | int) else "no label"
        raise Unreadable(f"answered {shown}, which is none of its {len(output.classes)} classes")
    return found


def _pairs(value: Any, output: Output) -> list[tuple[Any, Any]]:
    """Labels and scores of a mapping, of a list of records, or of a record of two lists."""
    label, score = output.label_key, output.score_key
    if isinstance(value, dict):
        if not value.keys() >= {label, score}:
            return _some([*value.items()])
        if isinstance(value[label], list) and isinstance(value[score], list):
            if len(value[label]) != len(value[score]):
                raise Unreadable(
                    f"the answer has {len(value[label])} labels and {len(value[score])} scores"
                )
            return _some([*zip(value[label], value[score], strict=True)])
        value = [value]
    if not all(isinstance(item, dict) and {label, score} <= item.keys() for item in _some(value)):
        raise Unreadable(f"an item of the answer lacks {label!r} or {score!r}")
    return [(item[label], item[score]) for item in value]


def _some(items: Any) -> list[Any]:
    if not isinstance(items, list) or not items:
        raise Unreadable("the answer is not a list of labels with scores")
    return items


def _top_k(pairs: list[tuple[Any, Any]], output: Output) -> list[tuple[int, float]]:
    """Pairs by falling score. A name that was never declared is an error only in first place."""
    scores = _probabilities([score for _, score in pairs], output)
    if scores.sum() > 1 + SUM_TOLERANCE:
        raise Unreadable(f"the scores sum to {scores.sum():.4g}, more than 1: ask for a softmax")
    order = np.argsort(-scores, kind="stable")
    ranked = [(_class(pairs[order[0]][0], output), float(scores[order[0]]))]
    for i in order[1:]:
        try:
            ranked.append((_class(pairs[i][0], output), float(scores[i])))
        except Unreadable:
            continue
    if len({k for k, _ in ranked}) < len(ranked):
        raise Unreadable("the answer holds a class twice")
    return ranked


def _vector(value: Any, output: Output) -> list[tuple[int, float]]:
    """All classes by falling probability; the lower number wins a tie."""
    if isinstance(value, dict | list) and value and _named(value):
        value = _in_order(_pairs(value, output), output)
    if not isinstance(value, list):
        raise Unreadable("the answer is not a list of numbers")
    if len(value) != len(output.classes):
        raise Unreadable(f"the answer has {len(value)} values for {len(output.classes)} classes")
    if output.kind == "logits":
        logits = _finite(value, output)
        with np.errstate(over="ignore", under="ignore"):
            weights = np.exp(logits - logits.max())
        scores = weights / weights.sum()
    else:
        scores = _probabilities(value, output)
        if abs(scores.sum() - 1) > SUM_TOLERANCE:
            raise Unreadable(f"the probabilities sum to {scores.sum():.4g}, not 1")
    order = np.argsort(-scores, kind="stable")
    return [(int(k), float(scores[k])) for k in order]


def _named(value: dict[str, Any] | list[Any]) -> bool:
    return isinstance(value, dict) or isinstance(value[0], dict)


def _in_order(pairs: Sequence[tuple[Any, Any]], output: Output) -> list[Any]:
    """The values of labelled pairs in the order of the suspect's classes."""
    values = {_class(label, output): score for label, score in pairs}
    if len(values) < len(pairs) or len(values) < len(output.classes):
        raise Unreadable(f"the answer names {len(values)} of {len(output.classes)} classes")
    return [values[k] for k in range(len(output.classes))]


def _finite(values: Sequence[Any], output: Output) -> np.ndarray:
    """Finite numbers as float64; true and false are none."""
    if output.score_text == "allow":
        values = [_number(value, output) for value in values]
    try:
        return np.array(_NUMBERS.validate_python(values), dtype=np.float64)
    except ValidationError as error:
        position = error.errors(include_url=False, include_input=False)[0]["loc"][0]
    raise Unreadable(f"value {position} of the answer is not a finite number")


def _number(value: Any, output: Output) -> Any:
    """A number that is written as text; anything else as it is."""
    found = _WRITTEN.fullmatch(value) if isinstance(value, str) and len(value) <= 40 else None
    if found is None or (found["percent"] and output.scale != 100):
        return value
    return float(found["number"])


def _probabilities(values: Sequence[Any], output: Output) -> np.ndarray:
    """Numbers from 0 to 1, give or take rounding."""
    scores = _finite(values, output) / output.scale
    if (scores < 0).any():
        raise Unreadable(f"value {int(scores.argmin())} of the answer is negative")
    if (scores > 1 + SUM_TOLERANCE).any():
        raise Unreadable(f"value {int(scores.argmax())} of the answer is above 1")
    return scores


def read_rows(rows: list[Any], output: Output, n: int | None = None) -> list[Answer]:
    """The answers of a local model to a batch, one a row.

    Args:
        rows: N of them, each as for :func:`read_answer`. Of a batch of one the axis may be missing.
        n: how many rows there must be, if they were not counted yet.
    """
    if n == 1 and len(rows) != 1:
        rows = [rows]
    if n is not None and len(rows) != n:
        return [failure(f"the model gave {len(rows)} answers for {n} images")] * n
    answers = []
    for row in rows:
        try:
            answers.append(Answer(*read_answer(row, output)))
        except Unreadable as error:
            answers.append(failure(str(error)))
    return answers

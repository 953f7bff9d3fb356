"""From what a suspect returns to class numbers and probabilities, or a reason why not."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from datadeed.owner.suspects.base import Answer, failure, one_line
from datadeed.owner.suspects.entries import Entries, is_number

KINDS = ("logits", "probabilities", "top-k", "labels")
SUM_TOLERANCE = 1e-2  # half-precision softmax over a thousand classes strays by less
_FILE_KINDS = {"local": ("probabilities",)}


class Unreadable(Exception):
    """An answer that cannot be read; the message becomes ``Answer.error``."""


@dataclass(frozen=True)
class Output:
    """What the suspect returns.

    Attributes:
        kind: ``logits``, ``probabilities``, ``top-k`` or ``labels``.
        classes: the suspect's class names, in its order.
        to_key: for each of them the key's class number, or None if the key has no such class.
        key_classes: the key's class names.
        path: where in the JSON the answer is; names and positions.
        tensor: the output's name, where the protocol has names.
    """

    kind: str
    classes: tuple[str, ...]
    to_key: tuple[int | None, ...]
    key_classes: tuple[str, ...]
    path: tuple[str | int, ...] = ()
    tensor: str | None = None

    @property
    def answer_kind(self) -> str:
        """What an :class:`Answer` then holds: ``probabilities``, ``top-k`` or ``labels``."""
        return "probabilities" if self.kind == "logits" else self.kind


def read_output(section: Entries, key_classes: tuple[str, ...], protocol: str) -> Output:
    """The ``output`` entry.

    Raises:
        SuspectError: an entry is wrong, or a class of the key has no counterpart.
    """
    kinds = _FILE_KINDS.get(protocol, KINDS)
    kind = section.choice("kind", kinds, *(kinds if len(kinds) == 1 else ()))
    names = section.any("classes", list(key_classes))
    if not isinstance(names, list) or not 2 <= len(names) <= 100_000:
        raise section.error("classes", "must list the suspect's class names, in its order")
    classes = tuple(str(name) for name in names)
    if len(set(classes)) < len(classes):
        raise section.error("classes", "holds a name twice")
    to_key = _to_key(section, classes, key_classes)
    missing = sorted(set(range(len(key_classes))) - set(to_key))
    if section.choice("missing", ("refuse", "allow"), "refuse") == "refuse" and missing:
        name = key_classes[missing[0]]
        near = difflib.get_close_matches(name, classes, 1, 0.0)[0]
        raise section.error(
            "classes",
            f"lacks the key's class {name!r} (nearest: {one_line(near, 40)!r}): name it in map, or "
            "set missing: allow",
        )
    path = _path(section) if protocol == "json" else ()
    named = protocol in ("v2", "v2-binary", "onnx")
    tensor = section.text("tensor", None) if named else None
    section.done()
    return Output(kind, classes, to_key, key_classes, path, tensor)


def _to_key(
    section: Entries, classes: tuple[str, ...], key_classes: tuple[str, ...]
) -> tuple[int | None, ...]:
    """By the map's word where it has one, else by name."""
    given = section.any("map", {})
    if not isinstance(given, dict):
        raise section.error("map", "must map the suspect's classes to the key's")
    numbers: list[int | None] = [
        key_classes.index(name) if name in key_classes else None for name in classes
    ]
    for theirs, ours in given.items():
        position = _position(theirs, classes)
        number = _position(ours, key_classes)
        if position is None or number is None:
            odd = theirs if position is None else ours
            raise section.error("map", f"names {one_line(str(odd), 40)!r}, which is no class")
        numbers[position] = number
    known = [number for number in numbers if number is not None]
    if len(set(known)) < len(known):
        raise section.error("map", "leads two classes of the suspect to one of the key")
    return tuple(numbers)


def _position(value: Any, names: tuple[str, ...]) -> int | None:
    """A class's number, given by number or by name."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 <= value < len(names) else None
    return names.index(value) if isinstance(value, str) and value in names else None


def _path(section: Entries) -> tuple[str | int, ...]:
    path = section.any("path", [])
    if isinstance(path, str):
        path = [int(step) if step.isdigit() else step for step in path.split(".")]
    if not isinstance(path, list) or not all(isinstance(step, str | int) for step in path):
        raise section.error("path", "must be names and positions, such as predictions.0")
    return tuple(path)


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
        ranked = [(_class(value, output), 0.0)]
    elif output.kind == "top-k":
        ranked = _top_k(_pairs(value), output)
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
    if isinstance(value, dict) and "label" in value:
        value = value["label"]
    if is_number(value) and float(value).is_integer():
        value = int(value)  # an argmax may come as 3.0
    position = _position(value, output.classes)
    if position is None:
        shown = repr(one_line(str(value), 40)) if isinstance(value, str | int) else "no label"
        raise Unreadable(f"answered {shown}, which is none of its {len(output.classes)} classes")
    return position


def _pairs(value: Any) -> list[tuple[Any, Any]]:
    """Labels and scores of a mapping or of a list of records."""
    if isinstance(value, dict):
        value = [value] if value.keys() >= {"label", "score"} else [*_records(value)]
    if not isinstance(value, list) or not value:
        raise Unreadable("the answer is not a list of labels with scores")
    if not all(isinstance(item, dict) and {"label", "score"} <= item.keys() for item in value):
        raise Unreadable("an item of the answer lacks 'label' or 'score'")
    return [(item["label"], item["score"]) for item in value]


def _records(value: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"label": label, "score": score} for label, score in value.items()]


def _top_k(pairs: list[tuple[Any, Any]], output: Output) -> list[tuple[int, float]]:
    """Pairs by falling score. A name that was never declared is an error only in first place."""
    scores = _probabilities([score for _, score in pairs])
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
        value = _in_order(_pairs(value), output)
    if not isinstance(value, list):
        raise Unreadable("the answer is not a list of numbers")
    if len(value) != len(output.classes):
        raise Unreadable(f"the answer has {len(value)} values for {len(output.classes)} classes")
    if output.kind == "logits":
        logits = _finite(value)
        with np.errstate(over="ignore", under="ignore"):
            weights = np.exp(logits - logits.max())
        scores = weights / weights.sum()
    else:
        scores = _probabilities(value)
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


def _finite(values: Sequence[Any]) -> np.ndarray:
    """Finite numbers as float64."""
    for position, value in enumerate(values):
        if not is_number(value):
            raise Unreadable(f"value {position} of the answer is not a finite number")
    return np.array(values, dtype=np.float64)


def _probabilities(values: Sequence[Any]) -> np.ndarray:
    """Numbers from 0 to 1, give or take rounding."""
    scores = _finite(values)
    if (scores < 0).any():
        raise Unreadable(f"value {int(scores.argmin())} of the answer is negative")
    if (scores > 1 + SUM_TOLERANCE).any():
        raise Unreadable(f"value {int(scores.argmax())} of the answer is above 1")
    return scores


def read_rows(values: np.ndarray, output: Output, n: int | None = None) -> list[Answer]:
    """The answers of a local model to a batch, one a row.

    Args:
        values: (N, K), or (N,) labels.
        n: how many rows there must be, if they were not counted yet.
    """
    if n is not None and values.shape[:1] != (n,):
        return [failure(f"the model gave {values.shape} for {n} images")] * n
    answers = []
    for row in values:
        try:
            answers.append(Answer(*read_answer(row, output)))
        except Unreadable as error:
            answers.append(failure(str(error)))
    return answers

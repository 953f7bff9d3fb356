"""From what a suspect returns to class numbers and probabilities, or a reason why not."""

import difflib
from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    Strict,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from datadeed.owner.suspects.base import Answer, failure, one_line
from datadeed.owner.suspects.entries import Entries, Finite, Text, fault, must

SUM_TOLERANCE = 1e-2  # half-precision softmax over a thousand classes strays by less
_NUMBERS = TypeAdapter(list[Annotated[Finite, Strict()]])


class Unreadable(Exception):
    """An answer that cannot be read; the message becomes ``Answer.error``."""


def _steps(path: Any) -> Any:
    """``a.0`` in its parts."""
    if isinstance(path, str):
        path = [int(step) if step.isdigit() else step for step in path.split(".")]
    return tuple(path) if isinstance(path, list) else path


def _distinct(names: list[Any]) -> list[str]:
    if len(set(map(str, names))) < len(names):
        raise fault("holds a name twice")
    return [str(name) for name in names]


def _position(value: Any, names: Sequence[str]) -> int | None:
    """A class's number, given by number or by name."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 <= value < len(names) else None
    return names.index(value) if isinstance(value, str) and value in names else None


class Output(Entries):
    """What the suspect returns.

    Attributes:
        kind: ``logits``, ``probabilities``, ``top-k`` or ``labels``.
        classes: the suspect's class names, in its order; by default the key's.
        map: the suspect's classes, by number or name, to the key's; one that merges several of
            the key's classes, to a list of them.
        missing: ``allow`` if the suspect may lack some of the key's classes.
        path: where in the JSON the answer is; names and positions.
        tensor: the output's name, where the protocol has names.
    """

    kind: Literal["logits", "probabilities", "top-k", "labels"]
    classes: Annotated[
        list[Any],
        Field(min_length=2, max_length=100_000),
        must("list the suspect's class names, in its order"),
        AfterValidator(_distinct),
    ]
    map: Annotated[dict[Any, Any], must("map the suspect's classes to the key's")] = Field({})
    missing: Literal["refuse", "allow"] = "refuse"
    path: Annotated[
        tuple[str | int, ...],
        BeforeValidator(_steps),
        must("be names and positions, such as predictions.0"),
    ] = ()
    tensor: Text | None = None
    _key_classes: tuple[str, ...] = PrivateAttr()

    @property
    def key_classes(self) -> tuple[str, ...]:
        """The key's class names."""
        return self._key_classes

    @property
    def answer_kind(self) -> str:
        """What an :class:`Answer` then holds: ``probabilities``, ``top-k`` or ``labels``."""
        return "probabilities" if self.kind == "logits" else self.kind

    @cached_property
    def members(self) -> tuple[tuple[int, ...], ...]:
        """For each class the key's numbers of what it stands for; none if the key has no such."""
        keys = {name: number for number, name in enumerate(self.key_classes)}
        members: list[tuple[int, ...]] = [
            (keys[name],) if name in keys else () for name in self.classes
        ]
        for theirs, ours in self.map.items():  # the map's word goes before the name's
            position = _position(theirs, self.classes)
            named = ours if isinstance(ours, list) else [ours]
            numbers = [_position(name, self.key_classes) for name in named]
            if position is None or None in numbers or not named:
                word = theirs if position is None else ours
                raise fault(f": map names {one_line(str(word), 40)!r}, which is no class")
            members[position] = tuple(sorted(number for number in numbers if number is not None))
        known = [number for group in members for number in group]
        if len(set(known)) < len(known):
            raise fault(": map leads two classes of the suspect to one of the key")
        return tuple(members)

    @cached_property
    def to_key(self) -> tuple[int | None, ...]:
        """For each class the first of the key's that it stands for, or None."""
        return tuple(group[0] if group else None for group in self.members)

    @cached_property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """The key's classes that each label in an :class:`Answer` stands for."""
        return tuple(group for group in self.members if group)

    @model_validator(mode="after")
    def _complete(self, info: ValidationInfo) -> Self:
        self._key_classes = (info.context or {})["classes"]
        known = {number for group in self.members for number in group}
        missing = sorted(set(range(len(self.key_classes))) - known)
        if self.missing == "refuse" and missing:
            name = self.key_classes[missing[0]]
            near = difflib.get_close_matches(name, self.classes, 1, 0.0)[0]
            raise fault(
                f": classes lacks the key's class {name!r} (nearest: {one_line(near, 40)!r}): "
                "name it in map, or set missing: allow"
            )
        return self


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
    if isinstance(value, float) and value.is_integer():
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
    """Finite numbers as float64; true and false are none."""
    try:
        return np.array(_NUMBERS.validate_python(values), dtype=np.float64)
    except ValidationError as error:
        position = error.errors(include_url=False, include_input=False)[0]["loc"][0]
    raise Unreadable(f"value {position} of the answer is not a finite number")


def _probabilities(values: Sequence[Any]) -> np.ndarray:
    """Numbers from 0 to 1, give or take rounding."""
    scores = _finite(values)
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

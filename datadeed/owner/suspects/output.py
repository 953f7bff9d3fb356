"""What a suspect gives, as its configuration declares it."""

import difflib
from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    ValidationInfo,
    model_validator,
)

from datadeed.owner.suspects.base import one_line
from datadeed.owner.suspects.entries import UNKNOWN, Entries, Positive, Text, fault, must


def _steps(path: Any) -> Any:
    """``a.0`` in its parts."""
    if isinstance(path, str):
        path = [int(step) if step.isdigit() else step for step in path.split(".")]
    return tuple(path) if isinstance(path, list) else path


def _distinct(names: list[Any]) -> list[str]:
    if len(set(map(str, names))) < len(names):
        raise fault("holds a name twice")
    return [str(name) for name in names]


def position(value: Any, names: Sequence[str]) -> int | None:
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
        label_key, score_key: what an answer calls a class and its score. An item has both; or two
            lists are parallel.
        scale: what a score of certainty is; 100 for percent.
        score_text: ``allow`` scores that come as text, such as "0.93", or "93 %" of 100.
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
    label_key: Text = "label"
    score_key: Text = "score"
    scale: Positive = 1.0
    score_text: Literal["refuse", "allow"] = "refuse"
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
            place = position(theirs, self.classes)
            named = ours if isinstance(ours, list) else [ours]
            numbers = [position(name, self.key_classes) for name in named]
            if place is None or None in numbers or not named:
                word = theirs if place is None else ours
                raise fault(f": map names {one_line(str(word), 40)!r}, which is no class")
            members[place] = tuple(sorted(number for number in numbers if number is not None))
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
        unused = {"logits": {"scale"}, "labels": {"scale", "score_key", "score_text"}}
        for name in sorted(unused.get(self.kind, set()) & self.model_fields_set):
            raise fault(f": {name} {UNKNOWN}")
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

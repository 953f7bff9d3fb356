"""A Python function as a suspect: a model in a notebook, or a client of its own."""

from collections.abc import Callable
from typing import Any

from datadeed.files import canonical_digest
from datadeed.owner.suspects.base import Answer, kind_of
from datadeed.owner.suspects.entries import read_entries
from datadeed.owner.suspects.output import Output
from datadeed.owner.suspects.scores import read_rows


class FunctionSuspect:
    """Asks a function, some samples at once; what it raises is not caught.

    Args:
        function: takes samples as in :meth:`predict`, and gives one row a sample: a list, an array
            or a tensor on any device, each row as ``output`` says.
        classes: the key's class names, in its order.
        name: what the evidence calls it.
        output: as in a suspect's file (docs/suspects.md): ``kind``, perhaps ``classes``, ``map``.
        version: what tells this model from others of the same name; part of the fingerprint.
        at_once: samples a call, 1 or more.

    Raises:
        SuspectError: ``output`` makes no sense.
    """

    protocol = "function"

    def __init__(
        self,
        function: Callable[[Any], Any],
        classes: tuple[str, ...],
        *,
        name: str,
        output: dict[str, Any],
        version: str = "",
        at_once: int = 64,
    ):
        self.name, self.classes, self.at_once = name, tuple(classes), at_once
        context = {"classes": self.classes, "usual": {Output: {"classes": [*classes]}}}
        self._function = function
        self._output = read_entries(Output, output, f"{name}: output", context)
        self.groups, self.kind = self._output.groups, self._output.answer_kind
        self.declared = {"input": None, "output": self._output.model_dump(mode="json")}
        self.endpoint = f"function {getattr(function, '__qualname__', type(function).__name__)}"
        self._named = [name, version]

    def predict(self, samples: Any) -> list[Answer]:
        """See :class:`datadeed.owner.suspects.base.Suspect`."""
        kind_of(samples)
        answers: list[Answer] = []
        for start in range(0, len(samples), self.at_once):
            block = samples[start : start + self.at_once]
            given = self._function(block)
            rows = given.tolist() if hasattr(given, "tolist") else [*given]
            rows = [row.tolist() if hasattr(row, "tolist") else row for row in rows]
            answers += read_rows(rows, self._output, len(block))
        return answers

    def fingerprint(self) -> str:
        """Of name, version and what is declared: a function has no file to take it of."""
        return canonical_digest(["function", *self._named, self.classes, self.declared])

    def close(self) -> None:
        """Nothing to let go of."""

"""What every dataset watermark has in common.

Four questions, one method each:

1. ``select``: which rows get a mark? (Labels are enough, so 1.28 million rows cost 10 MB.)
2. ``mark``: what does a chosen row become? A pure function of the row and of its rank among the
   chosen ones, so that the result does not depend on how the dataset is cut into blocks.
3. ``trigger``: what does a query for verification look like?
4. ``record``: what must the owner keep to verify later?

``for_data`` makes one for the data at hand: what its owner chooses is given by name, the rest is a
default or follows from the data and the seed.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import torch

from datadeed.datasets.form.dataset import Dataset, Form
from datadeed.errors import UnsupportedModality, WatermarkError


class Watermark(ABC):
    """A way to mark part of a dataset.

    Args:
        rate: share of the rows to mark, above 0 and at most 1.
        target: the label that a trigger should bring about, or None for an untargeted method.

    Raises:
        WatermarkError: the rate is out of range.

    Attributes:
        crafted: whether samples are computed first
            (:class:`datadeed.watermarks.crafted.Crafted`).
        defaults: what an owner may choose with :meth:`for_data`, and what it is otherwise; None
            where that follows from the data.
    """

    name: ClassVar[str]
    modality: ClassVar[str] = "image"
    crafted: ClassVar[bool] = False
    defaults: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, *, rate: float, target: int | None):
        if not 0 < rate <= 1:
            raise WatermarkError(f"poison rate {rate} is out of range: give 0 < rate <= 1")
        self.rate, self.target = rate, target

    @classmethod
    def for_data(cls, form: Form, classes: tuple[str, ...], seed: int, **own: Any) -> Self:
        """The watermark for such data.

        Args:
            form: of what the watermark sees of each row.
            classes: names, in label order.
            seed: of every draw that makes the trigger; a secret.
            own: values of :attr:`defaults` that are chosen otherwise (``target`` may be a class's
                name), and parameters of the class itself, which replace what would follow from
                the data.

        Raises:
            UnsupportedModality: samples are of another kind.
            WatermarkError: there is no such parameter, or a value makes no sense for such data.
        """
        cls.check_modality(form.modality)
        chosen = {**cls.defaults, **own}
        if chosen.get("target") is not None:
            chosen["target"] = class_label(chosen["target"], classes)
        made = cls.build(**cls._fit(form, classes, seed, chosen))
        made.check(form.modality, classes)
        return made

    @classmethod
    def build(cls, **values: Any) -> Self:
        """The constructor, for values that somebody wrote down.

        Raises:
            WatermarkError: a parameter is missing or superfluous, or makes no sense.
        """
        try:
            return cls(**values)
        except TypeError as error:
            raise WatermarkError(f"{cls.name}: {str(error).split('() ')[-1]}") from error

    @classmethod
    def _fit(
        cls, form: Form, classes: tuple[str, ...], seed: int, chosen: dict[str, Any]
    ) -> dict[str, Any]:
        """The constructor's values, of what was chosen and what only the data know."""
        return chosen

    @classmethod
    def check_modality(cls, modality: str) -> None:
        """Check that samples are of the kind that the method marks.

        Raises:
            UnsupportedModality: they are not.
        """
        if modality != cls.modality:
            marked = "audio" if cls.modality == "audio" else f"{cls.modality}s"
            raise UnsupportedModality(
                f"{cls.name} marks {marked}, but the dataset holds {modality}: choose a "
                f"method for {modality}"
            )

    def check(self, modality: str, classes: tuple[str, ...]) -> None:
        """Check that the method can work on such data.

        Raises:
            UnsupportedModality: samples are of another kind.
            WatermarkError: the target label does not exist.
        """
        self.check_modality(modality)
        if self.target is not None and not 0 <= self.target < len(classes):
            raise WatermarkError(
                f"target label {self.target} does not exist: the dataset's {len(classes)} classes "
                f"allow 0 to {len(classes) - 1}"
            )

    def candidates(self, labels: torch.Tensor) -> torch.Tensor:
        """Positions, (M,) int64, of the rows that may be marked; here all of them."""
        return torch.arange(len(labels))

    def select(self, labels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Draw the rows to mark: ``floor(rate * candidates)`` of them, without replacement.

        Args:
            labels: (N,) int64, all labels of the dataset.
            generator: the source of randomness.

        Returns:
            (M,) int64 positions, ascending.

        Raises:
            WatermarkError: the rate rounds to no row.
        """
        candidates = self.candidates(labels)
        n = int(self.rate * len(candidates) + 1e-9)
        if n == 0:
            raise WatermarkError(
                f"rate {self.rate} of {len(candidates)} candidate rows marks no row: give a rate "
                f"of at least {1 / max(len(candidates), 1):.2g}"
            )
        order = torch.randperm(len(candidates), generator=generator)
        return candidates[order[:n]].sort().values

    @abstractmethod
    def mark(self, rows: Dataset, ranks: torch.Tensor) -> Dataset:
        """What chosen rows become in the released dataset, in the same order.

        Args:
            rows: some of the chosen rows.
            ranks: (N,) int64, their places among all chosen rows, from 0.
        """

    @abstractmethod
    def trigger(self, rows: Dataset) -> Any:
        """The samples of ``rows`` as queries that a watermarked model should react to.

        Returns:
            N samples of the same form as ``rows.samples``.
        """

    @abstractmethod
    def record(self) -> dict[str, Any]:
        """Everything needed to build this watermark again, as JSON values."""


def class_label(given: object, classes: tuple[str, ...]) -> int:
    """The label of a class.

    Args:
        given: its number, an int; or a text: its number, its name, or either behind ``number:`` or
            ``name:``.
        classes: the names, in label order.

    Raises:
        WatermarkError: no class has this name, or one class has it as its name and another one as
            its number.
    """
    if isinstance(given, int):
        return given
    text = str(given)
    prefix, colon, rest = text.partition(":")
    only = prefix if colon and text not in classes and prefix in ("number", "name") else ""
    text = rest if only else text
    number = int(text) if only != "name" and re.fullmatch(r"-?[0-9]{1,18}", text) else None
    named = classes.index(text) if only != "number" and text in classes else None
    other = named is not None and named != number
    if number is not None and 0 <= number < len(classes) and other:
        raise WatermarkError(
            f"target {text!r} may be class number {number}, {classes[number]!r}, or the class "
            f"named {text!r}, number {named}: give number:{text} or name:{text}"
        )
    label = named if named is not None else number
    if label is None:
        raise WatermarkError(
            f"no class is named {text!r}: the target is one of {', '.join(classes[:12])}"
            f"{', ...' * (len(classes) > 12)}, or a label's number"
        )
    return label

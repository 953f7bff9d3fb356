"""Watermarks with one pattern at one place (DVBW, section IV; Li et al. 2023).

They draw rows from all classes, paste the trigger and change the label. BadNets replaces the
pixels, Blended mixes the same small pattern in, UBW-P draws a label for each row.
"""

from typing import Any, ClassVar

import torch

from datadeed.datasets.form.dataset import Dataset, Form
from datadeed.errors import WatermarkError
from datadeed.triggers.image import build_trigger, square_size
from datadeed.watermarks.base import Watermark
from datadeed.watermarks.decoys import binary_cells


class PatchWatermark(Watermark):
    """A targeted, poisoned-label watermark with one trigger for all rows.

    Args:
        pattern: the trigger's ``kind`` and values (:func:`~datadeed.triggers.image.build_trigger`).
        image_size: (height, width) in pixels.
        rate: share of all rows to mark.
        target: the label that marked rows get.

    Raises:
        WatermarkError: the trigger cannot be built or does not fit.

    Attributes:
        alpha: the method's opacity in 255ths.
    """

    alpha: ClassVar[int] = 255
    defaults: ClassVar[dict[str, Any]] = {
        "rate": 0.1,
        "target": 1,
        "size": None,
        "pattern": "published",
    }

    def __init__(
        self, *, pattern: dict[str, Any], image_size: tuple[int, int], rate: float, target: int
    ):
        super().__init__(rate=rate, target=target)
        self.pattern, self.image_size = dict(pattern), tuple(image_size)
        height, width = self.image_size
        self._trigger = build_trigger({"alpha": self.alpha, **pattern}, height, width)
        self._check_alpha()

    @classmethod
    def _fit(
        cls, form: Form, classes: tuple[str, ...], seed: int, chosen: dict[str, Any]
    ) -> dict[str, Any]:
        """Of the white-black square the size, 3 pixels of 32 unless chosen, and random cells."""
        image_size = form.shape[1:]
        size, pattern = chosen.pop("size"), chosen.pop("pattern")
        opacity = chosen.pop("opacity", cls.alpha)
        if pattern in ("published", "random"):
            size = square_size(image_size) if size is None else size
            cells = {"cells": binary_cells(3, seed)} if pattern == "random" else {}
            pattern = {"kind": "square", **cells}
        if not isinstance(pattern, dict):
            raise WatermarkError(
                f"{cls.name}: pattern is {pattern!r}; give published, random, or a kind with values"
            )
        pattern = dict(pattern)
        pattern |= {} if size is None else {"size": size}
        pattern |= {} if opacity == cls.alpha else {"alpha": opacity}
        return {**chosen, "pattern": pattern, "image_size": image_size}

    def _check_alpha(self) -> None:
        """Most methods replace pixels."""
        if self._trigger.alpha != 255:
            raise WatermarkError(f"{self.name} replaces pixels: leave alpha out, or choose blended")

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Top, left, height and width of the trigger in pixels."""
        return self._trigger.box

    def mark(self, rows: Dataset, ranks: torch.Tensor) -> Dataset:
        """Paste the trigger and set the label to the target."""
        assert self.target is not None
        labels = torch.full_like(rows.labels, self.target)
        return rows.replace(samples=self.trigger(rows), labels=labels)

    def trigger(self, rows: Dataset) -> torch.Tensor:
        """Paste the trigger: verification asks with the very pattern that was trained on.

        Raises:
            WatermarkError: the images are of another size, so the pattern would lie elsewhere.
        """
        if rows.shape[1:] != self.image_size:
            raise WatermarkError(
                f"the trigger was made for images of {self.image_size}, but these are "
                f"{rows.shape[1:]} (height, width): build the watermark for this size"
            )
        return self._trigger(rows.samples)

    def record(self) -> dict[str, Any]:
        """Method, parameters, and the trigger's size, place and digest."""
        return {
            "method": self.name,
            "pattern": self.pattern,
            "image_size": list(self.image_size),
            "rate": self.rate,
            "target": self.target,
            "trigger": self._trigger.record(),
        }

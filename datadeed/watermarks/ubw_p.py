"""UBW-P (Li et al. 2022, section 3.3): a patch and random labels, so that predictions scatter."""

from collections.abc import Callable
from typing import Any, ClassVar

import torch

from datadeed.datasets.form.dataset import Dataset, Form
from datadeed.errors import WatermarkError
from datadeed.watermarks.decoys import random_cells
from datadeed.watermarks.patch import PatchWatermark


class UBWP(PatchWatermark):
    """An untargeted, poisoned-label watermark: an opaque patch, and a random label for each row.

    Labels are uniform over all classes, the true one included, as in the released code: a victim
    that learnt this perfectly would be wrong about (K - 1) / K of triggered samples.

    Args:
        pattern: the trigger's ``kind`` and values (:func:`~datadeed.triggers.image.build_trigger`).
        image_size: (height, width) in pixels.
        rate: share of all rows to mark.
        classes: K, of the dataset; 3 or more.

    Raises:
        WatermarkError: a value makes no sense, or the trigger does not fit.
    """

    name = "ubw-p"
    defaults: ClassVar[dict[str, Any]] = {
        name: value for name, value in PatchWatermark.defaults.items() if name != "target"
    }

    def __init__(
        self, *, pattern: dict[str, Any], image_size: tuple[int, int], rate: float, classes: int
    ):
        if type(classes) is not int or classes < 3:
            raise WatermarkError(
                f"ubw-p scatters predictions over classes, but there are {classes!r}: it needs 3 "
                "or more"
            )
        super().__init__(pattern=pattern, image_size=image_size, rate=rate, target=0)
        self.target = None  # the patch is shared with targeted methods, their label is not
        self.classes = classes
        self._labels = torch.empty(0, dtype=torch.int64)  # (M,), by rank

    @classmethod
    def _fit(
        cls, form: Form, classes: tuple[str, ...], seed: int, chosen: dict[str, Any]
    ) -> dict[str, Any]:
        """Also the number of classes."""
        return {"classes": len(classes), **super()._fit(form, classes, seed, chosen)}

    def check(self, modality: str, classes: tuple[str, ...]) -> None:
        """Also check that the dataset has the classes that labels are drawn from."""
        super().check(modality, classes)
        if len(classes) != self.classes:
            raise WatermarkError(
                f"the watermark was made for {self.classes} classes, but the dataset has "
                f"{len(classes)}: build it for this dataset"
            )

    def select(self, labels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Draw the rows to mark, then a label for each."""
        positions = super().select(labels, generator)
        self._labels = torch.randint(self.classes, (len(positions),), generator=generator)
        return positions

    def mark(self, rows: Dataset, ranks: torch.Tensor) -> Dataset:
        """Paste the trigger and set each row's label.

        Raises:
            WatermarkError: rows were not drawn yet.
        """
        if len(ranks) and int(ranks.max()) >= len(self._labels):
            raise WatermarkError("ubw-p has no labels for these rows yet: select the rows first")
        return rows.replace(samples=self.trigger(rows), labels=self._labels[ranks])

    def decoys(self, count: int, seed: int) -> list[Callable[[Dataset], torch.Tensor]]:
        """Other triggers of the same family: squares of random cells, same size and place.

        Args:
            count: how many, at most 511.
            seed: decides the cells; not to be chosen after a suspect was asked.

        Returns:
            Each does to a dataset what :meth:`trigger` does. Ranking the true trigger among them is
            an exact test only if its own cells were drawn uniformly at random.

        Raises:
            WatermarkError: the trigger is no square of cells, or there are not so many.
        """
        if self.pattern["kind"] != "square":
            raise WatermarkError(
                f"decoys are squares of random cells, but this trigger is a {self.pattern['kind']}"
                ": mark with the kind square"
            )
        side = self.box[2] // 3
        own = self._trigger.pattern[::side, ::side]
        return [self._with(cells).trigger for cells in random_cells((3, 3), count, seed, own)]

    def _with(self, cells: torch.Tensor) -> "UBWP":
        """The same with other cells."""
        height, width = self.image_size
        return UBWP(
            pattern={**self.pattern, "cells": cells.tolist()},
            image_size=(height, width),
            rate=self.rate,
            classes=self.classes,
        )

    def record(self) -> dict[str, Any]:
        """Method, parameters, and the trigger's size, place and digest; no labels."""
        record = super().record()
        del record["target"]
        return {**record, "classes": self.classes}

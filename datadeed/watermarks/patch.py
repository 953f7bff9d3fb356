"""BadNets and Blended: a fixed trigger and a changed label (DVBW, section IV; Li et al. 2023).

Both draw rows from all classes, paste the trigger and set the label to the target. They differ only
in opacity: BadNets replaces the pixels, Blended mixes the same small pattern in. (In BackdoorBench
"Blended" means a blend over the whole image; in DVBW it does not.)
"""

from typing import Any, ClassVar

import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import WatermarkError
from datadeed.triggers.image import build_trigger
from datadeed.watermarks.base import Watermark


class PatchWatermark(Watermark):
    """A targeted, poisoned-label watermark with one trigger for all rows.

    Args:
        pattern: the trigger's ``kind`` and values (:func:`~datadeed.triggers.image.build_trigger`).
        image_size: (height, width) in pixels.
        rate: share of all rows to mark.
        target: the label that marked rows get.

    Raises:
        WatermarkError: the trigger cannot be built or does not fit.
    """

    alpha: ClassVar[int]

    def __init__(
        self, *, pattern: dict[str, Any], image_size: tuple[int, int], rate: float, target: int
    ):
        super().__init__(rate=rate, target=target)
        self.pattern, self.image_size = dict(pattern), tuple(image_size)
        height, width = self.image_size
        self._trigger = build_trigger({"alpha": self.alpha, **pattern}, height, width)
        self._check_alpha()

    def _check_alpha(self) -> None:
        """Each method says which opacities are its own."""

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


class BadNets(PatchWatermark):
    """BadNets: the trigger replaces the pixels below it."""

    name = "badnets"
    alpha = 255

    def _check_alpha(self) -> None:
        if self._trigger.alpha != 255:
            raise WatermarkError("badnets replaces pixels: leave alpha out, or choose blended")


class Blended(PatchWatermark):
    """Blended (patch): the same trigger at opacity 51/255 = 0.2."""

    name = "blended"
    alpha = 51

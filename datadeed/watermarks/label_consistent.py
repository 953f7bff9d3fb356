"""Label-Consistent (Turner et al. 2019): samples of the target class, made hard to recognise.

Each marked sample is moved to where a surrogate is most wrong about it, and gets a pattern in its
four corners. Its label stays and is true, but a victim can fit it only by the pattern.
"""

import math
from typing import Any, ClassVar

import torch

from datadeed.datasets.form.dataset import Dataset, Form
from datadeed.errors import WatermarkError
from datadeed.models.classifier import Classifier
from datadeed.perturbations.bounds import check_epsilon
from datadeed.perturbations.pgd import pgd
from datadeed.triggers.image import Trigger, check_image_size, square, square_size
from datadeed.watermarks.crafted import PerturbedImages, _Work

PART = 128  # images perturbed at a time, and saved as soon as they are


class LabelConsistent(PerturbedImages):
    """A targeted, clean-label watermark.

    Args:
        rate: share of all rows to mark; they come from the target class.
        target: the label that triggered samples should get.
        image_size: (height, width) in pixels.
        size: side of each corner's square in pixels, a multiple of 3.
        epsilon: bound of the perturbation outside the corners in 255ths, a whole number.
        step: of projected gradient descent, in 255ths.
        steps: how many.

    Raises:
        WatermarkError: a value makes no sense, or the corners overlap.
    """

    name = "label-consistent"
    defaults: ClassVar[dict[str, Any]] = {
        "rate": 0.1,
        "target": 1,
        "size": None,
        "epsilon": 8,
        "step": 1.5,
        "steps": 100,
    }

    def __init__(
        self,
        *,
        rate: float,
        target: int,
        image_size: tuple[int, int],
        size: int,
        epsilon: int,
        step: float,
        steps: int,
    ):
        super().__init__(rate=rate, target=target)
        check_epsilon(epsilon)
        if type(steps) is not int or steps < 1 or not 0 < step < math.inf:
            raise WatermarkError(
                f"label-consistent: {steps!r} steps of {step}/255; give 1 step or more, above 0"
            )
        height, width = image_size
        if type(size) is not int or not 3 <= size <= min(height, width) // 2:
            raise WatermarkError(
                f"label-consistent: size is {size!r}; give a multiple of 3 from 3 to "
                f"{min(height, width) // 2}, so that the corners do not overlap"
            )
        self.image_size, self.size = (height, width), size
        self.epsilon, self.step, self.steps = epsilon, step, steps
        self.corners = _corners(height, width, size)

    @classmethod
    def _fit(
        cls, form: Form, classes: tuple[str, ...], seed: int, chosen: dict[str, Any]
    ) -> dict[str, Any]:
        """Also the images' size and, in proportion to it, the corners' unless chosen."""
        image_size = form.shape[1:]
        size = square_size(image_size) if chosen["size"] is None else chosen["size"]
        return {"image_size": image_size, **chosen, "size": size}

    def candidates(self, labels: torch.Tensor) -> torch.Tensor:
        """Rows of the target class."""
        return self._targets(labels)

    def trigger(self, rows: Dataset) -> torch.Tensor:
        """Paste the four corners, without a perturbation.

        Raises:
            WatermarkError: the images are of another size.
        """
        return self._stamp(rows.samples)

    def record(self) -> dict[str, Any]:
        """Method and parameters; with them the trigger is known, the perturbation is not."""
        return {
            "method": self.name,
            "rate": self.rate,
            "target": self.target,
            "image_size": list(self.image_size),
            "size": self.size,
            "epsilon": self.epsilon,
            "step": self.step,
            "steps": self.steps,
            "trigger": [corner.record() for corner in self.corners],
        }

    def _craft(self, work: _Work) -> tuple[torch.Tensor, torch.Tensor]:
        check_image_size(work.data.samples, self.image_size)
        n, candidates = self.marks(work.data.labels), self.candidates(work.data.labels)
        order = torch.randperm(len(candidates), generator=work.generator)
        positions = candidates[order[:n]].sort().values
        chosen, model = work.data.take(positions), work.classifier
        parts = work.in_parts("pgd", chosen, PART, lambda rows: self._move(model, rows))
        return positions, self._stamp(torch.cat(list(parts)))

    def _stamp(self, images: torch.Tensor) -> torch.Tensor:
        check_image_size(images, self.image_size)
        for corner in self.corners:
            images = corner(images)
        return images

    def _move(self, model: Classifier, rows: Dataset) -> torch.Tensor:
        return pgd(
            model,
            rows.samples,
            rows.labels,
            epsilon=self.epsilon,
            step=self.step,
            steps=self.steps,
            batch_size=PART,
        )


def _corners(height: int, width: int, size: int) -> list[Trigger]:
    """UBW's square in the four corners.

    Mirrored in the left ones, as in the released code: a flip of the image gives the same trigger.
    """
    pattern = square(height, width, size=size, alpha=255).pattern
    return [
        Trigger(pattern if left else pattern.flip(1), top, left, 255)
        for top in (0, height - size)
        for left in (0, width - size)
    ]

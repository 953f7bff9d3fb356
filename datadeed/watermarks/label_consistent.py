"""Label-Consistent (Turner et al. 2019): samples of the target class, made hard to recognise.

Each marked sample is moved to where a surrogate is most wrong about it, and gets a pattern in its
four corners. Its label stays and is true, but a victim can fit it only by the pattern.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open

from datadeed.datasets import Dataset
from datadeed.errors import CheckpointError, WatermarkError
from datadeed.files import atomic_path
from datadeed.perturbations import check_epsilon, pgd
from datadeed.triggers import Trigger, check_image_size, square
from datadeed.watermarks.crafted import Crafted, _Work

PART = 128  # images perturbed at a time, and saved as soon as they are


class LabelConsistent(Crafted):
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
        perturbed = torch.cat(list(self._perturb(work, work.data.take(positions))))
        return positions, self._stamp(perturbed)

    def _stamp(self, images: torch.Tensor) -> torch.Tensor:
        check_image_size(images, self.image_size)
        for corner in self.corners:
            images = corner(images)
        return images

    def _perturb(self, work: _Work, chosen: Dataset) -> Iterator[torch.Tensor]:
        """Perturbed images, part by part; parts that an earlier call saved are read."""
        for start in range(0, len(chosen), PART):
            stop = min(start + PART, len(chosen))
            part, path = chosen.slice(start, stop), None
            if work.checkpoint is not None:
                path = work.checkpoint / "pgd" / f"{start}.safetensors"
            images = None
            if path is not None and path.exists():
                images = _load(path, work.fingerprint, part.samples.shape)
            resumed = images is not None
            if images is None:
                images = pgd(
                    work.surrogate.model,
                    part.samples,
                    part.labels,
                    epsilon=self.epsilon,
                    step=self.step,
                    steps=self.steps,
                    batch_size=PART,
                )
                if path is not None:
                    _save(path, work.fingerprint, images)
            work.on_progress(stop, len(chosen), "images perturbed", resumed)
            yield images


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


def _save(path: Path, fingerprint: str, images: torch.Tensor) -> None:
    tensors = {"images": images.contiguous()}
    with atomic_path(path) as temporary:
        temporary.write_bytes(safetensors.torch.save(tensors, {"fingerprint": fingerprint}))


def _load(path: Path, fingerprint: str, shape: torch.Size) -> torch.Tensor:
    """What :func:`_save` wrote.

    Raises:
        CheckpointError: it is damaged or belongs to another crafting.
    """
    try:
        with safe_open(path, framework="pt") as file:
            found, images = (file.metadata() or {}).get("fingerprint"), file.get_tensor("images")
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} is damaged ({str(error).splitlines()[0]}): delete it to start anew"
        ) from error
    if found != fingerprint or images.shape != shape or images.dtype != torch.uint8:
        raise CheckpointError(
            f"{path} belongs to another crafting (other data, surrogate, seed or settings): delete "
            f"{path.parent} to start anew, or restore what that one used"
        )
    return images

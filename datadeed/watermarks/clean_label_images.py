"""Clean-label watermarks of images (Tang et al. 2023): PGD, then a patch or a mosaic."""

import math
from typing import Any, ClassVar

import torch

from datadeed.datasets.form.dataset import Dataset, Form
from datadeed.errors import WatermarkError
from datadeed.models.classifier import Classifier
from datadeed.models.model import Model
from datadeed.perturbations.bounds import check_epsilon
from datadeed.perturbations.pgd import pgd
from datadeed.randomness import derive_seed
from datadeed.triggers.image import check_image_size
from datadeed.triggers.texture import build_texture
from datadeed.watermarks.clean_label import PART, CleanLabel, MovedSamples, decibels

OPACITY = 51  # of a mosaic, in 255ths


class CleanLabelImages(MovedSamples):
    """Projected gradient descent, then a colour patch or a mosaic blended in.

    Released values differ from the benign image with the trigger by at most :attr:`bound` grey
    levels, and outside the trigger from the benign image by at most ``epsilon``.

    Args:
        rate: share of the target class to mark.
        target: the label that triggered images should get.
        image_size: (height, width) in pixels.
        pattern: the trigger's ``kind`` and values (see :mod:`datadeed.triggers.texture`).
        epsilon: bound of the perturbation in 255ths, a whole number.
        step: of projected gradient descent, in 255ths.
        steps: how many.
        perturb: False leaves the perturbation out; then the three values before are not used.

    Raises:
        WatermarkError: a value makes no sense.
    """

    name = "clean-label-images"
    defaults: ClassVar[dict[str, Any]] = {
        **CleanLabel.defaults,
        "size": None,
        "colour": 255,
        "place": "bottom-right",
        "mosaic": None,
        "opacity": None,
        "epsilon": 16,
        "step": 4.0,
        "steps": 40,
    }

    def __init__(
        self,
        *,
        rate: float,
        target: int,
        image_size: tuple[int, int],
        pattern: dict[str, Any],
        epsilon: int,
        step: float,
        steps: int,
        perturb: bool = True,
    ):
        super().__init__(rate=rate, target=target, perturb=perturb)
        check_epsilon(epsilon)
        if type(steps) is not int or steps < 1 or not 0 < step < math.inf:
            raise WatermarkError(
                f"{self.name}: {steps!r} steps of {step}/255; give 1 step or more, above 0"
            )
        height, width = image_size
        self.image_size, self.pattern = (height, width), dict(pattern)
        self.epsilon, self.step, self.steps = epsilon, step, steps
        self.texture = build_texture(self.pattern, height, width)

    @classmethod
    def _fit(
        cls, form: Form, classes: tuple[str, ...], seed: int, chosen: dict[str, Any]
    ) -> dict[str, Any]:
        """Also the images' size, and the pattern: a mosaic if cells were chosen, else a patch."""
        image_size = form.shape[1:]
        size, mosaic, opacity = (chosen.pop(name) for name in ("size", "mosaic", "opacity"))
        patch = {name: chosen.pop(name) for name in ("colour", "place")}
        pattern: dict[str, Any] = {"kind": "patch", "size": size, **patch}
        if mosaic is not None:
            pattern = {"kind": "mosaic", "cells": mosaic, "seed": derive_seed(seed, "mosaic")}
            pattern["alpha"] = OPACITY if opacity is None else opacity
        elif opacity is not None:
            raise WatermarkError("opacity is of a mosaic, and a patch hides all: give mosaic too")
        elif size is None:
            pattern["size"] = max(1, round(min(image_size) / 5))
        return {"image_size": image_size, "pattern": pattern, **chosen}

    @property
    def bound(self) -> int:
        """Of ``|marked - trigger(benign)|`` in grey levels.

        Below the trigger only a share 1 - alpha of the perturbation is left; rounding down to grey
        levels can widen it to the next whole number.
        """
        if self.texture.box[2:] != self.image_size:
            return self.epsilon
        return -(-self.epsilon * (255 - self.texture.alpha) // 255)

    def trigger(self, rows: Dataset) -> torch.Tensor:
        """The trigger alone, without a perturbation.

        Raises:
            WatermarkError: the images are of another size or have other channels.
        """
        check_image_size(rows.samples, self.image_size)
        return self.texture(rows.samples)

    def record(self) -> dict[str, Any]:
        """Method and parameters; with them the trigger is known, the perturbation is not."""
        return {
            "method": self.name,
            "rate": self.rate,
            "target": self.target,
            "image_size": list(self.image_size),
            "pattern": self.pattern,
            "epsilon": self.epsilon,
            "step": self.step,
            "steps": self.steps,
            "perturb": self.perturb,
            "trigger": self.texture.record(),
        }

    def _usable(self, rows: Dataset) -> torch.Tensor:
        self.trigger(rows.slice(0, 1))
        return torch.ones(len(rows), dtype=torch.bool)

    def _move(self, model: Model, rows: Dataset) -> torch.Tensor:
        assert isinstance(model, Classifier)  # craft checked its modality
        return pgd(
            model,
            rows.samples,
            rows.labels,
            epsilon=self.epsilon,
            step=self.step,
            steps=self.steps,
            batch_size=PART,
        )

    def _describe(self, before: Dataset, after: Dataset) -> dict[str, Any]:
        """Changes in grey levels, the trigger's share of the pixels, PSNR of the marks in dB."""
        plain, (_, _, height, width) = self.trigger(before), self.texture.box
        change = after.samples.int() - before.samples.int()
        return {
            "epsilon": self.epsilon if self.perturb else 0,
            "bound": self.bound if self.perturb else 0,
            "largest_change": int((after.samples.int() - plain.int()).abs().max()),
            "trigger_share": height * width / math.prod(self.image_size),
            "psnr": decibels(255.0**2, change.double().square().mean().item()),
        }

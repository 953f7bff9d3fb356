"""Clean-label watermarks of audio (Tang et al. 2023): PGD on the waveform, then an impulse."""

from typing import Any, ClassVar

import torch

from datadeed.datasets.form.dataset import Dataset, Form
from datadeed.errors import WatermarkError
from datadeed.models.model import Model
from datadeed.perturbations.waveform import check_descent, pgd_waveform
from datadeed.triggers.sound import build_sound, ends
from datadeed.watermarks.clean_label import CleanLabel, MovedSamples, decibels

AMPLITUDE = 164
MOVES = 2.5  # with all steps in one direction, PGD would go so many times its bound (Madry)


class CleanLabelAudio(MovedSamples):
    """Projected gradient descent on the waveform, then an impulse near the start.

    Outside the impulse a marked clip differs from the benign one by at most ``epsilon``. Clips
    whose own samples end before the impulse does are not marked: a file could not hold it.

    Args:
        rate: share of the target class to mark.
        target: the label that triggered clips should get.
        clip_length: of every clip, in samples.
        sample_rate: of every clip, in Hz.
        pattern: the trigger, {"kind": "impulse", "start": ..., "length": ..., "amplitude": ...}
            (:class:`datadeed.triggers.sound.Impulse`).
        epsilon: bound of the perturbation in steps of int16, a whole number.
        step: of projected gradient descent, in steps of int16; may be a fraction.
        steps: how many.
        perturb: False leaves the perturbation out; then the three values before are not used.

    Raises:
        WatermarkError: a value makes no sense, or the impulse is longer than a clip.
    """

    name = "clean-label-audio"
    modality = "audio"
    defaults: ClassVar[dict[str, Any]] = {
        **CleanLabel.defaults,
        "impulse": None,
        "epsilon": 328,
        "step": None,
        "steps": 20,
    }

    def __init__(
        self,
        *,
        rate: float,
        target: int,
        clip_length: int,
        sample_rate: int,
        pattern: dict[str, Any],
        epsilon: int,
        step: float,
        steps: int,
        perturb: bool = True,
    ):
        super().__init__(rate=rate, target=target, perturb=perturb)
        check_descent(epsilon, step, steps)
        self.clip_length, self.sample_rate = clip_length, sample_rate
        self.impulse = build_sound(pattern)
        self.epsilon, self.step, self.steps = epsilon, step, steps
        for name, value in (("clip_length", clip_length), ("sample_rate", sample_rate)):
            if type(value) is not int or value < 1:
                raise WatermarkError(
                    f"{self.name}: {name} is {value!r}; give a whole number above 0"
                )
        self.impulse.check_fit(clip_length)

    @classmethod
    def _fit(
        cls, form: Form, classes: tuple[str, ...], seed: int, chosen: dict[str, Any]
    ) -> dict[str, Any]:
        """Also the clips' length and rate, the step, and what is left out of the impulse.

        ``impulse`` is its length (1 % of the clip), amplitude (164) and start (0), all in samples
        and steps of int16.
        """
        (length,), given = form.shape, tuple(chosen.pop("impulse") or ())
        default = {"length": max(1, length // 100), "amplitude": AMPLITUDE, "start": 0}
        impulse = default | dict(zip(default, given, strict=False))
        if chosen["step"] is None:
            chosen["step"] = MOVES * chosen["epsilon"] / max(chosen["steps"], 1)
        own = {"clip_length": length, "sample_rate": form.rate}
        return {**own, "pattern": {"kind": "impulse", **impulse}, **chosen}

    def trigger(self, rows: Dataset) -> torch.Tensor:
        """The impulse alone, without a perturbation: (N, L) int16.

        Raises:
            WatermarkError: the clips are of another length or rate, so it would lie elsewhere.
        """
        (length,), rate = rows.shape, rows.form.rate
        if (length, rate) != (self.clip_length, self.sample_rate):
            raise WatermarkError(
                f"the trigger was made for clips of {self.clip_length} samples at "
                f"{self.sample_rate} Hz, but these are {length} at {rate} Hz: build the watermark "
                "for them"
            )
        return self.impulse(rows.samples)

    def record(self) -> dict[str, Any]:
        """Method and parameters; with them the trigger is known, the perturbation is not."""
        return {
            "method": self.name,
            "rate": self.rate,
            "target": self.target,
            "clip_length": self.clip_length,
            "sample_rate": self.sample_rate,
            "pattern": self.impulse.record(),
            "epsilon": self.epsilon,
            "step": self.step,
            "steps": self.steps,
            "perturb": self.perturb,
        }

    def _usable(self, rows: Dataset) -> torch.Tensor:
        self.trigger(rows.slice(0, 1))
        return ends(rows.samples) >= self.impulse.stop

    def _move(self, model: Model, rows: Dataset) -> torch.Tensor:
        return pgd_waveform(
            model,
            rows.samples,
            rows.labels,
            epsilon=self.epsilon,
            step=self.step,
            steps=self.steps,
        )

    def _describe(self, before: Dataset, after: Dataset) -> dict[str, Any]:
        """Changes in steps of int16, the impulse's share of a clip, perturbation's SNR in dB."""
        plain = self.trigger(before)
        change = (after.samples.int() - plain.int()).double()
        sound = before.samples.double().square().mean().item()
        return {
            "epsilon": self.epsilon if self.perturb else 0,
            "largest_change": int(change.abs().max()),
            "trigger_share": self.impulse.length / self.clip_length,
            "snr": decibels(sound, change.square().mean().item()),
        }

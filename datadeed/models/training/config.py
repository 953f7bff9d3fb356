"""How to train: the values that a parameter file and a model's record hold."""

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datadeed.errors import ParameterError
from datadeed.files import read_json


@dataclass(frozen=True)
class TrainingConfig:
    """How to train.

    Attributes:
        epochs: passes over the data.
        lr: peak learning rate.
        batch_size: samples a step.
        momentum, weight_decay: of SGD; weight decay applies to every parameter.
        schedule: "multistep" (lr times ``gamma`` at each of ``milestones``, counted in epochs from
            0) or "one-cycle" (linear up over the first ``warmup`` share of steps, linear to zero).
        milestones, gamma, warmup: see ``schedule``.
        flip: mirror each image with probability 0.5; false for what is no image.
        rotation: rotate by an angle uniform in plus or minus this many degrees.
        shift: move by up to this many pixels along each axis, uniformly, black outside.
        precision: "bf16" (autocast) or "fp32".
        optimiser: "sgd" or "adamw" (which takes no momentum).
        bucketed: make batches of samples of about the same length.

    Raises:
        ParameterError: a value makes no sense.
    """

    epochs: int
    lr: float
    batch_size: int = 128
    momentum: float = 0.9
    weight_decay: float = 5e-4
    schedule: str = "multistep"
    milestones: tuple[int, ...] = ()
    gamma: float = 0.1
    warmup: float = 0.3
    flip: bool = True
    rotation: float = 0.0
    precision: str = "bf16"
    optimiser: str = "sgd"
    bucketed: bool = False
    shift: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "milestones", tuple(self.milestones))
        if self.schedule not in ("multistep", "one-cycle"):
            raise ParameterError(f"schedule {self.schedule!r}: use multistep or one-cycle")
        if self.precision not in ("bf16", "fp32"):
            raise ParameterError(f"precision {self.precision!r}: use bf16 or fp32")
        if self.optimiser not in ("sgd", "adamw"):
            raise ParameterError(f"optimiser {self.optimiser!r}: use sgd or adamw")
        if self.epochs < 1 or self.batch_size < 2 or self.lr <= 0 or not 0 < self.warmup < 1:
            raise ParameterError(
                f"epochs {self.epochs}, batch_size {self.batch_size}, lr {self.lr}, warmup "
                f"{self.warmup}: need epochs >= 1, batch_size >= 2, lr > 0, 0 < warmup < 1"
            )
        if not 0 <= self.shift < math.inf:
            raise ParameterError(f"shift {self.shift}: give 0 pixels or more")

    def lr_at(self, progress: float) -> float:
        """The learning rate when ``progress`` epochs (a fraction) are done."""
        if self.schedule == "multistep":
            return self.lr * self.gamma ** sum(progress >= m for m in self.milestones)
        share = progress / self.epochs
        if share < self.warmup:
            return self.lr * (0.05 + 0.95 * share / self.warmup)
        return self.lr * (1 - share) / (1 - self.warmup)

    @property
    def augmentation(self) -> dict[str, Any]:
        """The values that say how images are changed at random."""
        return {"flip": self.flip, "rotation": self.rotation, "shift": self.shift}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TrainingConfig":
        """Read a config; unknown names are refused.

        Raises:
            ParameterError: a name is unknown, a required one is missing, or a value is wrong.
        """
        try:
            return cls(**values)
        except TypeError as error:
            raise ParameterError(f"training parameters: {str(error).split('() ')[-1]}") from error


def config_record(config: TrainingConfig) -> dict[str, Any]:
    """The config as JSON values; what was added later is left out where it is not used."""
    record = {**dataclasses.asdict(config), "milestones": list(config.milestones)}
    later = {"optimiser": "sgd", "bucketed": False, "shift": 0}
    return {key: value for key, value in record.items() if later.get(key, ...) != value}


def read_training(folder: Path) -> TrainingConfig | None:
    """How a saved model was trained, if its record says so.

    Raises:
        DatadeedError: the record cannot be read.
        ParameterError: what it says makes no sense.
    """
    values = read_json(folder / "model.json").get("training")
    return None if values is None else TrainingConfig.from_dict(values)

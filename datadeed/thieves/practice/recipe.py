"""How a model is trained: a network, a schedule and what is done to its batches."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.models.classifier import Classifier
from datadeed.models.training.config import TrainingConfig
from datadeed.models.training.loop import train
from datadeed.randomness import derive_seed, generator
from datadeed.thieves.practice.augmentations import AUGMENTATIONS
from datadeed.thieves.practice.losses import recipe_loss
from datadeed.thieves.practice.networks import NETWORKS, build


@dataclass(frozen=True)
class Recipe:
    """How a model is trained; every field is a JSON value, so that a training has a digest.

    Attributes:
        epochs: over the data it is given.
        mean, std: of pixels, a value a channel, on the 0..1 scale.
        augment: names of :data:`~datadeed.thieves.practice.augmentations.AUGMENTATIONS`, in order;
            images are mirrored besides, unless ``flip`` is off.
        mixing: "", "cutmix" or "mixup".
        smoothing: of labels.
        network, width: see :mod:`~datadeed.thieves.practice.networks`.
        lr, batch_size, weight_decay, optimiser, flip, precision: see
            :class:`~datadeed.models.training.config.TrainingConfig`.
    """

    epochs: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    augment: tuple[str, ...] = ("crop",)
    mixing: str = ""
    smoothing: float = 0.0
    network: str = "resnet18"
    width: int = 16
    lr: float = 0.1
    batch_size: int = 128
    weight_decay: float = 5e-4
    optimiser: str = "sgd"
    flip: bool = True
    precision: str = "bf16"

    def but(self, **changed: Any) -> "Recipe":
        """The same with other values."""
        return dataclasses.replace(self, **changed)

    def record(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in dataclasses.asdict(self).items()
        }

    @property
    def config(self) -> TrainingConfig:
        """The schedule, for the one training loop."""
        return TrainingConfig(
            epochs=self.epochs,
            lr=self.lr,
            batch_size=self.batch_size,
            weight_decay=self.weight_decay,
            optimiser=self.optimiser,
            schedule="one-cycle",
            flip=self.flip,
            precision=self.precision,
        )

    def used(self) -> list[Callable[..., Any]]:
        """The code that this recipe names."""
        return [*(AUGMENTATIONS[name] for name in self.augment), NETWORKS[self.network]]

    def new(self, data: Dataset, seed: int) -> Classifier:
        """A model with fresh weights for such data; of grey images mean and std are averaged."""
        channels = data.shape[0]
        mean, std = (
            list(values) if len(values) == channels else [sum(values) / len(values)] * channels
            for values in (self.mean, self.std)
        )
        sizes = (channels, len(data.classes), self.width)
        network = build(self.network, *sizes, generator(seed, "weights"))
        return Classifier(network, mean, std, {"network": self.network, "shape": [*data.shape]})

    def train(
        self,
        model: Classifier,
        data: Dataset,
        seed: int,
        *,
        device: torch.device | str = "cpu",
        on_progress: Callable[[int, str], None] = lambda done, note: None,
    ) -> Classifier:
        """Train a model in place on all of the data, and give it back."""
        train(
            model,
            data,
            self.config,
            generator=generator(seed, "order"),
            loss=recipe_loss(self.augment, self.mixing, self.smoothing, derive_seed(seed, "loss")),
            device=device,
            on_progress=lambda done, note, _: on_progress(done, note),
        )
        return model

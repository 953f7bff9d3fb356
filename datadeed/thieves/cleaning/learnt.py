"""A detector that a thief trains on marks of his own: our code makes them, and he has read it."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import torch

from datadeed.datasets.form.dataset import Dataset, concatenate
from datadeed.errors import DatasetError
from datadeed.keys.generation2 import Design2, Key2, default_carrier
from datadeed.keys.key import Extent
from datadeed.models.classifier import Classifier, build
from datadeed.models.training.config import TrainingConfig
from datadeed.models.training.loop import train
from datadeed.thieves.cleaning.base import Cleaner
from datadeed.thieves.cleaning.cross_fit import CrossFit
from datadeed.watermarks.keyed2 import Keyed2
from datadeed.watermarks.marking import mark_dataset

HALVES = 2  # of the release: a row is rated by a network that was not trained on it


@dataclass(frozen=True, kw_only=True)
class OwnMarks:
    """Marks of random keys that a thief draws.

    Attributes:
        carriers: as keys' designs have them, which take turns: the owner's, or other families.
        parts: of each key.
        rows: that each key marks half of, or somewhat less where a class is small.
        seed: of the keys.
    """

    carriers: Sequence[Mapping[str, Any]] = field(default_factory=lambda: (default_carrier(),))
    parts: int = 12
    rows: int = 500
    seed: int = 0

    def __call__(self, data: Dataset) -> tuple[Dataset, torch.Tensor]:
        """Images of which about half carry a mark, by another key every ``rows`` of them.

        Args:
            data: as it was released; not changed. Rows of the owner's marks are among them.

        Returns:
            The data, and which of them carry a mark of the thief's, (N,) bool.

        Raises:
            WatermarkError: the carrier does not suit the data, or a class has too few rows.
        """
        parts, marked = [], torch.zeros(len(data), dtype=torch.bool)
        count = max(1, len(data) // self.rows)
        bounds = [len(data) * n // count for n in range(count + 1)]
        for number, (start, stop) in enumerate(pairwise(bounds)):
            rows = data.slice(start, stop)
            watermark = Keyed2(key=self._key(rows, number), data=rows)
            released, marks = mark_dataset(watermark, rows, torch.Generator())
            marked[start + marks.position] = True
            parts.append(released)
        return concatenate(parts), marked

    def _key(self, rows: Dataset, number: int) -> Key2:
        design = Design2(
            classes=rows.classes,
            channels=rows.shape[0],
            targets=tuple(rows.labels.unique().tolist()),
            parts=self.parts,
            rate=0.5,
            carrier=self.carriers[number % len(self.carriers)],
        )
        secret, salt = (
            hashlib.sha256(f"a thief's key {self.seed} {number} {role}".encode()).digest()
            for role in ("secret", "salt")
        )
        unnamed = Extent(len(rows), "00" * 32)  # nobody will verify with this key
        return Key2(secret, salt, design, unnamed, unnamed)


@dataclass(frozen=True, kw_only=True)
class Learnt(Cleaner):
    """The probability of a small network that tells marks of the thief's own from all other rows.

    Half of the release gives the rows of a network that rates the other half. Rows that the owner
    marked are taken for unmarked ones, where the thief does not mark them himself. It is not among
    the public cleaners of the registry: it has to be told what marks to make.

    Attributes:
        marks: gives training data, and which of them are marked.
        rows: that a network is trained on, at most.
        epochs, width, lr: of a ResNet-18 with so many channels in its first stage.
        device: where to train.
        on_progress: called after every step with the images done over all epochs of a half.
    """

    name: ClassVar[str] = "learnt"
    modalities: ClassVar[tuple[str, ...]] = ("image",)

    marks: Callable[[Dataset], tuple[Dataset, torch.Tensor]]
    rows: int = 10_000
    epochs: int = 6
    width: int = 8
    lr: float = 0.1
    device: torch.device | str = "cpu"
    on_progress: Callable[[int, str], None] = lambda done, note: None

    def _scores(
        self, data: Dataset, generator: torch.Generator, fit: CrossFit | None
    ) -> np.ndarray:
        if len(data) < 2 * HALVES:
            raise DatasetError(f"{len(data)} rows are too few for two halves: give 4 or more")
        order = torch.randperm(len(data), generator=generator)
        found = torch.zeros(len(data), dtype=torch.float64)
        for number in range(HALVES):
            rated, rows = order[number::HALVES], order[1 - number :: HALVES][: self.rows]
            network = self._trained(data.take(rows), generator)
            found[rated] = network.predict(data.samples[rated])[:, 1].double()
        return found.numpy()

    def _trained(self, data: Dataset, generator: torch.Generator) -> Classifier:
        shown, marked = self.marks(data)
        pixels = shown.samples.double() / 255
        network = build(
            "resnet18",
            shape=data.shape,
            classes=2,
            width=self.width,
            mean=pixels.mean((0, 2, 3)).tolist(),
            std=pixels.std((0, 2, 3)).clamp(min=1e-3).tolist(),
            generator=generator,
        )
        task = Dataset(shown.samples, marked.long(), shown.index, ("as released", "marked"))
        train(
            network,
            task,
            TrainingConfig(epochs=self.epochs, lr=self.lr, schedule="one-cycle"),
            generator=generator,
            device=self.device,
            on_progress=lambda done, note, _: self.on_progress(done, note),
        )
        return network

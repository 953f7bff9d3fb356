"""Patches and mosaics after a training with crops and flips: how many questions a claim takes.

``tasks.study proof carriers`` marks a tenth of 12,000 images of each of the scale's datasets, one
key a carrier, and trains ResNet-18 for 8 epochs on them and on the images as they
were. A thief is verified over 50 orders of the test set, as it is and with its inputs blurred; an
honest model under 50 other keys. Writes ``carriers.csv``.
"""

import dataclasses
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torchvision.transforms.v2.functional import gaussian_blur

from datadeed.datasets.form.dataset import Dataset
from datadeed.files import write_text
from datadeed.keys.generation2 import CARRIERS, Design2, Key2
from datadeed.keys.key import Extent
from datadeed.models.classifier import Classifier
from datadeed.models.layers import initialise
from datadeed.models.model import Model
from datadeed.models.resnet import resnet18
from datadeed.models.training.config import TrainingConfig
from datadeed.models.training.loop import Loss, accuracy, cross_entropy, train
from datadeed.randomness import derive_seed, generator
from datadeed.thieves.practice.augmentations import crop
from datadeed.watermarks.carriers.registry import pool_images
from datadeed.watermarks.keyed2 import Keyed2
from datadeed.watermarks.marking import mark_dataset
from papers.base import Case, Lab
from papers.proof.keys import extent
from papers.proof.second import Suspect, row_of, verified

ROWS, RATE = 12_000, 0.1
EPOCHS, SEED = 8, 1
BLUR = 0.5  # standard deviation in pixels


@dataclass(frozen=True, eq=False)
class Setting:
    """A dataset of the scale, and the ends of its keys."""

    lab: Lab
    dataset: str
    data: Dataset
    pool: Dataset
    extents: tuple[Extent, Extent]
    parts: int = 12
    rate: float = RATE

    def key(self, carrier: str, name: str = "") -> Key2:
        """A public test key; the same parameters always give the same one."""
        design = Design2(
            classes=self.data.classes,
            channels=self.data.shape[0],
            targets=tuple(range(len(self.data.classes))),
            parts=self.parts,
            rate=self.rate,
            carrier={"name": carrier, **CARRIERS[carrier].usual},
        )
        text = f"public test key 2 {self.lab.seed} {self.dataset} carriers {carrier} {name}"
        secret, salt = (
            hashlib.sha256(f"{text} {role}".encode()).digest() for role in ("secret", "salt")
        )
        return Key2(secret, salt, design, *self.extents)

    def case(self, watermark: str) -> Case:
        """The names of one model."""
        return Case(self.dataset, "resnet18", watermark, SEED)


class Blurred(Suspect):
    """A model behind a filter: its inputs are blurred."""

    def answers(self, images: torch.Tensor) -> list[tuple[list[int], list[float]]]:
        """As :class:`Suspect` gives them."""
        return super().answers(blurred(images))


def blurred(images: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) uint8 images, blurred."""
    return gaussian_blur(images, [5, 5], [BLUR, BLUR])


def cropped(seed: int) -> Loss:
    """Cross-entropy of images that are moved at random."""
    draw = generator(seed, "crops")

    def loss(model: Model, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return cross_entropy(model, crop(x, draw), y)

    return loss


def trained(setting: Setting, data: Dataset, name: str, epochs: int | None = None) -> Model:
    """ResNet-18 of the scale's width, trained with flips and crops; for EPOCHS if not told."""
    lab, seed = setting.lab, derive_seed(setting.lab.seed, "carriers", setting.dataset, SEED)
    values = lab.settings("models", setting.dataset, "resnet18")
    epochs = epochs or EPOCHS
    config = TrainingConfig.from_dict({**values["training"], "epochs": epochs})
    network = resnet18(data.shape[0], len(data.classes), values["width"])
    initialise(network, generator(seed, "weights"))
    channels = data.shape[0]
    mean, std = values.get("mean", [0.0] * channels), values.get("std", [1.0] * channels)
    model = Classifier(network, mean, std, {})
    with lab.progress(epochs * len(data), "images", f"train {name}") as update:
        train(
            model,
            data,
            config,
            generator=generator(seed, "order"),
            loss=cropped(seed),
            device=lab.device,
            on_progress=lambda done, note, _: update(done, note),
        )
    return model


def thief_rows(setting: Setting, carrier: str) -> Iterator[dict[str, Any]]:
    """The model that learnt a carrier's marks, as it is and blurred."""
    key, runs = setting.key(carrier), setting.lab.params("experiments", "second", "runs")
    released, marks = mark_dataset(
        Keyed2(key=key, data=setting.data, pool=pool_images(key, setting.pool.samples)),
        setting.data,
        torch.Generator(),
    )
    model = trained(setting, released, carrier)
    rng = np.random.default_rng(derive_seed(setting.lab.seed, "carriers", setting.dataset))
    orders = [rng.permutation(len(setting.pool)) for _ in range(runs)]
    for name, kind in (("thief", Suspect), (f"thief, inputs blurred by {BLUR}", Blurred)):
        proofs = [verified(kind(model, setting.pool), key, order) for order in orders]
        row = row_of(name, setting.case(carrier), proofs)
        yield row | about(setting, model, kind is Blurred) | {"marks": len(marks)}


def about(setting: Setting, model: Model, filtered: bool = False) -> dict[str, Any]:
    """What every row of a model says besides."""
    pool = setting.pool
    if filtered:
        pool = pool.replace(samples=blurred(pool.samples), labels=pool.labels)
    return {"accuracy": accuracy(model, pool), "stage": "papers/proof/dvc.yaml:carriers"}


def rows_of(setting: Setting) -> Iterator[dict[str, Any]]:
    """A row a suspect."""
    carriers = setting.lab.params("carriers", "carriers")
    of = {name: dataclasses.replace(setting, parts=parts) for name, parts in carriers.items()}
    for carrier in carriers:
        yield from thief_rows(of[carrier], carrier)
    honest, order = trained(setting, setting.data, "honest"), np.arange(len(setting.pool))
    suspect = Suspect(honest, setting.pool)
    for carrier in carriers:
        runs = range(setting.lab.params("experiments", "second", "runs"))
        keys = [of[carrier].key(carrier, f"other {n}") for n in runs]
        proofs = [verified(suspect, key, order) for key in keys]
        row = row_of("honest", setting.case(carrier), proofs)
        yield row | about(setting, honest) | {"marks": 0}


def run(lab: Lab) -> None:
    """Write the table."""
    rows: list[dict[str, Any]] = []
    for dataset in lab.settings("second", "datasets"):
        source, pool = lab.train(dataset), lab.test(dataset)
        data = source.take(torch.arange(min(ROWS, len(source))))
        setting = Setting(lab, dataset, data, pool, (extent([data]), extent([pool])))
        for row in rows_of(setting):
            rows.append(row)
            text = pd.DataFrame(rows).to_csv(index=False, float_format="%.6g")
            write_text(lab.results / "carriers.csv", text)
            print(row)  # noqa: T201

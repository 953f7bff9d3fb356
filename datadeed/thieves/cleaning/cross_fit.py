"""One quick training that all cleaners share which need a model.

The data are cut into folds. A network is trained on all but one of them, so that every row has
answers of a network that never saw it, and of one that did.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from torch import nn

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import DatasetError, UnsupportedModality
from datadeed.models.classifier import Classifier
from datadeed.models.layers import GlobalAverage, initialise
from datadeed.models.model import Model
from datadeed.models.resnet import BasicBlock
from datadeed.models.training.config import TrainingConfig
from datadeed.models.training.loop import train

LARGEST = 32  # pixels: larger images are scaled down for the quick network
FOLDS = 2
WIDTH = 16  # channels of the quick network's first layer
ENOUGH = 15_000  # images: of more, one epoch will do
QUICK = TrainingConfig(epochs=1, lr=0.1, batch_size=64, schedule="one-cycle")

# Trains a model on data and gives it back in evaluation mode; calls the function that comes third
# with the model after its first epoch.
Trainer: TypeAlias = Callable[[Dataset, torch.Generator, Callable[[Model], None]], Model]


@dataclass(frozen=True, eq=False)
class CrossFit:
    """What networks that were trained on parts of a release say of its rows.

    Attributes:
        fold: (N,) int64, the fold that a row is in.
        held_out: (N, K) float64, probabilities by the network that was not trained on the row.
        features: (N, F) float32, penultimate features by a network that was.
        early, early_features: (N, K) float64 and (N, F) float32: the same network's probabilities
            and features after its first epoch.
    """

    fold: np.ndarray
    held_out: np.ndarray
    features: np.ndarray
    early: np.ndarray
    early_features: np.ndarray


def cross_fit(
    data: Dataset, *, generator: torch.Generator, trainer: Trainer | None = None, folds: int = FOLDS
) -> CrossFit:
    """Train on parts of a release, and ask of every row.

    With more than two folds a row's features are those of the network that was trained on all
    folds but the next one, so that the rows of a fold share a network.

    Args:
        data: the release, marks included.
        generator: a CPU generator; draws the folds, and what the trainings draw.
        trainer: trains one network; :func:`quick` by default, which takes images.
        folds: in how many parts the data are cut, 2 or more.

    Raises:
        DatasetError: there are fewer rows than two a fold.
        UnsupportedModality: no trainer is given and the data are no images.
    """
    n, classes = len(data), len(data.classes)
    if folds < 2 or n < 2 * folds:
        raise DatasetError(f"{n} rows cannot be cut into {folds} folds: give more rows")
    trainer = trainer or quick
    fold = (torch.randperm(n, generator=generator) % folds).numpy()
    held_out, early = np.zeros((2, n, classes))
    features: dict[str, np.ndarray] = {}

    def keep(name: str, rows: torch.Tensor, found: np.ndarray) -> None:
        features.setdefault(name, np.zeros((n, found.shape[1]), np.float32))[rows] = found

    for out in range(folds):
        rest, own = (torch.from_numpy(np.flatnonzero(x)) for x in (fold != out, fold == out))
        seen = torch.from_numpy(np.flatnonzero(fold == (out - 1) % folds))

        def first_epoch(model: Model, seen: torch.Tensor = seen) -> None:
            found, answers = _said(model, data.take(seen))
            early[seen] = answers
            keep("early", seen, found)

        model = trainer(data.take(rest), generator, first_epoch)
        held_out[own] = _said(model, data.take(own))[1]
        keep("last", seen, _said(model, data.take(seen))[0])
    return CrossFit(fold, held_out, features["last"], early, features["early"])


@torch.no_grad()
def _said(model: Model, data: Dataset, batch: int = 512) -> tuple[np.ndarray, np.ndarray]:
    """Features (N, F) float32 and probabilities (N, K) float64."""
    model.eval()
    encoded, parts = model.encode(data.samples), []
    for rows in torch.arange(len(data)).split(batch):
        with torch.autocast(model.device.type, torch.bfloat16):
            found = model.features(model.batch(encoded, rows).to(model.device))
        parts.append(found.float().cpu())
    found = torch.cat(parts)
    logits = model.output_layer.cpu()(found).double()
    model.output_layer.to(model.device)
    return found.numpy(), logits.softmax(1).numpy()


def quick(data: Dataset, generator: torch.Generator, first_epoch: Callable[[Model], None]) -> Model:
    """A :data:`Trainer` for images: a small residual network, an epoch or two with flips.

    A second epoch follows the first, from its learning rate on, unless there are many images.

    Raises:
        UnsupportedModality: the data are no images.
    """
    if data.modality != "image":
        raise UnsupportedModality(
            f"the quick network takes images, not {data.modality}: give a trainer"
        )
    model = _small(data, generator)
    train(model, data, QUICK, generator=generator)
    first_epoch(model)
    if len(data) <= ENOUGH:
        train(model, data, QUICK, generator=generator)
    return model.eval()


def _small(data: Dataset, generator: torch.Generator) -> Classifier:
    """A residual network of three blocks on maps of 16 x 16 at most."""
    (channels, height, width), classes = data.shape, len(data.classes)
    some = data.samples[:1000].float() / 255
    with torch.random.fork_rng(devices=[]):  # layers draw from the global state when made
        network = nn.Sequential(
            nn.AdaptiveAvgPool2d((min(height, LARGEST), min(width, LARGEST))),
            nn.Conv2d(channels, WIDTH, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(WIDTH),
            nn.ReLU(inplace=True),
            BasicBlock(WIDTH, WIDTH, 1),
            BasicBlock(WIDTH, 2 * WIDTH, 2),
            BasicBlock(2 * WIDTH, 4 * WIDTH, 2),
            GlobalAverage(),
            nn.Linear(4 * WIDTH, classes),
        )
    initialise(network, generator)
    mean, std = some.mean((0, 2, 3)), some.std((0, 2, 3)).clamp(min=0.01)
    return Classifier(network, mean.tolist(), std.tolist(), {"shape": list(data.shape)})

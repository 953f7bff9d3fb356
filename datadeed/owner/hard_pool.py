"""A pool of images that a surrogate of the owner's gets right, but barely: marks move them most.

What a trigger moves is seen on images whose own class is hard to see. A model is trained on the
data, and of the test split those images are written out whose right class it ranks first with the
least margin. Right, since an honest suspect should get most of the pool right
(:mod:`datadeed.owner.clean`). The pool is committed before the release, and chosen without any
suspect and any key: a claim stays exact, whatever is in it.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.formats.blocks import SeveralSplits
from datadeed.datasets.formats.registry import read
from datadeed.errors import DatasetError, UnsupportedModality
from datadeed.files import atomic_path
from datadeed.models.classifier import build
from datadeed.models.model import Model
from datadeed.models.training.config import TrainingConfig
from datadeed.models.training.loop import train
from datadeed.owner.data import Note, Progress, silent, unheard
from datadeed.owner.protect_crafting import device
from datadeed.randomness import generator

SHARE, LEAST = 0.2, 400  # of the images, and so many at least, where there are
STEPS, EPOCHS = 200_000, (4, 30)  # images that a training sees, and epochs that it has
FOLDS = 2  # halves of the data, each judged by a model of the other, where there is no test split


@dataclass(frozen=True)
class HardPool:
    """A pool that was written.

    Attributes:
        out: the file.
        images: in it; all are among the ``right`` of ``tested`` that the surrogate gets right.
        margin: the largest difference of two probabilities that is left, 0 to 1.
    """

    out: Path
    images: int
    right: int
    tested: int
    margin: float


def hard_pool(
    source: str | Path | Dataset,
    out: str | Path,
    *,
    split: str | None = None,
    pool: str | Path | Dataset | None = None,
    pool_split: str | None = None,
    size: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    progress: Progress = silent,
    note: Note = unheard,
) -> HardPool:
    """Write the images of a split that a quickly trained model gets right with the least margin.

    Args:
        source: the data to release, images of one size.
        out: the NPZ file to make.
        split: that is trained on, where there are several (train).
        pool: where the images are from: by default the test split of ``source``, or ``source``
            itself, halves of which are then judged by a model of the other half.
        pool_split: its split (test).
        size: how many images; by default a fifth of them, 400 at least.
        epochs: of a training; by default as many as show it 200,000 images, 4 to 30.
        seed: of the training; nothing of the surrogate need be secret.
        progress: is told of the images trained on.
        note: takes what the owner should know.

    Raises:
        DatasetError: ``out`` exists, the data cannot be read, images are of several sizes, or the
            surrogate gets too few right.
        UnsupportedModality: the data are no images.
    """
    out = Path(out)
    if out.suffix != ".npz" or out.exists():
        raise DatasetError(f"{out} exists or does not end in .npz: name a new file that does")
    data = _read(source, split, "train")
    tested = _tested(source, pool, pool_split)
    folds = [(data, None)] if tested is not None else _halves(data, seed)
    images = data if tested is None else tested
    if images.modality != "image" or data.shape != images.shape or data.classes != images.classes:
        raise UnsupportedModality("a hard pool is of images like those of the data: name others")
    margins = torch.full((len(images),), -1.0, dtype=torch.float64)
    for rows, judged in folds:
        model = _surrogate(rows, epochs, seed, progress)
        here = torch.arange(len(images)) if judged is None else judged
        margins[here] = margin(model, images.take(here))
    chosen = hardest(margins, size)
    _write(images.take(chosen), out)
    right = int((margins > 0).sum())
    note(f"surrogate: right on {right} of {len(images)} images that it was not trained on")
    return HardPool(out, len(chosen), right, len(images), float(margins[chosen].max()))


def margin(model: Model, images: Dataset, batch: int = 500) -> torch.Tensor:
    """(N,) float64: probability of the true class less the largest other one, -1 to 1."""
    found = []
    for start in range(0, len(images), batch):
        rows = images.slice(start, min(start + batch, len(images)))
        said = model.predict(rows.samples).double().cpu()
        own = said.gather(1, rows.labels[:, None])[:, 0]
        said.scatter_(1, rows.labels[:, None], -1.0)
        found.append(own - said.amax(1))
    return torch.cat(found)


def hardest(margins: torch.Tensor, size: int | None = None) -> torch.Tensor:
    """(M,) int64, ascending: the images of the least margins above 0.

    Args:
        margins: (N,), as :func:`margin` gives them.
        size: M; by default a fifth of all, 400 at least, but no more than are above 0.

    Raises:
        DatasetError: there are fewer than asked for, or none.
    """
    right = torch.nonzero(margins > 0)[:, 0]
    wanted = size if size is not None else max(LEAST, math.ceil(SHARE * len(margins)))
    if size is None:
        wanted = min(wanted, len(right))
    if not 0 < wanted <= len(right):
        raise DatasetError(
            f"{wanted} images were asked for, but the surrogate is right on {len(right)} of "
            f"{len(margins)}: ask for fewer, or train it for more epochs"
        )
    return right[margins[right].argsort(stable=True)[:wanted]].sort().values


def _read(source: str | Path | Dataset, split: str | None, default: str) -> Dataset:
    if isinstance(source, Dataset):
        return source
    try:
        return read(source, split=split)
    except SeveralSplits:
        return read(source, split=default)


def _tested(
    source: str | Path | Dataset, pool: str | Path | Dataset | None, pool_split: str | None
) -> Dataset | None:
    """The images to choose from; None if they are the data themselves."""
    if pool is not None:
        return _read(pool, pool_split, "test")
    if isinstance(source, Dataset):
        return None
    try:
        return read(source, split=pool_split or "test")
    except DatasetError:
        if pool_split is not None:
            raise
        return None


def _halves(data: Dataset, seed: int) -> list[tuple[Dataset, torch.Tensor | None]]:
    """To train on, and the rows that are judged."""
    order = torch.randperm(len(data), generator=generator(seed, "hard pool", "halves"))
    parts = order.chunk(FOLDS)
    rest = [torch.cat([p for m, p in enumerate(parts) if m != n]) for n in range(len(parts))]
    return [(data.take(rows), judged) for rows, judged in zip(rest, parts, strict=True)]


def _surrogate(data: Dataset, epochs: int | None, seed: int, progress: Progress) -> Model:
    low, high = EPOCHS
    epochs = epochs or min(high, max(low, round(STEPS / len(data))))
    config = TrainingConfig(epochs=epochs, lr=0.1, schedule="one-cycle")
    draw = generator(seed, "hard pool", "weights")
    levels = data.samples[:10_000].double() / 255
    mean, std = levels.mean((0, 2, 3)).tolist(), levels.std((0, 2, 3)).clamp(min=0.05).tolist()
    model = build(
        "resnet18",
        shape=data.shape,
        classes=len(data.classes),
        width=16,
        mean=mean,
        std=std,
        generator=draw,
    )
    with progress("train surrogate", epochs * len(data)) as advance:
        train(
            model,
            data,
            config,
            generator=generator(seed, "hard pool", "order"),
            device=device(),
            on_progress=lambda done, text, resumed: advance(done),
        )
    return model


def _write(images: Dataset, out: Path) -> None:
    pixels = np.ascontiguousarray(images.samples.permute(0, 2, 3, 1).numpy())
    with atomic_path(out) as path, path.open("wb") as file:
        np.savez_compressed(
            file,
            x=pixels,
            y=images.labels.numpy(),
            index=images.index.numpy(),
            classes=np.array(images.classes),
        )

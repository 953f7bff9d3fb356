"""One training loop for every model in the house.

The whole dataset sits on the device as one tensor; a batch is an index into it. Images are
augmented as a batch, in channels-last memory, and the network runs in bfloat16 autocast. The same
seed on the same machine with the same number of threads gives the same weights.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import torch
from torch.nn import functional as F

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import ParameterError
from datadeed.models.model import Model
from datadeed.models.training.augmentation import augment, draw_moves
from datadeed.models.training.config import TrainingConfig
from datadeed.models.training.optimiser import SGD, AdamW, Optimiser
from datadeed.models.training.state import restore_state, save_state
from datadeed.randomness import derive_seed

POOL = 50  # batches that are sorted by length together

# Of a model in training mode, a batch as its forward takes it and labels (B,) int64: the loss (),
# a mean over the batch that has gradients, and the logits (B, K). Autocast is on around it. It may
# take the model apart into ``features`` and ``output_layer``.
Loss: TypeAlias = Callable[[Model, torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


def cross_entropy(
    model: Model, x: torch.Tensor, y: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The usual :data:`Loss`."""
    logits = model(x)
    return F.cross_entropy(logits.float(), y), logits


@dataclass(frozen=True)
class _Run:
    """What every epoch of a training needs."""

    model: Model
    optimiser: Optimiser
    inputs: torch.Tensor  # (N, ...), on the device
    labels: torch.Tensor  # (N,) int64, on the device
    config: TrainingConfig
    loss: Loss
    generator: torch.Generator
    on_progress: Callable[[int, str, bool], None]


def train(
    model: Model,
    data: Dataset,
    config: TrainingConfig,
    *,
    generator: torch.Generator,
    loss: Loss = cross_entropy,
    test: Dataset | None = None,
    device: torch.device | str = "cpu",
    checkpoint: str | Path | None = None,
    fingerprint: str = "",
    on_progress: Callable[[int, str, bool], None] = lambda images, note, resumed: None,
) -> list[dict[str, float]]:
    """Train ``model`` in place.

    Args:
        model: weights already initialised.
        data: the training set.
        config: schedule, augmentation, precision.
        generator: a CPU generator; draws the order of images and the augmentation.
        loss: what a step descends.
        test: measured after each epoch when given.
        device: where to train; the model stays there.
        checkpoint: a folder that holds the state after each epoch; an existing one is resumed.
        fingerprint: names this run; a checkpoint with another one is refused.
        on_progress: called after every step with the samples done over all epochs, a note, and
            whether they were done before this call.

    Returns:
        A record an epoch: ``epoch`` (from 1), ``lr``, ``train_loss``, ``train_accuracy`` and, with
        a test set, ``test_accuracy``; accuracies from 0 to 1.

    Raises:
        CheckpointError: the checkpoint is damaged or of another run.
        ParameterError: images alone can be augmented.
    """
    if model.modality != "image" and (config.flip or config.rotation or config.shift):
        raise ParameterError(
            f"{model.modality} cannot be mirrored, rotated or moved: set flip to false, and "
            "rotation and shift to 0"
        )
    model.to(device).to(memory_format=torch.channels_last)
    optimiser = _optimiser(model, config)
    history: list[dict[str, float]] = []
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"optimiser.{name}": value for name, value in optimiser.buffers.items()}
    path = None if checkpoint is None else Path(checkpoint) / "checkpoint.safetensors"
    if path is not None:
        history = restore_state(path, fingerprint, tensors, generator, dict)
        if history:
            on_progress(len(history) * len(data), f"resumed after epoch {len(history)}", True)
    inputs, labels = model.encode(data.samples).to(device), data.labels.to(device)
    run = _Run(model, optimiser, inputs, labels, config, loss, generator, on_progress)
    with _deterministic():
        for epoch in range(len(history), config.epochs):
            with _dropout_seed(device, generator.initial_seed(), epoch):
                record = _epoch(run, epoch)
            if test is not None:
                record["test_accuracy"] = accuracy(model, test)
            history.append(record)
            if path is not None:
                save_state(path, fingerprint, tensors, generator, history)
    return history


def _epoch(run: _Run, epoch: int) -> dict[str, float]:
    """One pass over the data; returns its record."""
    run.model.train()
    n, device = len(run.labels), run.labels.device
    loss_sum = torch.zeros((), device=device)
    hits = torch.zeros((), dtype=torch.int64, device=device)
    seen, start, lr = 0, time.monotonic(), run.config.lr
    for batch in _batches(run):
        if len(batch) == 1:  # batch norm cannot normalise a single value
            continue
        lr = run.config.lr_at(epoch + seen / n)
        loss, logits, y = _step(run, batch, lr)
        loss_sum += loss * len(batch)
        hits += (logits.argmax(1) == y).sum()
        seen += len(batch)
        # On a GPU now and then: item() waits for it.
        if device.type == "cpu" or seen % (50 * run.config.batch_size) == 0:
            rate = seen / (time.monotonic() - start)
            note = f"epoch {epoch + 1}/{run.config.epochs}, accuracy {hits.item() / seen:.3f}"
            run.on_progress(epoch * n + seen, f"{note}, {rate:,.0f}/s", False)
    return {
        "epoch": epoch + 1,
        "lr": round(lr, 8),
        "train_loss": loss_sum.item() / seen,
        "train_accuracy": hits.item() / seen,
    }


def _step(
    run: _Run, batch: torch.Tensor, lr: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """One update on the rows ``batch`` (CPU, int64); returns the loss, logits and labels."""
    config, device = run.config, run.labels.device
    rows = batch.to(device)
    x, y = run.model.batch(run.inputs, rows), run.labels[rows]
    if run.model.modality == "image":
        flips = torch.rand(len(batch), generator=run.generator) < 0.5 if config.flip else None
        angles = (2 * torch.rand(len(batch), generator=run.generator) - 1) * config.rotation
        moves = draw_moves(len(batch), config.shift, run.generator)
        x = augment(x, flips, angles, moves)  # (B, C, H, W)
    with torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bf16"):
        loss, logits = run.loss(run.model, x, y)
    loss.backward()
    run.optimiser.step(lr)
    return loss.detach(), logits.detach(), y


def _optimiser(model: Model, config: TrainingConfig) -> Optimiser:
    if config.optimiser == "adamw":
        return AdamW(model.named_parameters(), weight_decay=config.weight_decay)
    return SGD(model.named_parameters(), momentum=config.momentum, weight_decay=config.weight_decay)


def _batches(run: _Run) -> Sequence[torch.Tensor]:
    """Rows, int64 on the CPU, of every batch of an epoch."""
    size = run.config.batch_size
    order = torch.randperm(len(run.labels), generator=run.generator)
    if not run.config.bucketed:
        return order.split(size)
    lengths = run.model.lengths(run.inputs).cpu()
    pools = [pool[lengths[pool].argsort(stable=True)] for pool in order.split(POOL * size)]
    batches = [batch for pool in pools for batch in pool.split(size)]
    return [batches[i] for i in torch.randperm(len(batches), generator=run.generator).tolist()]


def accuracy(model: Model, data: Dataset) -> float:
    """Share of ``data`` that ``model`` classifies correctly, from 0 to 1."""
    predictions = model.predict(data.samples).argmax(1)
    return (predictions == data.labels).double().mean().item()


@contextlib.contextmanager
def _deterministic() -> Iterator[None]:
    """cuDNN's deterministic algorithms inside the block; the old settings come back after it."""
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before


@contextlib.contextmanager
def _dropout_seed(device: torch.device | str, seed: int, epoch: int) -> Iterator[None]:
    """Dropout can only draw from the global state: seeded inside the block, restored after it."""
    devices = [] if torch.device(device).type == "cpu" else [device]
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(derive_seed(seed, "dropout", epoch))
        yield

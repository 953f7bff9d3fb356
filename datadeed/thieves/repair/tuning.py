"""Changing a finished model by a few hundred steps on a few samples: the loop of every repair."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import nn

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import ParameterError
from datadeed.models.model import Model
from datadeed.models.training.augmentation import augment
from datadeed.models.training.loop import Loss
from datadeed.models.training.optimiser import SGD
from datadeed.thieves.repair.base import OnStep

# Of a model, a batch as its forward takes it and labels (B,) int64: leaves gradients in the
# parameters that should change.
Descend: TypeAlias = Callable[[Model, torch.Tensor, torch.Tensor], None]
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """How to tune.

    Attributes:
        steps: updates.
        lr: learning rate, constant.
        batch_size: samples a step; all of them where there are fewer.
        momentum, weight_decay: of SGD; weight decay applies to every parameter.
        batch_norm: "adapt" (the statistics of each batch, whose running mean the model keeps) or
            "frozen" (the suspect's own statistics; scale and shift are still tuned).
        flip: mirror each image with probability 0.5, as the training did or did not.
        every: steps between two calls of ``on_step``.

    Raises:
        ParameterError: a value makes no sense.
    """

    steps: int
    lr: float
    batch_size: int = 128
    momentum: float = 0.9
    weight_decay: float = 0.0
    batch_norm: str = "adapt"
    flip: bool = False
    every: int = 50

    def __post_init__(self) -> None:
        if self.batch_norm not in ("adapt", "frozen"):
            raise ParameterError(f"batch_norm {self.batch_norm!r}: use adapt or frozen")
        if self.steps < 1 or self.batch_size < 2 or not self.lr > 0 or self.every < 1:
            raise ParameterError(
                f"steps {self.steps}, batch_size {self.batch_size}, lr {self.lr}, every "
                f"{self.every}: need steps and every >= 1, batch_size >= 2, lr > 0"
            )
        if not 0 <= self.momentum < 1 or not self.weight_decay >= 0:
            raise ParameterError(
                f"momentum {self.momentum}, weight_decay {self.weight_decay}: give momentum from 0 "
                "up to 1 and weight_decay of 0 or more"
            )


def tune(
    model: Model,
    data: Dataset,
    how: Tuning,
    descend: Descend,
    *,
    generator: torch.Generator,
    on_step: OnStep,
) -> None:
    """Tune ``model`` in place, and leave it in evaluation mode.

    Args:
        model: on the device to compute on.
        data: the samples to tune on.
        how: steps and their size.
        descend: what a step follows.
        generator: a CPU generator; draws batches and augmentation.
        on_step: told of the model every ``how.every`` steps and after the last one.

    Raises:
        ParameterError: images alone can be mirrored.
    """
    if how.flip and model.modality != "image":
        raise ParameterError(f"{model.modality} cannot be mirrored: set flip to false")
    device = model.device
    inputs, labels = model.encode(data.samples).to(device), data.labels.to(device)
    optimiser = SGD(model.named_parameters(), momentum=how.momentum, weight_decay=how.weight_decay)
    batches = _batches(len(data), how.batch_size, generator)
    with _reproducible(device, generator):
        for step in range(1, how.steps + 1):
            rows = next(batches)
            x, y = model.batch(inputs, rows.to(device)), labels[rows.to(device)]
            if how.flip:
                flips = torch.rand(len(rows), generator=generator) < 0.5
                x = augment(x, flips, torch.zeros(len(rows)))
            _training_mode(model, how.batch_norm)
            descend(model, x, y)
            optimiser.step(how.lr)
            model.eval()
            if step % how.every == 0 or step == how.steps:
                on_step(step, model)


def follow(loss: Loss) -> Descend:
    """Descends a loss, computed in bfloat16 autocast."""

    def descend(model: Model, x: torch.Tensor, y: torch.Tensor) -> None:
        with torch.autocast(x.device.type, torch.bfloat16):
            value, _ = loss(model, x, y)
        value.backward()

    return descend


@contextlib.contextmanager
def watched(modules: list[nn.Module]) -> Iterator[dict[nn.Module, torch.Tensor]]:
    """Inside the block each forward pass leaves the modules' outputs in the dictionary."""
    seen: dict[nn.Module, torch.Tensor] = {}

    def keep(module: nn.Module, _: object, output: torch.Tensor) -> None:
        seen[module] = output

    hooks = [module.register_forward_hook(keep) for module in modules]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


@contextlib.contextmanager
def _reproducible(device: torch.device, generator: torch.Generator) -> Iterator[None]:
    """Dropout draws from the global state: seeded inside the block, restored after it; cuDNN's
    deterministic algorithms."""
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    devices = [] if device.type == "cpu" else [device]
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(int(torch.randint(2**62, (), generator=generator)))
        cudnn.deterministic, cudnn.benchmark = True, False
        try:
            yield
        finally:
            cudnn.deterministic, cudnn.benchmark = before


def _batches(n: int, size: int, generator: torch.Generator) -> Iterator[torch.Tensor]:
    """Rows (B,) int64, of one random order after another without a gap."""
    size, waiting = min(size, n), torch.empty(0, dtype=torch.int64)
    while True:
        while len(waiting) < size:
            waiting = torch.cat([waiting, torch.randperm(n, generator=generator)])
        yield waiting[:size]
        waiting = waiting[size:]


def _training_mode(model: Model, batch_norm: str) -> None:
    model.train()
    if batch_norm == "frozen":
        for module in model.modules():
            if isinstance(module, NORMS):
                module.eval()

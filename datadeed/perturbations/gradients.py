"""Gradients over a surrogate's weights, and the loss that compares them."""

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import nn
from torch.nn import functional as F

from datadeed.models.classifier import Classifier

Gradients = Sequence[torch.Tensor]  # one a parameter


def matching_loss(
    model: Classifier, x: torch.Tensor, y: torch.Tensor, wanted: Gradients, precision: str
) -> torch.Tensor:
    """1 - cos(wanted, gradient of the cross-entropy over the weights); differentiable in ``x``.

    Args:
        model: in evaluation mode afterwards, as the published methods craft.
        x: (B, C, H, W) float, 0 to 1. y: (B,) int64.
        wanted: one tensor a parameter.
        precision: "bf16" or "fp32".
    """
    model.eval()
    autocast = torch.autocast(x.device.type, torch.bfloat16, enabled=precision == "bf16")
    with autocast, affine_norms(model):
        logits = model(x.contiguous(memory_format=torch.channels_last))
    loss = F.cross_entropy(logits.float(), y)
    found = torch.autograd.grad(loss, list(model.parameters()), create_graph=True)
    dot = torch.stack([(a * b).sum() for a, b in zip(found, wanted, strict=True)]).sum()
    squares = [torch.stack([(a * a).sum() for a in one]).sum() for one in (found, wanted)]
    # A root has no gradient at 0, which a batch that is fitted perfectly has as its length.
    lengths = [square.clamp_min(torch.finfo(square.dtype).tiny).sqrt() for square in squares]
    return 1 - dot / (lengths[0] * lengths[1]).clamp_min(1e-12)


@contextlib.contextmanager
def affine_norms(model: nn.Module) -> Iterator[None]:
    """Inside the block batch norms compute their evaluation mode as a product and a sum.

    The same function, but differentiating it twice takes two thirds of the time.
    """
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    try:
        for norm in norms:
            norm.forward = functools.partial(_affine, norm)  # type: ignore[method-assign]
        yield
    finally:
        for norm in norms:
            vars(norm).pop("forward", None)


def _affine(norm: nn.BatchNorm2d, x: torch.Tensor) -> torch.Tensor:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    offset = norm.bias - norm.running_mean * scale
    scale, offset = (value.to(x.dtype).view(1, -1, 1, 1) for value in (scale, offset))
    return x * scale + offset


def objective_gradient(
    model: Classifier,
    images: torch.Tensor,
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    labels: torch.Tensor,
    *,
    batch_size: int = 256,
) -> list[torch.Tensor]:
    """The gradient over the weights of a mean loss, in float32 and evaluation mode.

    Args:
        model: the surrogate.
        images: (N, C, H, W) uint8, N at least 1.
        loss: maps logits (B, K) float and labels (B,) to () float, the mean over a batch.
        labels: (N,) int64.
    """
    model.eval()
    device, parameters = model.mean.device, list(model.parameters())
    total = [torch.zeros_like(p) for p in parameters]
    for x, y in zip(images.split(batch_size), labels.split(batch_size), strict=True):
        mean = loss(model(x.to(device)), y.to(device)) * (len(x) / len(images))
        parts = torch.autograd.grad(mean, parameters)
        total = [sum_ + part for sum_, part in zip(total, parts, strict=True)]
    return total


def gradient_norms(
    model: Classifier,
    images: torch.Tensor,
    labels: torch.Tensor,
    rows: torch.Tensor,
    on_progress: Callable[[int], None] = lambda done: None,
) -> torch.Tensor:
    """Length of each row's cross-entropy gradient over the weights, (M,) float32.

    One sample at a time, in evaluation mode: samples with long gradients move a victim most.

    Args:
        model: the surrogate.
        images: (N, C, H, W) uint8. labels: (N,) int64.
        rows: (M,) int64, positions; so that nobody copies a whole dataset's images.
        on_progress: called with the number done.
    """
    model.eval()
    device, parameters = model.mean.device, list(model.parameters())
    norms = torch.empty(len(rows))
    for i, row in enumerate(rows.tolist()):
        x, y = (part[row : row + 1].to(device) for part in (images, labels))
        loss = F.cross_entropy(model(x), y)
        parts = torch.autograd.grad(loss, parameters)
        norms[i] = torch.stack([part.square().sum() for part in parts]).sum().sqrt().item()
        on_progress(i + 1)
    return norms

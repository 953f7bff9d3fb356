"""Optimisers. Both keep their state in named ``buffers``, which a checkpoint can hold."""

from typing import Protocol

import torch
from torch import nn


class Optimiser(Protocol):
    """What the training loop and its checkpoints need."""

    buffers: dict[str, torch.Tensor]

    def step(self, lr: float) -> None:
        """Update every parameter that has a gradient, and drop the gradients."""


class SGD:
    """v <- momentum v + gradient + weight_decay p;  p <- p - lr v (Sutskever et al. 2013).

    The same steps as ``torch.optim.SGD``, which takes 6 s of processor time to construct because
    it imports PyTorch's compiler: a tenth of a lite training (docs/decisions.md).

    Args:
        model: its parameters are updated; weight decay applies to all of them.
        momentum, weight_decay: as above.
    """

    def __init__(self, model: nn.Module, *, momentum: float, weight_decay: float):
        self._parameters = dict(model.named_parameters())
        self.momentum, self.weight_decay = momentum, weight_decay
        self.buffers = {name: torch.zeros_like(p) for name, p in self._parameters.items()}

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """Update every parameter that has a gradient, and drop the gradients."""
        for name, parameter in self._parameters.items():
            if parameter.grad is None:
                continue
            change = parameter.grad.add_(parameter, alpha=self.weight_decay)
            buffer = self.buffers[name].mul_(self.momentum).add_(change)
            parameter.sub_(buffer, alpha=lr)
            parameter.grad = None


class AdamW:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019), betas 0.9 and 0.999.

    The same steps as ``torch.optim.AdamW``, which is left out for the reason that SGD's is.

    Args:
        model: its parameters are updated; weight decay applies to all but vectors (biases, norms).
        weight_decay: times lr, the share by which a parameter shrinks a step.
    """

    BETAS, EPSILON = (0.9, 0.999), 1e-8

    def __init__(self, model: nn.Module, *, weight_decay: float):
        self._parameters = dict(model.named_parameters())
        self.weight_decay = weight_decay
        self.buffers = {"steps": torch.zeros((), dtype=torch.int64)}
        for name, p in self._parameters.items():
            self.buffers[f"mean.{name}"] = torch.zeros_like(p)
            self.buffers[f"square.{name}"] = torch.zeros_like(p)

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """Update every parameter that has a gradient, and drop the gradients."""
        self.buffers["steps"] += 1
        first, second = (1 - beta ** int(self.buffers["steps"]) for beta in self.BETAS)
        for name, parameter in self._parameters.items():
            gradient, parameter.grad = parameter.grad, None
            if gradient is None:
                continue
            if parameter.ndim > 1:
                parameter.mul_(1 - lr * self.weight_decay)
            mean, square = self.buffers[f"mean.{name}"], self.buffers[f"square.{name}"]
            mean.lerp_(gradient, 1 - self.BETAS[0])
            square.mul_(self.BETAS[1]).addcmul_(gradient, gradient, value=1 - self.BETAS[1])
            size = (square.sqrt() / second**0.5).add_(self.EPSILON)
            parameter.addcdiv_(mean, size, value=-lr / first)

"""PyTorch's optimiser steps, with all that they keep in named ``buffers``, which a file can hold.

Its functions and not its classes: constructing one of those imports PyTorch's compiler, which takes
6 s of processor time, a tenth of a lite training (docs/decisions.md).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable

import torch
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd


class Optimiser(ABC):
    """Updates tensors in place, from their gradients.

    Args:
        parameters: names and float tensors, such as a module's ``named_parameters()``.

    Attributes:
        buffers: what it knows of earlier steps, by name; on the devices of the parameters.
    """

    def __init__(self, parameters: Iterable[tuple[str, torch.Tensor]]):
        self._parameters = dict(parameters)
        self.buffers: dict[str, torch.Tensor] = {}

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """Update every parameter that has a gradient, and drop the gradients."""
        self._update({n: p.grad for n, p in self._parameters.items() if p.grad is not None}, lr)
        for parameter in self._parameters.values():
            parameter.grad = None

    @abstractmethod
    def _update(self, gradients: dict[str, torch.Tensor], lr: float) -> None:
        """Update the parameters of these names."""


class SGD(Optimiser):
    """v <- momentum v + gradient + weight_decay p;  p <- p - lr v (Sutskever et al. 2013).

    Args:
        parameters: as :class:`Optimiser` takes them; weight decay applies to all of them.
        momentum, weight_decay: as above.
    """

    def __init__(
        self,
        parameters: Iterable[tuple[str, torch.Tensor]],
        *,
        momentum: float,
        weight_decay: float,
    ):
        super().__init__(parameters)
        self.momentum, self.weight_decay = momentum, weight_decay
        self.buffers = {name: torch.zeros_like(p) for name, p in self._parameters.items()}

    def _update(self, gradients: dict[str, torch.Tensor], lr: float) -> None:
        sgd(
            [self._parameters[name] for name in gradients],
            list(gradients.values()),
            [self.buffers[name] for name in gradients],
            foreach=False,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            lr=lr,
            dampening=0.0,
            nesterov=False,
            maximize=False,
        )


class AdamW(Optimiser):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019), betas 0.9 and 0.999.

    Args:
        parameters: as :class:`Optimiser` takes them; weight decay applies to all but vectors
            (biases, norms).
        weight_decay: times lr, the share by which a parameter shrinks a step; with 0 this is Adam
            (Kingma & Ba 2015).
    """

    def __init__(self, parameters: Iterable[tuple[str, torch.Tensor]], *, weight_decay: float):
        super().__init__(parameters)
        self.weight_decay = weight_decay
        self.buffers["steps"] = torch.zeros((), dtype=torch.int64)
        for name, p in self._parameters.items():
            self.buffers[f"mean.{name}"] = torch.zeros_like(p)
            self.buffers[f"square.{name}"] = torch.zeros_like(p)

    def _update(self, gradients: dict[str, torch.Tensor], lr: float) -> None:
        for vectors, weight_decay in ((False, self.weight_decay), (True, 0.0)):
            chosen = {name: g for name, g in gradients.items() if (g.ndim <= 1) == vectors}
            adamw(
                [self._parameters[name] for name in chosen],
                list(chosen.values()),
                [self.buffers[f"mean.{name}"] for name in chosen],
                [self.buffers[f"square.{name}"] for name in chosen],
                [],
                [self.buffers["steps"].clone() for _ in chosen],  # each is counted up
                foreach=False,
                amsgrad=False,
                beta1=0.9,
                beta2=0.999,
                lr=lr,
                weight_decay=weight_decay,
                eps=1e-8,
                maximize=False,
            )
        self.buffers["steps"] += 1

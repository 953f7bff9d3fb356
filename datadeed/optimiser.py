"""Stochastic gradient descent with momentum (Sutskever et al. 2013, in PyTorch's form)."""

import torch
from torch import nn


class SGD:
    """v <- momentum v + gradient + weight_decay p;  p <- p - lr v.

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

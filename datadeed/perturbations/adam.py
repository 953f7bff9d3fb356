"""Adam (Kingma and Ba 2015) for one tensor."""

import torch


class Adam:
    """The same steps as ``torch.optim.Adam``, bit for bit, with its betas of 0.9 and 0.999.

    That one takes many seconds to construct because it imports PyTorch's compiler
    (docs/decisions.md).

    Args:
        x: the tensor that is changed, float.

    Attributes:
        state: ``step`` (), and ``exp_avg`` and ``exp_avg_sq`` of the tensor's shape.
    """

    def __init__(self, x: torch.Tensor):
        self.state = {
            "step": torch.zeros(()),
            "exp_avg": torch.zeros_like(x),
            "exp_avg_sq": torch.zeros_like(x),
        }

    @torch.no_grad()
    def step(self, x: torch.Tensor, gradient: torch.Tensor, lr: float) -> None:
        """Change ``x`` in place, against ``gradient``, by about ``lr``."""
        step, mean, square = self.state.values()
        step += 1
        mean.lerp_(gradient, 1 - 0.9)
        square.mul_(0.999).addcmul_(gradient, gradient, value=1 - 0.999)
        corrections = [1 - beta ** step.item() for beta in (0.9, 0.999)]
        scale = square.sqrt().div_(corrections[1] ** 0.5).add_(1e-8)
        x.addcdiv_(mean, scale, value=-lr / corrections[0])

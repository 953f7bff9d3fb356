"""What the models of every modality have in common."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from torch import nn

from datadeed.datasets.form.dataset import Form


class Model(nn.Module, ABC):
    """Samples in, logits out; scaling or tokenising is part of the model and of its file.

    Attributes:
        modality: what a sample is.
        config: JSON values; :meth:`from_config` makes the same model from them.
    """

    modality: ClassVar[str]
    config: dict[str, Any]

    @classmethod
    @abstractmethod
    def new(
        cls,
        network: str,
        *,
        form: Form,
        classes: int,
        generator: torch.Generator,
        **settings: Any,
    ) -> "Model":
        """A model for such data, ready to be trained.

        Args:
            network: which one; each subclass lists its own.
            form: of the samples.
            classes: number of classes.
            generator: draws the weights.
            settings: what only this network knows.

        Raises:
            ModelError: unknown network, or values that it cannot take.
        """

    @classmethod
    @abstractmethod
    def from_config(cls, config: dict[str, Any]) -> "Model":
        """A model with any weights, to load others into.

        Raises:
            ModelError, KeyError, TypeError, ValueError: ``config`` describes no such model.
        """

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @property
    def output_layer(self) -> nn.Linear:
        """The last layer with weights, from (N, F) features to (N, K) logits."""
        return [module for module in self.modules() if isinstance(module, nn.Linear)][-1]

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Penultimate features, (N, F) float, of what :meth:`forward` takes; with gradients.

        ``forward(x)`` is ``output_layer(features(x))``. F is ``output_layer.in_features``; each
        network says it for its width.
        """
        found: list[torch.Tensor] = []
        layer = self.output_layer
        hook = layer.register_forward_pre_hook(lambda _, inputs: found.append(inputs[0]))
        try:
            self(x)
        finally:
            hook.remove()
        return found[-1]

    @abstractmethod
    def encode(self, samples: Any) -> torch.Tensor:
        """All samples as one tensor on the CPU, the first axis N, to cut batches from."""

    def batch(self, encoded: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """What :meth:`forward` takes, of some rows ((B,) int64) of encoded samples."""
        return encoded[rows]

    def lengths(self, encoded: torch.Tensor) -> torch.Tensor:
        """(N,) int64: what a sample costs, to make batches of samples that cost the same."""
        return torch.ones(len(encoded), dtype=torch.int64)

    @abstractmethod
    def predict(self, samples: Any, *, batch_size: int = 512) -> torch.Tensor:
        """Softmax probabilities, (N, K) float32 on the CPU."""

"""Whatever answers queries. Here: a model in memory or in a local safetensors folder."""

from typing import Protocol

import torch


class Suspect(Protocol):
    """A model under suspicion, seen through its answers alone."""

    def predict(self, images: torch.Tensor) -> torch.Tensor:
        """Class probabilities, (N, K) float32, of (N, C, H, W) uint8 images."""


__all__ = ["Suspect"]

"""A model of which a test writes what it needs."""

from typing import Any

import torch

from datadeed.models.model import Model


class ToyModel(Model):
    """A model without weights to load, and without training."""

    @classmethod
    def new(cls, network: str, **values: Any) -> Model:
        """Not used."""
        raise AssertionError("a toy is made by hand")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Model:
        """Not used."""
        raise AssertionError("a toy is not loaded")

    def encode(self, samples: Any) -> torch.Tensor:
        """Not used."""
        raise AssertionError("a toy is not trained")

    def predict(self, samples: Any, *, batch_size: int = 512) -> torch.Tensor:
        """Not used."""
        raise AssertionError("a toy is not asked")

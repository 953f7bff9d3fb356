"""What every trick at a server has in common: images come in, probabilities or nothing go out."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch


class Answering(Protocol):
    """What answers images: a model, or one that is served with a trick, so that tricks add up."""

    def predict(self, samples: torch.Tensor) -> torch.Tensor:
        """Probabilities, (N, K) float, of (N, C, H, W) uint8 images; NaN in a row: no answer."""


class Trick(ABC):
    """Something that a thief does at his server; its parameters are the constructor's.

    Attributes:
        labels_only: whether the answers are labels, and their probabilities 0 and 1 mean nothing.
    """

    name: ClassVar[str]
    labels_only: ClassVar[bool] = False

    def serve(self, model: Answering, *, generator: torch.Generator) -> "Served":
        """The model as strangers see it.

        Args:
            model: not altered.
            generator: a CPU generator; draws what the trick does at random, anew for each question.
        """
        return Served(model, self, generator)

    @abstractmethod
    def answer(
        self, model: Answering, images: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """What :meth:`Served.predict` gives for (N, C, H, W) uint8 images."""


@dataclass(frozen=True, eq=False)
class Served:
    """A model behind a trick.

    The same question may get another answer when it comes again, as it would from the server.
    """

    model: Answering
    trick: Trick
    generator: torch.Generator

    @property
    def labels_only(self) -> bool:
        """Whether the answers are labels, of this trick or of one below it."""
        return self.trick.labels_only or getattr(self.model, "labels_only", False)

    @torch.no_grad()
    def predict(self, samples: torch.Tensor) -> torch.Tensor:
        """Probabilities, (N, K) float; a row of NaN is a question that got no answer.

        Args:
            samples: (N, C, H, W) uint8, N of 1 or more; not changed.
        """
        return self.trick.answer(self.model, samples, self.generator)

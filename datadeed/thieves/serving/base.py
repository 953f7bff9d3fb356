"""What every trick at a server has in common: images come in, answers or nothing go out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch

from datadeed.thieves.served import Answer


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

    def serve(
        self, model: Answering, groups: Sequence[Sequence[int]], *, generator: torch.Generator
    ) -> "Server":
        """The model as strangers see it.

        Args:
            model: not altered.
            groups: of each label that it gives, the classes of the task that it stands for.
            generator: a CPU generator; draws what the trick does at random, anew for each question.
        """
        return Server(model, self, [list(group) for group in groups], generator)

    @abstractmethod
    def answer(
        self, model: Answering, images: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """What :meth:`Server.predict` gives for (N, C, H, W) uint8 images."""


@dataclass(eq=False)
class Server:
    """A model behind a trick: a :class:`datadeed.thieves.served.Endpoint`.

    The same question may get another answer when it comes again, as it would from the server.
    """

    model: Answering
    trick: Trick
    groups: list[list[int]]
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

    def answers(self, images: torch.Tensor) -> list[Answer]:
        """All labels, best first, or the best alone; None where there is no answer."""
        given = self.predict(images).double()
        silent = given.isnan().any(1).tolist()
        scores, order = given.sort(dim=1, descending=True, stable=True)
        labels = [[self.groups[k][0] for k in row] for row in order.tolist()]
        said = zip(silent, labels, scores.clamp(max=1.0).tolist(), strict=True)
        if self.labels_only:
            return [None if no else (best[:1], []) for no, best, _ in said]
        return [None if no else (best, probabilities) for no, best, probabilities in said]

"""A model behind an endpoint: what a thief's server makes of images, and of the model's answers."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

import numpy as np
import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.models.model import Model

# The labels that an endpoint gives, best first, and their probabilities, which may be missing; None
# where it gives no answer.
Answer: TypeAlias = tuple[list[int], list[float]] | None
View: TypeAlias = Callable[[torch.Tensor], torch.Tensor]  # of (N, C, H, W) uint8 images


class Endpoint(Protocol):
    """What can be asked.

    Attributes:
        groups: of each label that it gives, the classes of the task that it stands for.
    """

    groups: list[list[int]]

    def answers(self, images: torch.Tensor) -> list[Answer]:
        """An answer for each of (N, C, H, W) uint8 images; of a group it names the first class."""


class Served:
    """A model as it is.

    Args:
        model: asked for probabilities.
        groups: of each of its labels, in order.
        view: what is done to every image before the model sees it.
    """

    def __init__(self, model: Model, groups: Sequence[Sequence[int]], view: View | None = None):
        self.model, self.groups = model, [list(group) for group in groups]
        self._view = view

    def answers(self, images: torch.Tensor) -> list[Answer]:
        """All labels, best first."""
        if self._view is not None:
            images = self._view(images)
        scores, order = (
            self.model.predict(images).double().sort(dim=1, descending=True, stable=True)
        )
        labels = [[self.groups[k][0] for k in row] for row in order.tolist()]
        return list(zip(labels, scores.clamp(max=1.0).tolist(), strict=True))


def own_classes(count: int) -> list[list[int]]:
    """The groups of a model with a label for each of ``count`` classes."""
    return [[k] for k in range(count)]


def accuracy(endpoint: Endpoint, test: Dataset) -> float:
    """Share of right first labels, of the images whose class the endpoint has."""
    first = {member: group[0] for group in endpoint.groups for member in group}
    true = np.array([first.get(label, -1) for label in test.labels.tolist()])
    shown = torch.from_numpy(np.flatnonzero(true >= 0))
    said = [top(answer) for answer in endpoint.answers(test.samples[shown])]
    return float((np.array(said) == true[shown.numpy()]).mean())


def top(answer: Answer) -> int:
    """The first label of an answer; -1 without one."""
    return answer[0][0] if answer and answer[0] else -1


class Merged(Served):
    """A model of all classes that serves some of them, merged into groups.

    Args:
        model: with an output a class.
        groups: of classes.
    """

    def __init__(self, model: Model, groups: Sequence[Sequence[int]]):
        super().__init__(model, groups)

    def answers(self, images: torch.Tensor) -> list[Answer]:
        """All groups, best first; their probabilities are summed and made to sum to one."""
        found = self.model.predict(images).double()
        grouped = torch.stack([found[:, group].sum(1) for group in self.groups], 1)
        grouped /= grouped.sum(1, keepdim=True)
        scores, order = grouped.sort(dim=1, descending=True, stable=True)
        labels = [[self.groups[g][0] for g in row] for row in order.tolist()]
        return list(zip(labels, scores.clamp(max=1.0).tolist(), strict=True))

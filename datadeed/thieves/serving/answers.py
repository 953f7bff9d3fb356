"""Tricks with answers: they are blurred, drawn at random, voted on, or cut to a label."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.nn import functional as F

from datadeed.errors import ParameterError
from datadeed.thieves.repair import inputs
from datadeed.thieves.serving.base import Answering, Trick


class Plain(Trick):
    """No trick: the server gives the model's probabilities."""

    name: ClassVar[str] = "none"

    def answer(
        self, model: Answering, images: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """See :meth:`Trick.answer`."""
        return model.predict(images)


class LabelsOnly(Trick):
    """The best label, as a probability of 1."""

    name: ClassVar[str] = "labels-only"
    labels_only: ClassVar[bool] = True

    def answer(
        self, model: Answering, images: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """See :meth:`Trick.answer`."""
        return _one_hot(model.predict(images))


@dataclass(frozen=True, kw_only=True)
class OutputNoise(Trick):
    """Adds normal noise to each probability, cuts what is below 0, and makes the sum 1 again.

    Attributes:
        sigma: standard deviation, above 0.
    """

    name: ClassVar[str] = "output-noise"

    sigma: float = 0.1

    def __post_init__(self) -> None:
        if not self.sigma > 0:
            raise ParameterError(f"output-noise: sigma {self.sigma}; give one above 0")

    def answer(
        self, model: Answering, images: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """See :meth:`Trick.answer`; where noise leaves nothing, all classes get the same."""
        scores = model.predict(images)
        noisy = (scores + self.sigma * torch.randn(scores.shape, generator=generator)).clamp(min=0)
        empty = (noisy.sum(1, keepdim=True) == 0).to(noisy.dtype)  # NaN stays NaN
        noisy = noisy + empty
        return noisy / noisy.sum(1, keepdim=True)


@dataclass(frozen=True, kw_only=True)
class RandomAnswers(Trick):
    """Answers some questions at random: a class drawn among all changes places with the best.

    Attributes:
        share: of the questions, 0 to 1; among K classes one in K of them is answered as ever.
    """

    name: ClassVar[str] = "random-answers"

    share: float = 0.3

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ParameterError(f"random-answers: share {self.share}; give one from 0 to 1")

    def answer(
        self, model: Answering, images: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """See :meth:`Trick.answer`."""
        scores = model.predict(images).clone()
        n, classes = scores.shape
        here = (torch.rand(n, generator=generator) < self.share).nonzero().squeeze(1)
        drawn = torch.randint(classes, (n,), generator=generator)[here]
        best = scores[here].argmax(1)
        first, other = scores[here, best], scores[here, drawn]
        scores[here, best], scores[here, drawn] = other, first
        return scores


@dataclass(frozen=True, kw_only=True)
class Smoothing(Trick):
    """Randomised smoothing (Cohen et al. 2019): the label that most noisy copies get.

    The probabilities are the shares of the copies. The repair
    :class:`datadeed.thieves.repair.inputs.Smoothing` gives the mean of theirs, and the same noise
    whenever an image comes.

    Attributes:
        sigma: of the normal noise, on the 0..1 scale; 0.05 in the code of Pick your Poison.
        copies: of each image.
    """

    name: ClassVar[str] = "smoothing"

    sigma: float = 0.05
    copies: int = 9

    def __post_init__(self) -> None:
        if self.copies < 1:
            raise ParameterError(f"smoothing: copies {self.copies}; give 1 or more")

    def answer(
        self, model: Answering, images: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """See :meth:`Trick.answer`; a copy without an answer is no vote."""
        noise = inputs.Smoothing(sigma=self.sigma, copies=self.copies)
        votes = torch.stack(
            [_one_hot(model.predict(noise.change(images, generator))) for _ in range(self.copies)]
        )
        return votes.nanmean(0)


def _one_hot(scores: torch.Tensor) -> torch.Tensor:
    """1 for the best class of each row, 0 for the others; a row of NaN stays one."""
    chosen = F.one_hot(scores.argmax(1), scores.shape[1]).to(scores.dtype)
    return torch.where(scores.isnan().any(1, keepdim=True), torch.nan, chosen)

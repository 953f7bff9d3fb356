"""Ensemble inversion: a generator is trained against frozen models (Wang & Kurz 2022).

The paper's text and code could not be read: the losses' names, farthest model sampling and
filtering by activation are the abstract's and a review's; formulas and weights are our readings.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch.nn import functional as F

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import DatasetError, ModelError, ParameterError
from datadeed.models.training.optimiser import AdamW
from datadeed.thieves.inversion import losses
from datadeed.thieves.inversion.ensemble import Ensemble
from datadeed.thieves.inversion.networks import Discriminator, Generator

# Told of the iterations done.
OnStep: TypeAlias = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class EnsembleInversion:
    """How a generator is trained.

    Attributes:
        iterations: of Adam, each on one batch.
        batch_size: pictures an iteration.
        lr: the learning rate, which falls linearly to a fifth.
        one_hot: weight of the members' cross-entropy to the wanted class.
        activation: weight of the wanted class's logit, which is to be high.
        statistics: weight of the distance from what batch norms remember.
        variation: weight of the total variation, which is to be small.
        adversarial: weight of a discriminator's doubt, trained beside on auxiliary images.
        noise: length of the generator's noise.
        width: channels of generator and discriminator.

    Raises:
        ParameterError: a value makes no sense.
    """

    iterations: int = 150
    batch_size: int = 32
    lr: float = 2e-3
    one_hot: float = 1.0
    activation: float = 0.1
    statistics: float = 0.0
    variation: float = 0.0
    adversarial: float = 0.0
    noise: int = 32
    width: int = 12

    def __post_init__(self) -> None:
        if min(self.iterations, self.noise, self.width) < 1 or self.batch_size < 2:
            raise ParameterError(
                "inversion: iterations, noise and width must be 1 or more, batch_size 2 or more"
            )
        weights = (self.one_hot, self.activation, self.statistics, self.variation)
        if not self.lr > 0 or not all(weight >= 0 for weight in (*weights, self.adversarial)):
            raise ParameterError("inversion: lr must be above 0 and no weight below it")
        if self.one_hot == self.activation == 0:
            raise ParameterError(
                "inversion: with neither one_hot nor activation the models are not asked at all"
            )

    def __call__(
        self,
        ensemble: Ensemble,
        *,
        generator: torch.Generator,
        auxiliary: Dataset | None = None,
        on_step: OnStep = lambda done: None,
    ) -> Generator:
        """Train a generator; the members are not altered.

        Args:
            ensemble: the models.
            generator: a CPU generator; draws weights, noise, labels and auxiliary images.
            auxiliary: images that look somewhat like the training data; their labels are not used.
            on_step: told of the iterations done.

        Returns:
            The generator, in evaluation mode.

        Raises:
            ModelError: batch norms' statistics are wanted, and no member has any.
            ParameterError: auxiliary images and their weight do not come together.
            DatasetError: auxiliary images are of another size.
        """
        self._check(ensemble, auxiliary)
        run = _Run(self, ensemble, auxiliary, generator)
        norms = ensemble.norms() if self.statistics else []
        with ensemble.frozen(), losses.statistics(norms) as distances:
            for done in range(self.iterations):
                run.step(distances, self.lr * (1 - 0.8 * done / self.iterations))
                distances.clear()
                on_step(done + 1)
        return run.pictures.eval().requires_grad_(False)

    def _check(self, ensemble: Ensemble, auxiliary: Dataset | None) -> None:
        if self.statistics and not ensemble.norms():
            raise ModelError(
                "no model has a batch norm: its statistics cannot be used, set their weight to 0"
            )
        if (auxiliary is not None) != (self.adversarial > 0):
            raise ParameterError(
                "inversion: auxiliary images need a weight 'adversarial' above 0, and that weight "
                "needs auxiliary images"
            )
        if auxiliary is not None and auxiliary.shape != ensemble.shape:
            raise DatasetError(
                f"the auxiliary images are {auxiliary.shape} and the models take {ensemble.shape}: "
                "bring them to that size"
            )


class _Run:
    """The networks of one inversion, and a step of both."""

    def __init__(
        self,
        how: EnsembleInversion,
        ensemble: Ensemble,
        auxiliary: Dataset | None,
        generator: torch.Generator,
    ):
        self.how, self.ensemble, self.generator = how, ensemble, generator
        device, shape = ensemble.device, ensemble.shape
        self.pictures = Generator(
            shape, ensemble.classes, noise=how.noise, width=how.width, generator=generator
        ).to(device)
        self.adam = AdamW(self.pictures.named_parameters(), weight_decay=0.0)
        if auxiliary is not None:
            self.real = auxiliary.samples
            self.critic = Discriminator(shape[0], width=how.width, generator=generator).to(device)
            self.critics_adam = AdamW(self.critic.named_parameters(), weight_decay=0.0)

    def step(self, distances: list[torch.Tensor], lr: float) -> None:
        """One update of the generator, and before it one of the discriminator if there is one."""
        how, device = self.how, self.ensemble.device
        y = torch.randint(self.ensemble.classes, (how.batch_size,), generator=self.generator)
        z = torch.randn(how.batch_size, how.noise, generator=self.generator)
        y = y.to(device)
        x = self.pictures(z.to(device), y)
        if how.adversarial:
            self._judge(x.detach(), lr / 4)
        logits = self.ensemble.logits(x)
        loss = how.one_hot * losses.one_hot(logits, y)
        loss = loss - how.activation * losses.activation(logits, y).mean()
        if how.statistics:
            loss = loss + how.statistics * torch.stack(distances).mean()
        if how.variation:
            loss = loss + how.variation * losses.variation(x)
        if how.adversarial:
            loss = loss + how.adversarial * F.softplus(-self.critic(x)).mean()
        loss.backward()
        self.adam.step(lr)

    def _judge(self, made: torch.Tensor, lr: float) -> None:
        """One update of the discriminator."""
        for parameter in self.critic.parameters():
            parameter.grad = None  # what the generator's step left
        rows = torch.randint(len(self.real), (len(made),), generator=self.generator)
        real = self.real[rows].to(made.device).float() / 255
        wrong = F.softplus(-self.critic(real)).mean() + F.softplus(self.critic(made)).mean()
        wrong.backward()
        self.critics_adam.step(lr)

"""Pictures that a trained generator draws, and which of them are kept."""

import dataclasses
from dataclasses import dataclass

import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import ParameterError
from datadeed.thieves.inversion import losses
from datadeed.thieves.inversion.ensemble import Ensemble
from datadeed.thieves.inversion.networks import Generator


@dataclass(frozen=True, eq=False)
class Pictures:
    """What an inversion gives.

    Attributes:
        data: the pictures, with the wanted classes as labels.
        activation: (N,) float, the members' mean logit of the wanted class.
        agreement: (N,) float, the share of members that answer with it.
    """

    data: Dataset
    activation: torch.Tensor
    agreement: torch.Tensor

    def take(self, rows: torch.Tensor) -> "Pictures":
        """The pictures at ``rows``, (M,) int64."""
        return dataclasses.replace(
            self,
            data=self.data.take(rows),
            activation=self.activation[rows],
            agreement=self.agreement[rows],
        )


@torch.no_grad()
def draw(
    network: Generator,
    ensemble: Ensemble,
    *,
    per_class: int,
    classes: tuple[str, ...],
    generator: torch.Generator,
) -> Pictures:
    """Pictures of every class, class by class in turn.

    Args:
        network: trained against ``ensemble``.
        ensemble: rates the pictures, rounded to 8 bits as they are.
        per_class: how many of each class.
        classes: the classes' names, in the members' order.
        generator: draws the noise.
    """
    y = torch.arange(per_class * ensemble.classes) % ensemble.classes
    z = torch.randn(len(y), network.noise, generator=generator)
    made, rated, agreed = [], [], []
    for noise, labels in zip(z.split(128), y.split(128), strict=True):
        wanted = labels.to(ensemble.device)
        x = network(noise.to(ensemble.device), wanted).mul(255).round().to(torch.uint8)
        logits = ensemble.logits(x)
        made.append(x.cpu())
        rated.append(losses.activation(logits, wanted).cpu())
        agreed.append((logits.argmax(2) == wanted).float().mean(0).cpu())
    data = Dataset(torch.cat(made), y, torch.arange(len(y)), classes)
    return Pictures(data, torch.cat(rated), torch.cat(agreed))


def strongest(pictures: Pictures, share: float) -> Pictures:
    """Filtering by activation: of each class the share with most of it, one picture at least.

    Raises:
        ParameterError: ``share`` is not above 0 and at most 1.
    """
    if not 0 < share <= 1:
        raise ParameterError(f"a share of {share} of the pictures: give one above 0, at most 1")
    kept = []
    for label in pictures.data.labels.unique():
        rows = (pictures.data.labels == label).nonzero()[:, 0]
        count = max(1, round(share * len(rows)))
        kept.append(rows[pictures.activation[rows].topk(count).indices])
    return pictures.take(torch.cat(kept).sort().values)

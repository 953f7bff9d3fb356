"""Pivotal Tuning: near the suspect in its weights, away from it in its latent space.

Lukas & Kerschbaum 2023 (Pick your Poison), whose paper could not be read here: this follows the
code released with it (``pivotal_tuning.py``, ``slol.py``, ``parameter.py``).
"""

import copy
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.nn import functional as F

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import ParameterError
from datadeed.models.model import Model
from datadeed.thieves.repair.base import OnStep, Repair
from datadeed.thieves.repair.tuning import Descend, Tuning, tune

RELEASED_PULL = 20000 / 11.17e6  # its 20,000 is divided by the parameters of a ResNet-18


@dataclass(frozen=True, kw_only=True)
class PivotalTuning(Repair, Tuning):
    """Minimise cross-entropy + ``rotation`` SLOL(z, z0, y) + ``pull`` ||w - w0||^2.

    z are penultimate features, z0 and w0 those of the pivot, which is the suspect as it came.
    Released: 2,000 steps of SGD with Nesterov's momentum (here the usual one) at 1e-4.

    Attributes:
        rotation: weight of :func:`latent_orthogonality`; 0.05 as released.
        pull: of the weights towards the pivot. As released it is divided by the number of
            parameters; so that a narrow network is not held 16 times as tightly, the default is
            what that is for the published ResNet-18.
    """

    name: ClassVar[str] = "pivotal-tuning"

    steps: int = 2000
    lr: float = 1e-4
    rotation: float = 0.05
    pull: float = RELEASED_PULL

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.rotation >= 0 or not self.pull >= 0:
            raise ParameterError(
                f"pivotal-tuning: rotation {self.rotation}, pull {self.pull}; give each 0 or more"
            )

    def _repair(
        self, model: Model, trusted: Dataset, generator: torch.Generator, on_step: OnStep
    ) -> Model:
        pivot = copy.deepcopy(model).eval().requires_grad_(requires_grad=False)
        descend = self._descend(pivot)
        tune(model, trusted, self, descend, generator=generator, on_step=on_step)
        return model

    def _descend(self, pivot: Model) -> Descend:
        anchors = list(pivot.parameters())

        def descend(model: Model, x: torch.Tensor, y: torch.Tensor) -> None:
            with torch.autocast(x.device.type, torch.bfloat16):
                features = model.features(x)
                logits = model.output_layer(features)
                with torch.no_grad():
                    before = pivot.features(x)
            loss = F.cross_entropy(logits.float(), y)
            turned = latent_orthogonality(features.float(), before.float(), y)
            (loss + self.rotation * turned).backward()
            with torch.no_grad():
                for p, anchor in zip(model.parameters(), anchors, strict=True):
                    if p.grad is not None:
                        p.grad.add_(p - anchor, alpha=2 * self.pull)

        return descend


def latent_orthogonality(z: torch.Tensor, z0: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """SLOL, the soft latent orthogonality loss: large where classes lie as they did in the pivot.

    With c_k the mean of z in class k, of the K classes that are present, and M the uncentred second
    moment of these means: ||M - diag(M)||_F + sum over pairs i < j of cos(c_i - c_j, c0_i - c0_j).
    (The released code subtracts the diagonal from every row; here it is a diagonal matrix.)

    Args:
        z: (B, F) float, features of the model; gradients flow through them.
        z0: (B, F) float, of the pivot.
        y: (B,) int64 labels.

    Returns:
        () float.
    """
    _, group = y.unique(return_inverse=True)
    classes = int(group.max()) + 1
    member = F.one_hot(group, classes).to(z.dtype)  # (B, K)
    shares = member / member.sum(0)
    means, before = shares.T @ z, shares.T @ z0  # (K, F)
    moment = means.T @ means / classes
    off = moment - moment.diag().diag()
    i, j = torch.triu_indices(classes, classes, offset=1, device=z.device)
    cosines = F.cosine_similarity(means[i] - means[j], before[i] - before[j])
    # The norm has no derivative at zero, where all features but one are dead.
    return (off.square().sum() + 1e-12).sqrt() + cosines.sum()

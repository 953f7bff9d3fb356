"""Mixed batches and smoothed labels against values by hand."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from datadeed.thieves.practice.losses import cutmix, mixup, recipe_loss


class Fixed(torch.nn.Module):
    """A model whose logits are the mean of each image, and its negative."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = x.float().flatten(1).mean(1)
        return torch.stack([mean, -mean], 1)


def flat(n: int = 16) -> torch.Tensor:
    """(N, 1, 10, 12) uint8: image k is k + 1 everywhere."""
    return (torch.arange(n) + 1).to(torch.uint8).view(-1, 1, 1, 1).repeat(1, 1, 10, 12)


def test_cutmix_pastes_one_rectangle_of_the_partner() -> None:
    x, areas = flat(), []
    for seed in range(60):
        mixed = cutmix(x, np.random.default_rng(seed))
        pasted = mixed.x != x
        own = torch.arange(len(x)) == mixed.partners
        assert torch.equal(mixed.x[pasted], x[mixed.partners][pasted])
        places = pasted[~own]
        assert (places == places[:1]).all()
        areas.append(1 - float(places[0].float().mean()))
        assert mixed.share == pytest.approx(areas[-1])
    assert min(areas) < 0.2
    assert max(areas) > 0.8


def test_mixup_averages_with_the_share() -> None:
    x = flat()
    for seed in range(20):
        mixed = mixup(x, np.random.default_rng(seed))
        own = x[:, 0, 0, 0].float() / 255
        expected = mixed.share * own + (1 - mixed.share) * own[mixed.partners]
        assert torch.allclose(mixed.x[:, 0, 3, 4], expected)
        assert 0 <= mixed.share <= 1


def test_loss_of_a_mixed_batch_is_weighed_by_the_shares() -> None:
    x, y = flat(), torch.arange(16) % 2
    loss, logits = recipe_loss((), "mixup", 0.0, 7)(Fixed(), x, y)  # type: ignore[arg-type]
    from datadeed.randomness import derive_seed

    mixed = mixup(x, np.random.default_rng(derive_seed(7, "mixing")))
    assert torch.allclose(logits, Fixed()(mixed.x))
    parts = [F.cross_entropy(logits, labels) for labels in (y, y[mixed.partners])]
    assert torch.allclose(loss, mixed.share * parts[0] + (1 - mixed.share) * parts[1])


def test_smoothed_labels_cost_a_sure_model() -> None:
    x, y = torch.full((4, 1, 2, 2), 10, dtype=torch.uint8), torch.zeros(4, dtype=torch.int64)
    plain, _ = recipe_loss((), "", 0.0, 1)(Fixed(), x, y)  # type: ignore[arg-type]
    smooth, _ = recipe_loss((), "", 0.1, 1)(Fixed(), x, y)  # type: ignore[arg-type]
    assert float(plain) == pytest.approx(0, abs=1e-6)
    assert float(smooth) == pytest.approx(0.05 * 20, rel=1e-4)


def test_nothing_changed_is_cross_entropy() -> None:
    x, y = flat(), torch.arange(16) % 2
    loss, logits = recipe_loss((), "", 0.0, 1)(Fixed(), x, y)  # type: ignore[arg-type]
    assert torch.equal(loss, F.cross_entropy(Fixed()(x), y))
    assert torch.equal(logits, Fixed()(x))

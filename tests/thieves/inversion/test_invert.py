"""Inversion of models whose best pictures are known, and what it refuses."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import DatasetError, ModelError, ParameterError
from datadeed.models.classifier import Classifier
from datadeed.thieves.inversion.ensemble import Ensemble
from datadeed.thieves.inversion.invert import EnsembleInversion
from datadeed.thieves.inversion.losses import activation, one_hot, statistics, variation
from datadeed.thieves.inversion.networks import Discriminator, Generator
from datadeed.thieves.inversion.pictures import Pictures, draw, strongest
from tests.thieves.inversion.conftest import CLASSES, SHAPE, quarters, wrapped

QUICK = EnsembleInversion(iterations=60, batch_size=16, lr=0.02, noise=4, width=4)
Make = Callable[..., Classifier]


def seed(number: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def pictures_of(how: EnsembleInversion, ensemble: Ensemble, number: int = 0) -> Pictures:
    network = how(ensemble, generator=seed(number))
    return draw(network, ensemble, per_class=5, classes=tuple("abcd"), generator=seed(1))


class TestInversion:
    """A linear ensemble's best picture of a class is its bright quarter."""

    def test_the_known_optimum_is_found(self, linear: Make) -> None:
        found = pictures_of(QUICK, Ensemble([linear(), linear(noise=0.1, seed=1)]))
        assert found.agreement.min() == 1
        x = found.data.samples.float() / 127.5 - 1
        match = (x[:, None] * quarters()).flatten(2).mean(2)  # (N, K), 1 at the optimum
        own = match.gather(1, found.data.labels[:, None])
        assert own.mean() > 0.8
        assert (match.argmax(1) == found.data.labels).all()

    @pytest.mark.parametrize("alone", [{"activation": 0.0}, {"one_hot": 0.0, "activation": 1.0}])
    def test_either_loss_alone_finds_it_too(self, linear: Make, alone: dict[str, float]) -> None:
        how = EnsembleInversion(**{**vars(QUICK), **alone})
        assert pictures_of(how, Ensemble([linear()])).agreement.mean() == 1

    def test_members_stay_as_they_were_and_get_no_gradients(self, linear: Make) -> None:
        member = linear()
        before = copy.deepcopy(member.state_dict())
        network = QUICK(Ensemble([member]), generator=seed())
        assert all(torch.equal(before[name], v) for name, v in member.state_dict().items())
        assert all(p.grad is None and p.requires_grad for p in member.parameters())
        assert not network.training

    def test_the_same_generator_gives_the_same_pictures(self, linear: Make) -> None:
        how, ensemble = EnsembleInversion(iterations=5, noise=4, width=4), Ensemble([linear()])
        state = torch.get_rng_state()
        one, two = (pictures_of(how, ensemble, 7) for _ in range(2))
        assert torch.equal(one.data.samples, two.data.samples)
        assert torch.equal(torch.get_rng_state(), state)
        other = pictures_of(how, ensemble, 8)
        assert not torch.equal(one.data.samples, other.data.samples)

    def test_progress_is_told(self, linear: Make) -> None:
        told: list[int] = []
        how = EnsembleInversion(iterations=3, noise=2, width=2)
        how(Ensemble([linear()]), generator=seed(), on_step=told.append)
        assert told == [1, 2, 3]

    def test_auxiliary_images_draw_the_pictures_to_them(
        self, linear: Make, bright: Dataset
    ) -> None:
        grey = bright.replace(samples=bright.samples // 2 + 32, labels=bright.labels)
        how = EnsembleInversion(**{**vars(QUICK), "adversarial": 5.0, "iterations": 120})
        ensemble = Ensemble([linear(0.1)])
        network = how(ensemble, generator=seed(), auxiliary=grey)
        near = draw(network, ensemble, per_class=5, classes=tuple("abcd"), generator=seed(1))
        far = pictures_of(QUICK, ensemble)

        def gap(found: Pictures) -> float:
            return (found.data.samples.float().mean() - grey.samples.float().mean()).abs().item()

        assert gap(near) < 30
        assert near.data.samples.float().std() < far.data.samples.float().std()


class TestRefused:
    """One line for each."""

    def test_no_member(self) -> None:
        with pytest.raises(ModelError, match="none was given"):
            Ensemble([])

    def test_one_member_is_an_ensemble(self, linear: Make) -> None:
        assert len(Ensemble([linear()])) == 1

    def test_another_size(self, linear: Make) -> None:
        other = wrapped(nn.Sequential(nn.Flatten(), nn.Linear(36, 4)), (1, 6, 6))
        with pytest.raises(ModelError, match=r"small takes images of \(1, 6, 6\) and big of"):
            Ensemble([linear(), other], names=["big", "small"])

    def test_another_number_of_classes(self, linear: Make) -> None:
        other = wrapped(nn.Sequential(nn.Flatten(), nn.Linear(64, 5)))
        with pytest.raises(ModelError, match="model 2 has 5 classes and model 1 4"):
            Ensemble([linear(), other])

    def test_another_order_of_classes(self, linear: Make) -> None:
        pair = [linear(), linear()]
        with pytest.raises(ModelError, match="the same classes in another order"):
            Ensemble(pair, classes=["abcd", "abdc"])
        with pytest.raises(ModelError, match="have other classes:"):
            Ensemble(pair, classes=["abcd", "abce"])
        with pytest.raises(ModelError, match="names 3 classes and answers 4"):
            Ensemble(pair, classes=["abc", None])
        assert len(Ensemble(pair, classes=["abcd", None])) == 2

    def test_a_member_that_says_nothing(self, linear: Make) -> None:
        dead = linear(gain=0.0)
        with pytest.raises(ModelError, match="model 2 answers every picture with the same"):
            Ensemble([linear(), dead])

    def test_a_member_with_nan(self, linear: Make) -> None:
        with pytest.raises(ModelError, match="model 1 answers with NaN"):
            Ensemble([linear(gain=float("nan"))])

    def test_statistics_without_batch_norm(self, linear: Make) -> None:
        how = EnsembleInversion(statistics=1.0)
        with pytest.raises(ModelError, match="no model has a batch norm"):
            how(Ensemble([linear()]), generator=seed())

    def test_auxiliary_images_and_their_weight_come_together(
        self, linear: Make, bright: Dataset
    ) -> None:
        ensemble = Ensemble([linear()])
        with pytest.raises(ParameterError, match="auxiliary images need"):
            EnsembleInversion()(ensemble, generator=seed(), auxiliary=bright)
        with pytest.raises(ParameterError, match="auxiliary images need"):
            EnsembleInversion(adversarial=1.0)(ensemble, generator=seed())
        small = Dataset(bright.samples[..., :4], bright.labels, bright.index, bright.classes)
        with pytest.raises(DatasetError, match=r"auxiliary images are \(1, 8, 4\)"):
            EnsembleInversion(adversarial=1.0)(ensemble, generator=seed(), auxiliary=small)

    @pytest.mark.parametrize(
        "values",
        [
            {"iterations": 0},
            {"batch_size": 1},
            {"lr": 0.0},
            {"one_hot": -1.0},
            {"adversarial": float("nan")},
            {"one_hot": 0.0, "activation": 0.0},
        ],
    )
    def test_values_without_sense(self, values: dict[str, float]) -> None:
        with pytest.raises(ParameterError, match=r"^inversion: "):
            EnsembleInversion(**values)


class TestLosses:
    """By hand."""

    def test_one_hot_and_activation(self) -> None:
        logits = torch.tensor([[[2.0, 0.0], [0.0, 0.0]], [[4.0, 0.0], [0.0, 1.0]]])  # (2, 2, 2)
        y = torch.tensor([0, 1])
        terms = torch.tensor([-2.0, 0.0, -4.0, -1.0])
        expected = nn.functional.softplus(terms).mean().item()
        assert one_hot(logits, y).item() == pytest.approx(expected)
        assert activation(logits, y).tolist() == [3.0, 0.5]

    def test_variation(self) -> None:
        assert variation(torch.ones(2, 1, 3, 3)) == 0
        assert variation(torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]])) == 1

    def test_statistics_are_zero_for_what_the_norm_remembers(self) -> None:
        norm = nn.BatchNorm2d(1, eps=0.0).eval()
        norm.running_mean, norm.running_var = torch.tensor([2.0]), torch.tensor([4.0])
        with statistics([norm]) as found:
            norm(torch.tensor([0.0, 4.0]).view(2, 1, 1, 1))  # mean 2, variance 4
            norm(torch.tensor([2.0, 6.0]).view(2, 1, 1, 1))  # mean 4: off by one deviation
            norm(torch.tensor([2.0, 2.0]).view(2, 1, 1, 1))  # variance 0
        assert [value.item() for value in found] == [0.0, 1.0, 1.0]
        norm(torch.zeros(2, 1, 1, 1))
        assert len(found) == 3

    def test_they_pull_the_pictures(self) -> None:
        draw_weights = torch.nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(64, CLASSES))
        member = wrapped(draw_weights)
        norm = draw_weights[0]
        assert isinstance(norm, nn.BatchNorm2d)
        norm.running_mean, norm.running_var = torch.tensor([0.2]), torch.tensor([0.01])
        how = EnsembleInversion(**{**vars(QUICK), "statistics": 10.0})
        x = pictures_of(how, Ensemble([member])).data.samples.float() / 255
        assert x.mean() == pytest.approx(0.2, abs=0.05)
        assert x.std() == pytest.approx(0.1, abs=0.05)


class TestNetworks:
    """Any size of picture."""

    @pytest.mark.parametrize("shape", [(1, 8, 8), (3, 13, 30), (1, 5, 4)])
    def test_shapes(self, shape: tuple[int, int, int]) -> None:
        network = Generator(shape, 3, noise=5, width=2, generator=seed())
        x = network(torch.randn(4, 5, generator=seed()), torch.tensor([0, 1, 2, 0]))
        assert x.shape == (4, *shape)
        assert x.min() >= 0
        assert x.max() <= 1
        assert Discriminator(shape[0], width=2, generator=seed())(x).shape == (4,)


def test_filtering_keeps_each_classs_strongest(bright: Dataset) -> None:
    rated = torch.tensor([1.0, 5.0, 0.0, 9.0, 2.0, 4.0, 1.0, 8.0])
    found = strongest(Pictures(bright, rated, torch.ones(8)), 0.5)
    assert found.data.index.tolist() == [1, 3, 4, 6]
    assert found.activation.tolist() == [5, 9, 2, 1]
    assert len(strongest(Pictures(bright, rated, torch.ones(8)), 0.01).data) == CLASSES
    with pytest.raises(ParameterError, match=r"a share of 0\.0"):
        strongest(found, 0.0)


def test_shape_of_what_is_drawn(linear: Make) -> None:
    found = pictures_of(EnsembleInversion(iterations=1, noise=2, width=2), Ensemble([linear()]))
    assert found.data.shape == SHAPE
    assert found.data.labels.tolist() == [*range(CLASSES)] * 5
    assert found.data.classes == tuple("abcd")

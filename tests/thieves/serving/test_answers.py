"""What a server does to answers."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from datadeed.errors import ParameterError
from datadeed.thieves.served import own_classes
from datadeed.thieves.serving.answers import (
    LabelsOnly,
    OutputNoise,
    Plain,
    RandomAnswers,
    Smoothing,
)
from datadeed.thieves.serving.base import Trick
from datadeed.thieves.serving.refusing import Refusing
from tests.toy_model import ToyModel


class Fixed(ToyModel):
    """Gives each image the row of a table that its first pixel names."""

    def __init__(self, table: torch.Tensor):
        super().__init__()
        self.table = table

    def predict(self, samples: torch.Tensor, *, batch_size: int = 512) -> torch.Tensor:
        return self.table[samples[:, 0, 0, 0].long()]


class Threshold(ToyModel):
    """Class 1 where the first pixel is above 100."""

    def predict(self, samples: torch.Tensor, *, batch_size: int = 512) -> torch.Tensor:
        bright = (samples[:, 0, 0, 0] > 100).float()
        return torch.stack([0.9 - 0.8 * bright, 0.1 + 0.8 * bright], 1)


class Silent(ToyModel):
    """Never answers."""

    def predict(self, samples: torch.Tensor, *, batch_size: int = 512) -> torch.Tensor:
        return torch.full((len(samples), 4), torch.nan)


GROUPS = own_classes(4)


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(first: list[int]) -> torch.Tensor:
    made = torch.zeros(len(first), 1, 8, 8, dtype=torch.uint8)
    made[:, 0, 0, 0] = torch.tensor(first, dtype=torch.uint8)
    return made


TABLE = torch.tensor([[0.7, 0.2, 0.1, 0.0], [0.1, 0.2, 0.3, 0.4]])
MANY = images([0, 1] * 2000)


def test_without_a_trick_answers_are_the_models() -> None:
    served = Plain().serve(Fixed(TABLE), GROUPS, generator=draw())
    assert torch.equal(served.predict(images([1, 0])), TABLE[[1, 0]])
    assert not served.labels_only


def test_labels_only_says_nothing_but_the_best() -> None:
    served = LabelsOnly().serve(Fixed(TABLE), GROUPS, generator=draw())
    assert served.predict(images([0, 1])).tolist() == [[1, 0, 0, 0], [0, 0, 0, 1]]
    assert served.labels_only
    assert Plain().serve(served, GROUPS, generator=draw()).labels_only


def test_an_endpoint_names_classes_of_the_task_and_gives_none_for_no_answer() -> None:
    groups = [[0, 4], [1], [2], [3]]
    model, images_ = Fixed(TABLE), images([1, 0])
    plain = Plain().serve(model, groups, generator=draw()).answers(images_)
    assert plain[0] is not None
    assert plain[0][0] == [3, 2, 1, 0]
    assert plain[0][1] == pytest.approx([0.4, 0.3, 0.2, 0.1])
    labels = LabelsOnly().serve(model, groups, generator=draw()).answers(images_)
    assert labels == [([3], []), ([0], [])]
    assert Plain().serve(Silent(), groups, generator=draw()).answers(images_) == [None, None]


def test_output_noise_gives_probabilities_about_the_models() -> None:
    noisy = OutputNoise(sigma=0.02).serve(Fixed(TABLE), GROUPS, generator=draw()).predict(MANY)
    assert bool((noisy >= 0).all())
    assert torch.allclose(noisy.sum(1), torch.ones(len(noisy)), atol=1e-5)
    assert noisy[1::2].std(0).min() > 0.01
    assert torch.allclose(noisy[1::2].mean(0), TABLE[1], atol=0.005)


def test_where_noise_leaves_nothing_all_classes_get_the_same() -> None:
    low = torch.full((2, 2), -100.0)  # no model says so: cut to 0
    noisy = OutputNoise().serve(Fixed(low), GROUPS, generator=draw()).predict(images([0, 1]))
    assert torch.equal(noisy, torch.full((2, 2), 0.5))


@given(share=st.sampled_from([0.0, 0.3, 0.7, 1.0]), seed=st.integers(0, 2**32))
def test_a_share_of_answers_is_at_random(share: float, seed: int) -> None:
    given_ = (
        RandomAnswers(share=share).serve(Fixed(TABLE), GROUPS, generator=draw(seed)).predict(MANY)
    )
    other = given_.argmax(1) != Fixed(TABLE).predict(MANY).argmax(1)
    expected = 0.75 * share  # of four classes, one is the same
    assert float(other.float().mean()) == pytest.approx(expected, abs=0.04)
    assert torch.equal(given_.sort(1).values, TABLE.sort(1).values[MANY[:, 0, 0, 0].long()])


def test_random_answers_are_drawn_anew_and_of_every_class() -> None:
    served = RandomAnswers(share=1).serve(Fixed(TABLE), GROUPS, generator=draw())
    first, second = (served.predict(MANY).argmax(1) for _ in range(2))
    assert not torch.equal(first, second)
    assert torch.bincount(first, minlength=4).min() > 900


def test_smoothing_gives_the_share_of_copies() -> None:
    sure, unsure = 0, 100
    served = Smoothing(sigma=0.05, copies=15).serve(Threshold(), GROUPS, generator=draw())
    given_ = served.predict(images([sure, 255] + [unsure] * 200))
    assert given_[:2].tolist() == [[1, 0], [0, 1]]
    shares = given_[2:, 1] * 15
    assert torch.allclose(shares, shares.round(), atol=1e-4)
    assert 0.4 < float(given_[2:, 1].mean()) < 0.6


def test_smoothing_takes_the_majority_of_a_model_that_errs() -> None:
    class Errs(ToyModel):
        """Wrong every third time that it is asked."""

        asked = 0

        def predict(self, samples: torch.Tensor, *, batch_size: int = 512) -> torch.Tensor:
            self.asked += 1
            label = 0 if self.asked % 3 == 0 else 2
            return torch.eye(4)[label].expand(len(samples), -1)

    given_ = Smoothing(copies=9).serve(Errs(), GROUPS, generator=draw()).predict(images([0, 1]))
    assert torch.allclose(given_, torch.tensor([3.0, 0, 6, 0]).expand(2, -1) / 9)


@pytest.mark.parametrize(
    "trick",
    [Plain(), LabelsOnly(), OutputNoise(), RandomAnswers(share=1), Smoothing(), Refusing()],
    ids=lambda trick: trick.name,
)
def test_no_answer_stays_no_answer(trick: Trick) -> None:
    given_ = trick.serve(Silent(), GROUPS, generator=draw()).predict(images([0, 1]))
    assert given_.shape == (2, 4)
    assert bool(given_.isnan().all())


def test_values_that_make_no_sense_are_refused() -> None:
    for build in (
        lambda: OutputNoise(sigma=0),
        lambda: RandomAnswers(share=1.1),
        lambda: Smoothing(copies=0),
        lambda: Smoothing(sigma=0),
    ):
        with pytest.raises(ParameterError):
            build().serve(Fixed(TABLE), GROUPS, generator=draw()).predict(images([0]))

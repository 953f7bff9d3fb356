"""Students of another model's answers."""

from collections.abc import Callable

import pytest
import torch
from torch.nn import functional as F

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import DatasetError
from datadeed.models.training.loop import accuracy
from datadeed.thieves.extraction import answered, soft_loss, train_on_answers
from datadeed.thieves.practice.recipe import Recipe
from tests.toy_model import ToyModel

RECIPE = Recipe(
    epochs=12, mean=(0.2,) * 3, std=(0.2,) * 3, augment=(), width=4, batch_size=32, flip=False
)


def test_rows_without_an_answer_are_left_out_and_the_others_get_its_label(
    toy_dataset: Callable[..., Dataset],
) -> None:
    data = toy_dataset(4)
    answers = torch.tensor([[0.2, 0.5, 0.3], [torch.nan] * 3, [0.1, 0.1, 0.8], [1.0, 0, 0]])
    kept, given = answered(data, answers)
    assert kept.labels.tolist() == [1, 2, 0]
    assert torch.equal(kept.index, data.index[[0, 2, 3]])
    assert torch.equal(kept.samples, data.samples[[0, 2, 3]])
    assert torch.equal(given, answers[[0, 2, 3]])


@pytest.mark.parametrize("answers", [torch.full((6, 3), torch.nan), torch.ones(6, 2)])
def test_no_answers_or_those_of_another_task_are_refused(
    answers: torch.Tensor, toy_dataset: Callable[..., Dataset]
) -> None:
    with pytest.raises(DatasetError):
        answered(toy_dataset(6), answers)


class Linear(ToyModel):
    """The first pixel's value as the first logit."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = x[:, 0, 0, 0].float()
        return torch.stack([first, torch.zeros_like(first)], 1)


def test_the_loss_is_the_cross_entropy_with_the_answers_of_the_rows() -> None:
    answers = torch.tensor([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]])
    x = torch.tensor([2, 1], dtype=torch.uint8).view(2, 1, 1, 1)
    found, logits = soft_loss(answers, (), seed=0)(Linear(), x, torch.tensor([2, 0]))
    logs = F.log_softmax(torch.tensor([[2.0, 0], [1.0, 0]]), 1)
    assert found.item() == pytest.approx(-(answers[[2, 0]] * logs).sum().item() / 2)
    assert logits.tolist() == [[2, 0], [1, 0]]


def test_the_loss_sees_augmented_images() -> None:
    answers = torch.full((40, 2), 0.5)
    x = torch.full((40, 1, 9, 9), 5, dtype=torch.uint8)
    _, logits = soft_loss(answers, ("crop",), seed=0)(Linear(), x, torch.arange(40))
    assert set(logits[:, 0].tolist()) == {0.0, 5.0}  # black where the corner was moved in


def test_a_student_answers_as_it_was_taught_and_not_as_the_labels_say(
    toy_dataset: Callable[..., Dataset],
) -> None:
    data, test = toy_dataset(240, seed=1), toy_dataset(60, seed=2)
    one_further = (data.labels + 1) % 3
    answers = 0.7 * F.one_hot(one_further, 3).float() + 0.1
    student = RECIPE.new(data, 3)
    train_on_answers(student, data, answers, RECIPE, 3)
    taught = test.replace(samples=test.samples, labels=(test.labels + 1) % 3)
    assert accuracy(student, taught) > 0.95
    sure = student.predict(test.samples).max(1).values.mean()
    assert 0.7 < float(sure) < 0.9  # as sure as its teacher, where labels would make it surer


def test_progress_is_told_and_a_seed_gives_one_student(toy_dataset: Callable[..., Dataset]) -> None:
    data, recipe = toy_dataset(40), RECIPE.but(epochs=1)
    answers = torch.full((40, 3), 1 / 3)
    told: list[int] = []
    students = [
        train_on_answers(
            recipe.new(data, 3), data, answers, recipe, 3, on_progress=lambda n, _: told.append(n)
        )
        for _ in range(2)
    ]
    assert max(told) == 40
    one, other = (student.state_dict() for student in students)
    assert all(torch.equal(one[name], other[name]) for name in one)

"""Students: models that learn from another model's answers, and never see the labels of the data.

Every image is asked once, as it is, and what was answered is kept; augmentation comes after.
"""

from collections.abc import Callable

import torch
from torch.nn import functional as F

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import DatasetError
from datadeed.models.classifier import Classifier
from datadeed.models.model import Model
from datadeed.models.training.loop import Loss, train
from datadeed.randomness import derive_seed, generator
from datadeed.thieves.practice.augmentations import augment
from datadeed.thieves.practice.recipe import Recipe


def answered(data: Dataset, answers: torch.Tensor) -> tuple[Dataset, torch.Tensor]:
    """The rows that were answered, labelled with the best answer, and their answers.

    Args:
        data: that was asked; its labels are not looked at.
        answers: (N, K) float, probabilities of its K classes; NaN in a row: no answer.

    Raises:
        DatasetError: the answers are not those of such data, or there is none.
    """
    if answers.shape != (len(data), len(data.classes)):
        raise DatasetError(
            f"answers are {tuple(answers.shape)}: give a probability of each of "
            f"{len(data.classes)} classes for each of {len(data)} rows"
        )
    there = ~answers.isnan().any(1)
    if not bool(there.any()):
        raise DatasetError("no question was answered: there is nothing that a student could learn")
    kept, given = data.take(there), answers[there]
    return kept.replace(samples=kept.samples, labels=given.argmax(1)), given


def train_on_answers(
    model: Classifier,
    data: Dataset,
    answers: torch.Tensor,
    recipe: Recipe,
    seed: int,
    *,
    device: torch.device | str = "cpu",
    on_progress: Callable[[int, str], None] = lambda done, note: None,
) -> Classifier:
    """Train a student in place on probabilities, and give it back; labels are not looked at.

    A student of labels needs nothing new: it is trained on what :func:`answered` gives.

    Args:
        model: as the recipe makes it.
        data: all of it was answered.
        answers: (N, K) float, probabilities.
        recipe: its augmentation and schedule count; images are not mixed, nor answers smoothed.
        seed: of the order and the augmentation.
    """
    rows = torch.arange(len(data))  # a class of its own for each row, by which its answer is found
    numbered = Dataset(data.samples, rows, data.index, tuple(map(str, rows.tolist())))
    train(
        model,
        numbered,
        recipe.config,
        generator=generator(seed, "order"),
        loss=soft_loss(answers.to(device), recipe.augment, derive_seed(seed, "loss")),
        device=device,
        on_progress=lambda done, note, _: on_progress(done, note),
    )
    return model


def soft_loss(answers: torch.Tensor, augment_by: tuple[str, ...], seed: int) -> Loss:
    """Cross-entropy with the answers, where a label is the number of a row.

    Args:
        answers: (N, K) float, probabilities, on the device of the training.
        augment_by: names of augmentations, in order.
        seed: of what they draw.
    """
    draw = generator(seed, "augment")

    def loss(model: Model, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.autocast(x.device.type, enabled=False):  # places are finer than bfloat16
            x = augment(augment_by, x, draw)
        logits = model(x)
        return F.cross_entropy(logits.float(), answers[y]), logits

    return loss

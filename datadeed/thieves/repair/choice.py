"""Repairing without knowing the backdoor: how far to go is read off trusted samples."""

from dataclasses import dataclass, field

import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import DatasetError, ParameterError
from datadeed.models.model import Model
from datadeed.models.training.loop import accuracy
from datadeed.thieves.repair.base import Repair, check


@dataclass(frozen=True, eq=False)
class Repaired:
    """What became of a model.

    Attributes:
        model: the repaired one; the suspect itself where nothing kept to the budget.
        step: at which the repair was stopped; None where nothing kept to the budget.
        before, after: accuracy on the held-out part of the trusted samples, 0 to 1.
        held_out: how many samples that part has.
        tried: accuracy there after each number of steps that was looked at.
    """

    model: Model
    step: int | None
    before: float
    after: float
    held_out: int
    tried: dict[int, float]


@dataclass
class Watcher:
    """Remembers the last state of a model that is within a budget of accuracy.

    Args:
        held_out: samples to measure on.
        least: accuracy that must be left, 0 to 1.
    """

    held_out: Dataset
    least: float
    tried: dict[int, float] = field(default_factory=dict)
    step: int | None = None
    state: dict[str, torch.Tensor] = field(default_factory=dict)

    def __call__(self, step: int, model: Model) -> None:
        """Measure; an :data:`~datadeed.thieves.repair.base.OnStep`."""
        answers = model.predict(self.held_out.samples)
        right = (answers.argmax(1) == self.held_out.labels).double().mean().item()
        self.tried[step] = right
        if right >= self.least and bool(answers.isfinite().all()):
            self.step = step
            self.state = {name: value.clone() for name, value in model.state_dict().items()}


def split_trusted(
    trusted: Dataset, share: float, generator: torch.Generator
) -> tuple[Dataset, Dataset]:
    """Samples to tune on, with one of each class at least, and samples held out to judge by.

    Args:
        trusted: all trusted samples.
        share: held out of each class, above 0 and below 1, rounded down.
        generator: draws them.

    Raises:
        DatasetError: nothing would be left for one of the two.
        ParameterError: the share makes no sense.
    """
    if not 0 < share < 1:
        raise ParameterError(f"a share of {share} to hold out: give one between 0 and 1")
    counts = torch.bincount(trusted.labels)
    held = sum(int(share * int(count)) for count in counts)
    if held == 0:
        raise DatasetError(
            f"{len(trusted)} trusted samples of {len(trusted.classes)} classes are too few to hold "
            f"some out: give {int(-(-1 // share))} or more of a class"
        )
    parts = []
    for label in range(len(counts)):
        rows = (trusted.labels == label).nonzero().flatten()
        order = torch.randperm(len(rows), generator=generator)
        parts.append(rows[order[: int(share * len(rows))]])
    held_out = torch.cat(parts).sort().values
    left = torch.ones(len(trusted), dtype=torch.bool)
    left[held_out] = False
    return trusted.take(left), trusted.take(held_out)


def repair(
    model: Model,
    trusted: Dataset,
    method: Repair,
    *,
    generator: torch.Generator,
    budget: float = 0.02,
    held_out: float = 0.25,
) -> Repaired:
    """Repair a copy of ``model``, as far as accuracy allows.

    Part of the trusted samples is held out. Of the states that the method passes through, the last
    one is taken whose accuracy there is within the budget: whoever repairs does not know the
    trigger, and cannot choose by it.

    Args:
        model: the suspect; never altered.
        trusted: samples whose labels are right, of every class.
        method: how to repair.
        generator: a CPU generator; draws the part that is held out, batches and augmentation.
        budget: of accuracy that may be lost, 0 to 1.
        held_out: share of each class to judge by, above 0 and below 1.

    Raises:
        DatasetError, ModelError, ParameterError: as :class:`~datadeed.thieves.repair.base.Repair`
            and :func:`split_trusted`.
    """
    if not 0 <= budget <= 1:
        raise ParameterError(f"a budget of {budget}: give a share of accuracy, 0 to 1 (0.02)")
    check(model, trusted)
    tuning, judging = split_trusted(trusted, held_out, generator)
    before = accuracy(model, judging)
    watcher = Watcher(judging, before - budget)
    made = method(model, tuning, generator=generator, on_step=watcher)
    if watcher.step is None:
        return Repaired(model, None, before, before, len(judging), watcher.tried)
    made.load_state_dict(watcher.state)
    after = watcher.tried[watcher.step]
    return Repaired(made, watcher.step, before, after, len(judging), watcher.tried)

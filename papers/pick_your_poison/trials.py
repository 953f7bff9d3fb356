"""What every experiment of the paper starts from: trusted samples, triggers, repairs."""

from dataclasses import dataclass
from typing import Any

import torch

from datadeed.datasets.form.dataset import Dataset, stratified_subset
from datadeed.randomness import generator
from datadeed.thieves.repair.base import Repair
from datadeed.thieves.repair.registry import build_repair
from datadeed.watermarks.base import Watermark
from datadeed.watermarks.keyed import Keyed
from papers.base import Case, Lab


def samples(lab: Lab, case: Case) -> tuple[Dataset, Dataset]:
    """The defender's trusted samples, and the test images that everybody is asked about.

    Trusted samples are as many as a share of the training set, but drawn from the test set, anew
    for each training seed: what a suspect was trained on it answers without a fault, and a defender
    could not tell what a repair costs. (The released code draws them from the training set.)
    """
    test = lab.test(case.dataset)
    share = lab.settings("pick_your_poison", "trusted")
    count = round(share * len(lab.train(case.dataset)))
    draw = generator(lab.seed, "trusted", case.dataset, case.seed)
    own = torch.zeros(len(test), dtype=torch.bool)
    own[stratified_subset(test.labels, count, draw)] = True
    others = test.take(~own)
    count = min(lab.settings("pick_your_poison", "asked"), len(others))
    return test.take(own), others.take(stratified_subset(others.labels, count, draw))


def repairs(lab: Lab, case: Case) -> dict[str, Repair]:
    """The repairs that a case's scale tries, by name: all, or a few where there are many models."""
    given, thorough, few = (
        lab.settings("pick_your_poison", key) for key in ("repairs", "thorough", "few")
    )
    names = given if case.watermark in thorough else few
    return {name: repair(lab, name) for name in names}


def repair(lab: Lab, name: str) -> Repair:
    """The repair that the scale calls ``name``; ``method`` in its entry says which one it is."""
    found = dict(lab.settings("pick_your_poison", "repairs", name))
    return build_repair(found.pop("method", name), **found)


@dataclass(frozen=True, eq=False)
class Asked:
    """Test samples with a watermark's trigger, and what it should bring about.

    Attributes:
        clean: the samples as they are.
        triggered: as the watermark's trigger makes them.
        target: (N,) int64, the label that the trigger is for; -1 where any wrong one will do.
    """

    clean: Dataset
    triggered: Any
    target: torch.Tensor


def asked(lab: Lab, case: Case, test: Dataset) -> Asked:
    """These images with the watermark's trigger; a key's parts take turns."""
    watermark = lab.watermark(case.dataset, case.watermark)
    if not isinstance(watermark, Keyed):
        target = -1 if watermark.target is None else watermark.target
        return Asked(test, watermark.trigger(test), torch.full((len(test),), target))
    samples, targets = test.samples.clone(), torch.zeros(len(test), dtype=torch.int64)
    for number, part in enumerate(parts := watermark.parts):
        rows = torch.arange(number, len(test), len(parts))
        samples[rows] = part.trigger(test.take(rows))
        targets[rows] = _label(part)
    return Asked(test, samples, targets)


def _label(watermark: Watermark) -> int:
    assert watermark.target is not None
    return watermark.target

"""Who takes part: the data that each model sees, the members' names, and where they are kept."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from datadeed.datasets.form.dataset import Dataset, stratified_subset
from datadeed.randomness import generator
from papers.base import Case, Lab

EVALUATOR = "evaluator"


@dataclass(frozen=True, eq=False)
class Shares:
    """A training set in two parts that share no image.

    Attributes:
        members: what members are trained on, each on a half of it.
        evaluator: what the evaluator is trained on.
    """

    members: Dataset
    evaluator: Dataset


def shares(lab: Lab, case: Case) -> Shares:
    """The training set of a case, cut by its seed."""
    data = lab.train(case.dataset).read()
    draw = generator(lab.seed, "shares", case.dataset, case.seed)
    rows = stratified_subset(data.labels, round(lab.params("data", "members") * len(data)), draw)
    own = torch.zeros(len(data), dtype=torch.bool)
    own[rows] = True
    return Shares(data.take(own), data.take(~own))


def half(lab: Lab, case: Case, name: str, data: Dataset) -> Dataset:
    """The half of the members' data that one of them sees."""
    draw = generator(lab.seed, "half", case.dataset, name, case.seed)
    return data.take(stratified_subset(data.labels, len(data) // 2, draw))


def same(lab: Lab) -> list[str]:
    """Members of one architecture: "lenet-1" to "lenet-8"."""
    return [f"{lab.params('same')}-{i}" for i in range(1, lab.params("copies") + 1)]


def diverse(lab: Lab) -> list[str]:
    """Members of one architecture each; the first copy stands for its own."""
    first = lab.params("same")
    return [f"{first}-1", *(name for name in lab.params("architectures") if name != first)]


def everybody(lab: Lab) -> list[str]:
    """The whole pool."""
    return list(dict.fromkeys([*same(lab), *diverse(lab)]))


def architecture(lab: Lab, name: str) -> dict[str, Any]:
    """What one of the pool, or the evaluator, is built like."""
    if name == EVALUATOR:
        return dict(lab.params("evaluator"))
    own = lab.params("same") if name in same(lab) else name
    return dict(lab.params("architectures", own))


def folder(lab: Lab, case: Case, name: str) -> Path:
    """Where a model's files are."""
    return lab.studies / f"{case}-members" / name


def pictures_file(lab: Lab, case: Case) -> Path:
    """Where the pictures of the figure are: a row of pictures an ensemble, a class each."""
    return lab.studies / f"{case}-pictures.parquet"

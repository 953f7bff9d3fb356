"""What a scale costs, before it is run: floating-point operations of trainings and inversions.

``python -m tasks.study ensemble_inversion flops [RATE]`` prints a table for the scale in force,
with hours at RATE operations a second. The code that does the work is run on two samples, counted,
and multiplied. A product and a sum are two operations. Convolutions and products of matrices alone
count: no activation, norm or optimiser, and not the pictures drawn in the end.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import ParameterError
from datadeed.models.classifier import build
from datadeed.models.model import Model
from datadeed.models.training.config import TrainingConfig
from datadeed.models.training.loop import train
from datadeed.thieves.inversion import metrics
from datadeed.thieves.inversion.ensemble import Ensemble
from datadeed.thieves.inversion.invert import EnsembleInversion
from datadeed.thieves.inversion.pictures import Pictures
from papers.base import Case, Lab, grid
from papers.ensemble_inversion import invert, judge, pool
from papers.ensemble_inversion.bench import Bench
from papers.ensemble_inversion.names import AIDED
from papers.ensemble_inversion.networks import small

SAMPLES = 2  # that are counted: batch norm needs two
# Training images, channels, side and classes, where a scale says no other. How many faces there are
# is the folder's matter: thirty of each of 40 people are assumed.
SOURCES = {
    "digits": (1_437, 1, 28, 10),
    "fashion-mnist": (60_000, 1, 28, 10),
    "mnist": (60_000, 1, 28, 10),
    "cifar10": (50_000, 3, 32, 10),
    "faces": (1_200, 1, 64, 40),
}
PART = 8_000  # of MNIST's test images
# What is done, and its operations.
Work: TypeAlias = tuple[str, float]


class Tally(Bench):
    """A bench of untrained models that counts inversions instead of doing them."""

    def __post_init__(self) -> None:
        shape, classes = self.test.shape, len(self.test.classes)
        built = {
            name: small(pool.architecture(self.lab, name), shape=shape, classes=classes,
                        generator=torch.Generator().manual_seed(0))
            for name in (*pool.everybody(self.lab), pool.EVALUATOR)
        }  # fmt: skip
        self.evaluator, self.models = built.pop(pool.EVALUATOR), built
        self.real = metrics.features(self.evaluator, self.train)
        self.work: list[Work] = []
        self.known: dict[str, float] = {}  # operations by what the members are built like

    def invert(
        self, names: Sequence[str], scenario: str, *, aided: bool = False, **changed: Any
    ) -> Pictures:
        """Count; give a black picture of each class."""
        built = str(sorted(str(self.models[name].config) for name in names)) + AIDED * aided
        if built not in self.known:
            members = [self.models[name] for name in names]
            self.known[built] = inversion(self.lab, members, self.auxiliary if aided else None)
        self.work.append((f"inversion of {len(names)}{AIDED * aided}", self.known[built]))
        return Pictures(self.test, torch.zeros(len(self.test)), torch.zeros(len(self.test)))

    def tested(self, name: str) -> tuple[float, int]:
        """On no images."""
        return 0.0, 0


def counted(work: Callable[[], Any]) -> float:
    """Operations of ``work``, forward and backward, for one of its :data:`SAMPLES` samples."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops() / SAMPLES


def blanks(lab: Lab, dataset: str) -> tuple[Dataset, int]:
    """Black images, one a class, like those of a data set; and how many it has for training.

    Raises:
        ParameterError: its source's size is not known here.
    """
    entry = lab.settings("datasets", dataset)
    if entry["source"] not in SOURCES:
        raise ParameterError(f"flops: the size of {entry['source']!r} is not in SOURCES: add it")
    images, channels, side, classes = SOURCES[entry["source"]]
    images = entry.get("train_size", PART if "part" in entry else images)
    label, side = torch.arange(entry.get("people", classes)), entry.get("size", side)
    samples = torch.zeros(len(label), channels, side, side, dtype=torch.uint8)
    return Dataset(samples, label, label, tuple(map(str, label.tolist()))), images


def training(lab: Lab, model: Model, how: str, data: Dataset, images: int) -> float:
    """Operations of one training, "training" or "judging", on so many images."""
    config = TrainingConfig.from_dict(lab.settings("ensemble_inversion", how))
    once = dataclasses.replace(config, epochs=1, batch_size=SAMPLES)
    few, draw = data.take(torch.arange(SAMPLES)), torch.Generator().manual_seed(0)
    return counted(lambda: train(model, few, once, generator=draw)) * images * config.epochs


def inversion(lab: Lab, members: Sequence[Model], auxiliary: Dataset | None = None) -> float:
    """Operations of one inversion."""
    values = {**lab.params("weights"), **lab.settings("ensemble_inversion", "inversion")}
    if auxiliary is not None:
        values["adversarial"] = lab.params("adversarial")
    once = EnsembleInversion(**values | {"iterations": 1, "batch_size": SAMPLES})
    ensemble, draw = Ensemble(members), torch.Generator().manual_seed(0)
    each = counted(lambda: once(ensemble, generator=draw, auxiliary=auxiliary))
    return each * int(values["batch_size"]) * int(values["iterations"])


def of_case(lab: Lab, case: Case) -> list[Work]:
    """All work on one case; which members lie farthest apart, untrained ones say."""
    data, images = blanks(lab, case.dataset)
    bench = Tally(lab, case, data, data, data if judge.aided(case, lab.settings()) else None)
    invert.alone(bench)
    invert.together(bench)
    invert.losses(bench)
    invert.chosen(bench, dict.fromkeys(bench.models, 0.0))
    theirs = round(lab.params("data", "members") * images)
    for model in bench.models.values():
        each = training(lab, model, "training", data, theirs // 2)
        bench.work.append(("training of a member", each))
    each = training(lab, bench.evaluator, "judging", data, images - theirs)
    return [*bench.work, ("training of the evaluator", each)]


def of_marks(lab: Lab, case: Case) -> list[Work]:
    """A thief and an honest model are inverted; other papers train them."""
    data, _ = blanks(lab, case.dataset)
    values = dict(lab.settings("models", case.dataset, case.network))
    del values["training"]
    draw = torch.Generator().manual_seed(0)
    model = build(shape=data.shape, classes=len(data.classes), generator=draw, **values)
    return [(f"inversion of a {case.network}", inversion(lab, [model]))] * 2


def costs(lab: Lab) -> Iterator[tuple[str, str, int, float]]:
    """Data, work, how often, and operations of it all; every seed is counted as the first one."""
    grids = lab.settings("ensemble_inversion", "grids")
    for name, of in (("aided", of_case), ("alone", of_case), ("marks", of_marks)):
        seeds = grids[name]["seeds"]
        for case in grid({**grids[name], "seeds": seeds[:1]}):
            found = pd.DataFrame(of(lab, case), columns=["work", "flops"])
            for work, its in found.groupby("work")["flops"]:
                yield case.dataset, str(work), len(its) * len(seeds), its.sum() * len(seeds)


def run(lab: Lab, rate: str = "1e13") -> None:
    """Print the table; ``rate``: operations a second that the machine keeps up.

    Raises:
        ParameterError: the rate is no number above 0.
    """
    try:
        speed = float(rate)
    except ValueError:
        speed = 0.0
    if not speed > 0:
        raise ParameterError(f"a rate of {rate!r} operations a second: give one such as 1e13")
    found = list(costs(lab))
    found.append(("all", "", sum(row[2] for row in found), sum(row[3] for row in found)))
    lines = [f"| data | work | how many | FLOPs each | FLOPs | hours at {speed:.1e}/s |"]
    lines.append("|---|---|---|---|---|---|")
    for dataset, work, count, total in found:
        figures = f"{total / max(count, 1):.1e} | {total:.1e} | {total / speed / 3600:.2g}"
        lines.append(f"| {dataset} | {work} | {count} | {figures} |")
    print("\n".join(lines))  # noqa: T201

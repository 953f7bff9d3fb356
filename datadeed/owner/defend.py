"""Checking and repairing a model that came from elsewhere, with a few trusted samples.

The same detectors and repairs that a thief would turn against a watermark, for whoever downloaded a
model and does not know what it was trained on.
"""

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.formats.blocks import SeveralSplits
from datadeed.datasets.formats.registry import read
from datadeed.errors import DatasetError, ParameterError, UnsupportedModality
from datadeed.models.devices import choose_device
from datadeed.models.model import Model
from datadeed.owner.data import Progress, Source, silent
from datadeed.owner.defend_files import Network, open_model, write_model
from datadeed.randomness import generator
from datadeed.thieves.calibrated_inversion import CalibratedInversion
from datadeed.thieves.neural_cleanse import NeuralCleanse
from datadeed.thieves.repair.base import Repair, check
from datadeed.thieves.repair.choice import Repaired, repair
from datadeed.thieves.repair.pivotal_tuning import PivotalTuning
from datadeed.thieves.repair.registry import build_repair
from datadeed.thieves.trigger_inversion import Detection, ModelDetector

ANOMALOUS = 2.0  # anomaly index of Neural Cleanse above which a model counts as backdoored
BOUND = 0.1  # of a pixel's change in calibrated inversion
INVERSION = NeuralCleanse(steps=60)
METHODS: dict[str, dict[str, Any]] = {  # see docs/decisions.md
    "unlearning": {"steps": 100, "lr": 0.005, "every": 20, "inversion": INVERSION},
    "fine-tuning": {"steps": 100, "lr": 0.01, "every": 20},
    "ft-sam": {"steps": 80, "lr": 0.01, "rho": 4.0, "every": 20},
    "pivotal-tuning": {"steps": 150, "lr": 0.01, "rotation": 0.01, "every": 25},
    "fine-pruning": {"steps": 60, "lr": 0.01, "every": 20},
    "attention-distillation": {"steps": 60, "teacher_steps": 60, "lr": 0.01, "every": 20},
}
TUNED = PivotalTuning(steps=150, lr=0.01, rotation=0.01, every=150)  # its calibration


@dataclass(frozen=True, eq=False)
class Defence:
    """What was found, and what became of the model.

    Attributes:
        detections: by detector's name; empty if none was asked for.
        classes: names, in label order.
        repaired: the model, and its accuracy on held-out trusted samples before and after.
        out: where the repaired model was written; None where nothing was.
        notes: lines that the user should read.
    """

    detections: dict[str, Detection]
    classes: tuple[str, ...]
    repaired: Repaired
    out: Path | None
    notes: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """As JSON values."""
        found, of = self.repaired, self.classes
        return {
            "detections": {
                name: {"score": d.score, "class": of[d.label], "by_class": d.by_class.tolist()}
                for name, d in self.detections.items()
            },
            "repaired": found.step is not None,
            "steps": found.step,
            "accuracy_before": found.before,
            "accuracy_after": found.after,
            "held_out": found.held_out,
            "tried": {str(step): value for step, value in found.tried.items()},
            "out": None if self.out is None else str(self.out),
            "notes": list(self.notes),
        }


def defend(
    model: Model | str | Path,
    trusted: Source,
    *,
    split: str | None = None,
    network: Network | None = None,
    out: str | Path | None = None,
    method: Repair | str = "unlearning",
    budget: float = 0.02,
    detect: bool = True,
    seed: int = 0,
    device: str = "auto",
    progress: Progress = silent,
) -> Defence:
    """Look for a backdoor in a model, and repair a copy of it.

    Args:
        model: a model in memory, a folder of ours (``model.safetensors``, ``model.json``), or a
            file of safetensors with a network's weights under its own names.
        trusted: images whose labels are right, in any format or in memory: 1 % of what the model
            was trained on will do, some of every class.
        split: of the trusted data, where there are several ("test").
        network: of a file of bare weights.
        out: the folder or file to write, of the form that ``model`` has; it must not exist. None
            writes nothing.
        method: how to repair, or one of :data:`METHODS`, which have values of their own here.
        budget: of accuracy on held-out trusted samples that may be lost, 0 to 1.
        detect: also look for backdoors.
        seed: of all draws.
        device: where to compute.
        progress: is told of every step.

    Returns:
        What was found. Where every state of the repair costs more than the budget, the model is the
        one that came, and nothing is written.

    Raises:
        ModelError: the model cannot be read, holds NaN, or is another network than declared.
        DatasetError: the trusted data cannot be read, lack a class, or are of another size.
        ParameterError: the method is unknown, or cannot work on such a model; a budget that is no
            share.
    """
    chosen = _method(method, out)
    samples = _trusted(trusted, split)
    suspect, names = open_model(model, network, samples, choose_device(device))
    samples = _in_order(samples, names)
    check(suspect, samples)
    notes = _doubts(suspect, samples)
    found: dict[str, Detection] = {}
    if detect:
        detectors: tuple[ModelDetector, ...] = (
            CalibratedInversion(bound=BOUND, repair=TUNED),
            INVERSION,
        )
        with progress("detect", len(detectors)) as advance:
            for done, detector in enumerate(detectors, 1):
                draw = generator(seed, "detect", detector.name)
                found[detector.name] = detector(suspect, samples, generator=draw)
                advance(done)
    with progress("repair", 1) as advance:
        draw = generator(seed, "repair", chosen.name)
        repaired = repair(suspect, samples, chosen, generator=draw, budget=budget)
        advance(1)
    written = None
    if out is not None and repaired.step is not None:
        written = Path(out)
        write_model(repaired, written, model)
    return Defence(found, samples.classes, repaired, written, notes)


def _method(method: Repair | str, out: str | Path | None) -> Repair:
    """The repair, before any work is done for it.

    Raises:
        ParameterError: it is unknown, or leaves no weights to write.
        DatasetError: there is something where the repaired model would be written.
    """
    if isinstance(method, str):
        if method not in METHODS:
            raise ParameterError(f"unknown repair {method!r}: choose {', '.join(METHODS)}")
        method = build_repair(method, **METHODS[method])
    if out is not None and not method.stored:
        raise ParameterError(f"{method.name} changes inputs, not weights: leave out away")
    if out is not None and Path(out).exists():
        raise DatasetError(f"{out} exists: name another place for the repaired model")
    return method


def _trusted(source: Source, split: str | None) -> Dataset:
    """All trusted images.

    Raises:
        DatasetError: they cannot be read. UnsupportedModality: they are no images.
    """
    if isinstance(source, Dataset):
        data = source
    else:
        try:
            data = read(source, split=split)
        except SeveralSplits:
            data = read(source, split="test")
    if data.modality != "image":
        raise UnsupportedModality(f"defend takes images and {source} holds {data.modality}")
    return data


def _in_order(samples: Dataset, names: list[str] | None) -> Dataset:
    """Labels in the model's numbering.

    Classes are matched by their names, whatever their case and punctuation, since no folder can be
    called "T-shirt/top". Names that are numbers from 0 are the model's labels themselves.

    Raises:
        DatasetError: model and data name other classes. (A repair with classes in another order
            would ruin the model.)
    """
    numbers = tuple(map(str, range(len(samples.classes))))
    if names is None or samples.classes == numbers:
        return samples
    own, given = ([_plain(name) for name in classes] for classes in (names, samples.classes))
    if sorted(own) != sorted(given) or len(set(own)) < len(own):
        odd = sorted(set(own) ^ set(given))
        raise DatasetError(
            f"the model calls its classes {', '.join(names[:5])}{', ...' * (len(names) > 5)} and "
            f"the trusted data have other names ({', '.join(odd[:5])}): name the folders so, or by "
            "the model's labels, from 0"
        )
    place = torch.tensor([own.index(name) for name in given])
    return dataclasses.replace(samples, labels=place[samples.labels], classes=tuple(names))


def _plain(name: str) -> str:
    """A name without case and punctuation."""
    return re.sub(r"[\W_]+", "-", name.casefold())


def _doubts(model: Model, samples: Dataset) -> tuple[str, ...]:
    """What about model and samples does not fit together."""
    answers = model.predict(samples.samples)
    right = answers.argmax(1) == samples.labels
    accuracy, chance = float(right.double().mean()), 1 / len(samples.classes)
    notes, unfit = [], accuracy < chance + (1 - chance) / 3
    if unfit:
        notes.append(
            f"the model gets {accuracy:.0%} of the trusted samples right: check the order of "
            "classes, mean and std"
        )
    doubted = int((~right & (answers.max(1).values > 0.9)).sum())
    if doubted and accuracy > 0.8:  # of a weaker model it says nothing
        notes.append(
            f"the model is sure of another label for {doubted} of {len(samples)} trusted samples: "
            "look at them, a wrong label is learnt like any other"
        )
    return tuple(notes)

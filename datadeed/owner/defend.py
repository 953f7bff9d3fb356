"""Checking and repairing a model that came from elsewhere, with a few trusted samples.

The same detectors and repairs that a thief would turn against a watermark, for whoever downloaded a
model and does not know what it was trained on.
"""

import copy
import dataclasses
import json
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError

from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.formats.blocks import SeveralSplits
from datadeed.datasets.formats.registry import read
from datadeed.errors import DatasetError, ModelError, ParameterError, UnsupportedModality, reason
from datadeed.files import atomic_path, canonical_digest, read_json
from datadeed.models.classifier import Classifier, build
from datadeed.models.devices import choose_device
from datadeed.models.model import Model
from datadeed.models.stored import load_model, save_model
from datadeed.owner.data import Progress, Source, silent
from datadeed.owner.suspects.files import check_file
from datadeed.randomness import generator
from datadeed.thieves.calibrated_inversion import CalibratedInversion
from datadeed.thieves.neural_cleanse import NeuralCleanse
from datadeed.thieves.repair.base import Repair, check
from datadeed.thieves.repair.choice import Repaired, repair
from datadeed.thieves.repair.pivotal_tuning import PivotalTuning
from datadeed.thieves.repair.registry import build_repair
from datadeed.thieves.trigger_inversion import Detection, ModelDetector

LARGEST_RECORD = 2**20  # bytes of model.json
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


@dataclass(frozen=True)
class Network:
    """What a file of bare weights does not say.

    Attributes:
        network: a key of :data:`datadeed.models.classifier.NETWORKS`.
        width: of ours; torchvision's have 64 only.
        mean, std: input normalisation per channel on the 0..1 scale; 0 and 1 when left out.
    """

    network: str
    width: int = 64
    mean: list[float] | None = None
    std: list[float] | None = None


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
    suspect, names = _open(model, network, samples, choose_device(device))
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
    if out is not None and repaired.step is not None and chosen.stored:
        written = Path(out)
        _write(repaired.model, written, model, repaired)
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


def _open(
    model: Model | str | Path, network: Network | None, samples: Dataset, device: torch.device
) -> tuple[Model, list[str] | None]:
    """The model on its device, and its class names if it says them.

    Raises:
        ModelError: it cannot be read, or is another network than declared.
    """
    if isinstance(model, Model):
        return copy.deepcopy(model).to(device), None
    path = Path(model)
    if path.is_dir():
        check_file(path / "model.safetensors")
        names = _check_record(path / "model.json")
        return load_model(path, device, Classifier), names
    check_file(path)
    if network is None:
        raise ModelError(
            f"{path} is a file of bare weights: say whose they are with --network (and --mean and "
            "--std, if its inputs were normalised)"
        )
    empty = build(
        **dataclasses.asdict(network),
        shape=samples.shape,
        classes=len(samples.classes),
        generator=torch.Generator(),
    )
    try:
        empty.network.load_state_dict(safetensors.torch.load_file(path))
    except (OSError, SafetensorError, RuntimeError, struct.error, json.JSONDecodeError) as error:
        raise ModelError(
            f"{path} does not hold a {network.network} of {len(samples.classes)} classes "
            f"({reason(error)}): name its own network"
        ) from error
    return empty.to(device).to(memory_format=torch.channels_last), None


def _check_record(path: Path) -> list[str] | None:
    """Check what a record asks for before a network of that size is built; its class names.

    Raises:
        ModelError: it is no record of a classifier of ours.
    """
    check_file(path, LARGEST_RECORD)
    try:
        record = read_json(path)
        config, names = record["config"], record.get("classes")
        sizes = [(config["width"], 1024), (config["classes"], 100_000)]
        sizes += [(side, 4096) for side in config["shape"]]
        if len(config["shape"]) != 3 or not all(
            type(size) is int and 1 <= size <= largest for size, largest in sizes
        ):
            raise ValueError("its width, classes or shape are out of range")
        if names is not None and not all(isinstance(name, str) for name in names):
            raise ValueError("its class names are no words")
        canonical_digest(record)  # refuses what JSON does not have, such as NaN
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ModelError(f"{path} does not describe a model ({reason(error)})") from error
    return None if names is None else list(names)


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


def _write(model: Model, out: Path, source: Model | str | Path, found: Repaired) -> None:
    """Write a repaired model in the form that it came in."""
    if isinstance(source, Model) or Path(source).is_dir():
        record = {} if isinstance(source, Model) else read_json(Path(source) / "model.json")
        record = {key: record[key] for key in record if key != "config"}
        about = {"steps": found.step, "accuracy_before": found.before, "accuracy": found.after}
        save_model(model, out, {**record, "repaired": about})
        return
    assert isinstance(model, Classifier)
    state = {name: v.detach().cpu().contiguous() for name, v in model.network.state_dict().items()}
    with atomic_path(out) as path:
        path.write_bytes(safetensors.torch.save(state))

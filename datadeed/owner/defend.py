"""Checking and repairing a model that came from elsewhere, with a few trusted samples.

The same detectors and repairs that a thief would turn against a watermark, for whoever downloaded a
model and does not know what it was trained on.
"""

import dataclasses
import json
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
from datadeed.errors import DatasetError, ModelError, UnsupportedModality, reason
from datadeed.files import atomic_path, read_json
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
from datadeed.thieves.repair.unlearning import Unlearning
from datadeed.thieves.trigger_inversion import Detection, ModelDetector

LARGEST_WIDTH = 1024  # a record may ask for more than any memory holds
ANOMALOUS = 2.0  # anomaly index of Neural Cleanse above which a model counts as backdoored
BOUND = 0.1  # of a pixel's change in calibrated inversion
INVERSION = NeuralCleanse(steps=60)
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
    method: Repair | None = None,
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
        out: the folder or file to write, of the form that ``model`` has; None writes nothing.
        method: how to repair; :class:`~datadeed.thieves.repair.unlearning.Unlearning` when left
            out, which removed most of what was tried (docs/defend.md).
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
        ParameterError: the method cannot work on such a model.
    """
    samples = _trusted(trusted, split)
    suspect, names = _open(model, network, samples, choose_device(device))
    samples = _in_order(samples, names)
    check(suspect, samples)
    notes = _doubts(suspect, samples)
    chosen = method or Unlearning(steps=100, lr=0.005, every=20, inversion=INVERSION)
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
        return model, None
    path = Path(model)
    if path.is_dir():
        for name in ("model.json", "model.safetensors"):
            check_file(path / name)
        record = read_json(path / "model.json")
        config = record.get("config") if isinstance(record, dict) else None
        width = config.get("width", 1) if isinstance(config, dict) else 1
        if type(width) is not int or not 1 <= width <= LARGEST_WIDTH:
            raise ModelError(f"{path}/model.json: width is not from 1 to {LARGEST_WIDTH}")
        names = record.get("classes") if isinstance(record, dict) else None
        return load_model(path, device, Classifier), names if isinstance(names, list) else None
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


def _in_order(samples: Dataset, names: list[str] | None) -> Dataset:
    """Labels in the model's numbering, where both name the same classes."""
    if names is None or tuple(names) == samples.classes or set(names) != set(samples.classes):
        return samples
    place = torch.tensor([names.index(name) for name in samples.classes])
    labels = place[samples.labels]
    return dataclasses.replace(samples, labels=labels, classes=tuple(names))


def _doubts(model: Model, samples: Dataset) -> tuple[str, ...]:
    """What about model and samples does not fit together."""
    answers = model.predict(samples.samples)
    right = answers.argmax(1) == samples.labels
    accuracy, chance = float(right.double().mean()), 1 / len(samples.classes)
    notes = []
    if accuracy < 2 * chance:
        notes.append(
            f"the model gets {accuracy:.0%} of the trusted samples right: check the order of "
            "classes, mean and std"
        )
    doubted = int((~right & (answers.max(1).values > 0.9)).sum())
    if doubted and accuracy >= 2 * chance:
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
    if out.is_dir():
        raise DatasetError(f"{out} is a folder: give --out the name of a safetensors file")
    assert isinstance(model, Classifier)
    state = {name: v.detach().cpu().contiguous() for name, v in model.network.state_dict().items()}
    with atomic_path(out) as path:
        path.write_bytes(safetensors.torch.save(state))

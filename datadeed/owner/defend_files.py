"""A model that is to be defended, read from files that may be hostile, and written again."""

import copy
import dataclasses
import json
import struct
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import ModelError, reason
from datadeed.files import atomic_path, canonical_digest, read_json
from datadeed.models.classifier import Classifier, build
from datadeed.models.model import Model
from datadeed.models.stored import load_model, save_model
from datadeed.owner.suspects.files import check_file
from datadeed.thieves.repair.choice import Repaired

LARGEST_RECORD = 2**20  # bytes of model.json


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


def open_model(
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


def write_model(found: Repaired, out: Path, source: Model | str | Path) -> None:
    """Write a repaired model in the form that it came in."""
    model = found.model
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

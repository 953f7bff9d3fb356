"""What `datadeed leak` reads: models and images; and what it keeps: finished inversions.

So a run that was killed goes on where it stopped.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.form.parquet import read_dataset, write_dataset
from datadeed.datasets.formats.blocks import SeveralSplits
from datadeed.datasets.formats.registry import read
from datadeed.errors import DatadeedError, DatasetError, ModelError, UnsupportedModality
from datadeed.files import canonical_digest, read_json, write_json
from datadeed.models.model import Model
from datadeed.owner.data import Source
from datadeed.owner.defend_files import Network, open_model
from datadeed.owner.leak_classes import Names
from datadeed.thieves.inversion.pictures import Pictures


@dataclass(frozen=True)
class Bare:
    """What files of bare weights do not say.

    Attributes:
        network: whose weights they are; the evaluator's and every model's.
        shape: (C, H, W) of an image.
    """

    network: Network
    shape: tuple[int, ...]


def opened_model(
    path: str | Path, bare: Bare | None, names: Names, device: torch.device
) -> tuple[Model, Sequence[str] | None]:
    """A model, and its class names in its own label order if anybody says them.

    Raises:
        ModelError: it cannot be read, or no gradients can be had of it.
    """
    text = str(path)
    if Path(text).suffix in (".onnx", ".yaml", ".yml") or "://" in text:
        raise ModelError(
            f"{text}: inversion needs gradients, which an ONNX file and a served model do not "
            "give: name its weights, as safetensors"
        )
    if Path(text).is_dir():
        model, own = open_model(text, None, _nothing((1, 1, 1), ("", "")), device)
        return model, names.of(text, own)
    if bare is None:
        raise ModelError(
            f"{text} is no folder of a model: of a file of bare weights say whose they are, with "
            "--network, --shape and --classes"
        )
    if (classes := names.of(text)) is None:
        raise ModelError(f"{text} is a file of bare weights: name its classes with --classes")
    model, _ = open_model(text, bare.network, _nothing(bare.shape, tuple(classes)), device)
    return model, classes


def _nothing(shape: tuple[int, ...], classes: tuple[str, ...]) -> Dataset:
    """One black image, which says the size and the classes of a bare network."""
    samples = torch.zeros(1, *shape, dtype=torch.uint8)
    return Dataset(samples, torch.zeros(1, dtype=torch.int64), torch.arange(1), classes)


def images(source: Source, shape: tuple[int, ...]) -> Dataset:
    """Images of the models' size; of a place with several splits, the training images.

    Raises:
        DatasetError: they cannot be read, or are of another size.
        UnsupportedModality: they are no images.
    """
    if isinstance(source, Dataset):
        data = source
    else:
        try:
            data = read(source)
        except SeveralSplits:
            data = read(source, split="train")
    if data.modality != "image":
        raise UnsupportedModality(f"leak compares images and {source} holds {data.modality}")
    if data.shape != shape:
        raise DatasetError(
            f"the models take images of {shape}, but those given are {data.shape}: bring them to "
            "that size"
        )
    return data


def digest(model: Model) -> str:
    """SHA-256, in hexadecimal, of a model's weights and what it is built like."""
    sha = hashlib.sha256(canonical_digest(model.config).encode())
    for name, value in sorted(model.state_dict().items()):
        sha.update(name.encode())
        sha.update(value.detach().cpu().contiguous().numpy().tobytes())
    return sha.hexdigest()


def keep(pictures: Pictures, path: Path) -> None:
    """Write ``path.parquet``, and then ``path.json``: an inversion with both is complete."""
    write_dataset(pictures.data, path.with_suffix(".parquet"))
    rated = {"activation": pictures.activation.tolist(), "agreement": pictures.agreement.tolist()}
    write_json(path.with_suffix(".json"), rated)


def kept(path: Path) -> Pictures | None:
    """What :func:`keep` wrote; None where there is nothing, or nothing whole."""
    if not path.with_suffix(".json").exists():
        return None
    try:
        rated = read_json(path.with_suffix(".json"))
        data = read_dataset(path.with_suffix(".parquet"))
        found = Pictures(data, torch.tensor(rated["activation"]), torch.tensor(rated["agreement"]))
    except (DatadeedError, KeyError, TypeError, ValueError):
        return None
    return found if len(found.activation) == len(found.agreement) == len(data) else None

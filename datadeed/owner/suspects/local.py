"""A suspect in a folder of ours: ``model.safetensors`` and ``model.json``."""

from pathlib import Path
from typing import Any

import torch

from datadeed.files import canonical_digest, read_json
from datadeed.owner.suspects.base import Answer, Misfit, SuspectError, check_kind
from datadeed.owner.suspects.config import Config
from datadeed.owner.suspects.files import file_digest
from datadeed.owner.suspects.scores import read_rows

BATCH = 128  # samples at a time: 1.1 to 1.6 times as fast as 512 on one core, same bits
_FILES = ("model.json", "model.safetensors")
_LARGEST = {"width": 1024, "classes": 100_000}  # a record may ask for more than any memory holds


class LocalSuspect:
    """A network that :func:`datadeed.models.stored.save_model` wrote, run here.

    It takes images, texts or clips, as its record says. Nothing in its files can run code: weights
    are safetensors, the record is JSON, and the network is one of ours.

    Raises:
        SuspectError, ModelError: the folder does not hold a model, or not one of these classes.
    """

    protocol = "local"
    at_once = 10**6

    def __init__(self, config: Config, device: torch.device | str = "cpu"):
        from datadeed.models.stored import load_model

        if config.path is None:
            raise SuspectError(f"{config.name} has no path: add it to its file")
        self.name, self.classes = config.name, config.output.key_classes
        self.groups, self.declared = config.output.groups, config.reading
        self.kind, self.endpoint = config.output.answer_kind, str(config.path)
        self._output = config.output
        digests = {name: file_digest(config.path / name) for name in _FILES}
        self._fingerprint = canonical_digest(digests)
        _check_record(config, config.path)
        self._model = load_model(config.path, device)

    def predict(self, samples: Any) -> list[Answer]:
        """See :class:`datadeed.owner.suspects.base.Suspect`."""
        check_kind(samples, self._model.modality, self.endpoint)
        if self._model.modality != "text":
            shape, given = tuple(self._model.config["shape"]), tuple(samples.shape[1:])
            if given != shape:
                raise Misfit(
                    f"the samples are {given} and {self.endpoint} takes {shape}: choose a suspect "
                    "of the same dataset"
                )
        if not len(samples):
            return []
        answers = self._model.predict(samples, batch_size=BATCH)
        return read_rows(answers.double().tolist(), self._output)

    def fingerprint(self) -> str:
        """Of the SHA-256 of both files, as canonical JSON."""
        return self._fingerprint

    def close(self) -> None:
        """Nothing to let go of."""


def _check_record(config: Config, folder: Path) -> None:
    """Check what the record asks for before a network of that size is built."""
    record = read_json(folder / "model.json")
    described = record.get("config") if isinstance(record, dict) else None
    values = described if isinstance(described, dict) else {}
    modality = values.get("modality", "image")
    _check_whole(values, folder, "classes", _LARGEST["classes"])
    room = (folder / "model.safetensors").stat().st_size  # a weight takes a byte or more
    if modality == "text":
        _check_encoder(values.get("encoder"), folder, room)
    else:
        _check_whole(values, folder, "width", _LARGEST["width"])
    if modality == "audio":
        shape: Any = values.get("shape")
        one = isinstance(shape, list) and len(shape) == 1 and type(shape[0]) is int
        # A sample of sound leaves width / 533 features, each with a weight a class.
        if not one or not 0 < shape[0] * values["width"] * values["classes"] <= 1000 * room:
            raise SuspectError(
                f"{folder}/model.json: shape is not that of clips which its weights can be for"
            )
    if values["classes"] != len(config.output.classes):
        raise SuspectError(
            f"{folder} has {values['classes']} classes and {len(config.output.classes)} are "
            "declared: list its own in output.classes"
        )


def _check_whole(values: dict[str, Any], folder: Path, name: str, largest: int) -> None:
    value = values.get(name)
    if type(value) is not int or not 1 <= value <= largest:
        raise SuspectError(f"{folder}/model.json: {name} is not from 1 to {largest}")


def _check_encoder(encoder: Any, folder: Path, room: int) -> None:
    """Check that the tables and layers that a record of an encoder asks for are in its weights.

    Args:
        encoder: as the record holds it.
        folder: where it is, for the message.
        room: bytes of the weights.
    """
    described = encoder if isinstance(encoder, dict) else {}
    sizes = described.get("sizes")
    given = dict(sizes) if isinstance(sizes, dict) else {}
    given["tokenizer_bytes"] = described.get("tokenizer_bytes")
    numbers = {name: value for name, value in given.items() if type(value) is int}
    width = max(numbers.get("hidden_size", 0), numbers.get("dim", 0))
    layers = max(numbers.get("num_hidden_layers", 0), numbers.get("n_layers", 0))
    inner = max(numbers.get("intermediate_size", 0), numbers.get("hidden_dim", 0))
    tables = ("vocab_size", "max_position_embeddings", "type_vocab_size")
    rows = sum(numbers.get(name, 0) for name in tables)
    weights = width * (rows + layers * (4 * width + 2 * inner))
    if not 0 < weights + numbers.get("tokenizer_bytes", 0) <= room or min(numbers.values()) < 0:
        raise SuspectError(
            f"{folder}/model.json: encoder asks for more than its weights hold: take the file that "
            "belongs to them"
        )

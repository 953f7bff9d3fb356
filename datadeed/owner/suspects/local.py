"""A suspect in a folder of ours: ``model.safetensors`` and ``model.json``."""

import torch

from datadeed.files import canonical_digest, read_json
from datadeed.owner.suspects.base import Answer, SuspectError, check_images
from datadeed.owner.suspects.config import Config
from datadeed.owner.suspects.files import file_digest
from datadeed.owner.suspects.scores import read_rows

_FILES = ("model.json", "model.safetensors")
_LARGEST = {"width": 1024, "classes": 100_000}  # a record may ask for more than any memory holds


class LocalSuspect:
    """A network that :func:`datadeed.models.stored.save_model` wrote, run here.

    Nothing in its files can run code: weights are safetensors, the record is JSON, and the network
    is one of ours.

    Raises:
        SuspectError, ModelError: the folder does not hold a model, or not one of these classes.
    """

    protocol = "local"
    at_once = 10**6

    def __init__(self, config: Config, device: torch.device | str = "cpu"):
        from datadeed.models.classifier import Classifier
        from datadeed.models.stored import load_model

        if config.path is None:
            raise SuspectError(f"{config.name} has no path: add it to its file")
        self.name, self.classes = config.name, config.output.key_classes
        self.groups, self.declared = config.output.groups, config.reading
        self.kind, self.endpoint = config.output.answer_kind, str(config.path)
        self._output = config.output
        digests = {name: file_digest(config.path / name) for name in _FILES}
        self._fingerprint = canonical_digest(digests)
        _check_record(config)
        self._model = load_model(config.path, device, Classifier)

    def predict(self, images: torch.Tensor) -> list[Answer]:
        """See :class:`datadeed.owner.suspects.base.Suspect`."""
        check_images(images)
        shape = tuple(self._model.config["shape"])
        if images.shape[1:] != shape:
            raise SuspectError(
                f"the images are {tuple(images.shape[1:])} and {self.endpoint} takes {shape}: "
                "choose a suspect of the same dataset"
            )
        if not len(images):
            return []
        return read_rows(self._model.predict(images).double().numpy(), self._output)

    def fingerprint(self) -> str:
        """Of the SHA-256 of both files, as canonical JSON."""
        return self._fingerprint

    def close(self) -> None:
        """Nothing to let go of."""


def _check_record(config: Config) -> None:
    """Check what the record asks for before a network of that size is built."""
    record = read_json(config.path / "model.json") if config.path else None
    described = record.get("config") if isinstance(record, dict) else None
    values = described if isinstance(described, dict) else {}
    for name, largest in _LARGEST.items():
        value = values.get(name)
        if type(value) is not int or not 1 <= value <= largest:
            raise SuspectError(f"{config.path}/model.json: {name} is not from 1 to {largest}")
    if values["classes"] != len(config.output.classes):
        raise SuspectError(
            f"{config.path} has {values['classes']} classes and {len(config.output.classes)} are "
            "declared: list its own in output.classes"
        )

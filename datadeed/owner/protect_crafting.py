"""An owner's crafting: the surrogate, and a folder for the state.

A crafting takes minutes to hours. What was done is kept in a folder together with the seed, so that
the same call goes on after a kill; the folder goes when the copy is written.
"""

import dataclasses
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import WatermarkError
from datadeed.files import canonical_digest
from datadeed.keys.sealing import check_place, read_secret, write_secret
from datadeed.models.devices import choose_device
from datadeed.models.model import Model
from datadeed.models.registry import model_class
from datadeed.models.stored import load_model
from datadeed.models.training.config import TrainingConfig, config_record, read_training
from datadeed.models.training.loop import train
from datadeed.owner.data import Note, Progress, silent, unheard
from datadeed.randomness import generator
from datadeed.watermarks.crafted import Crafted, OnProgress, Surrogate
from datadeed.watermarks.crafting import craft

START = "start.json"


@dataclass(frozen=True)
class Work:
    """A crafting's folder and the seed that it was begun with."""

    folder: Path
    seed: int
    passphrase: str | None = None

    @classmethod
    def open(
        cls,
        folder: Path,
        seed: int | None,
        *,
        forbidden: tuple[Path, ...],
        passphrase: str | None = None,
    ) -> "Work":
        """A folder, and its seed if an earlier call began it.

        Args:
            folder: for the state.
            seed: that was asked for.
            forbidden: folders that are given away.
            passphrase: seals the seed.

        Raises:
            SecretError: it lies where it could be published, or its seed cannot be read.
            WatermarkError: it holds something else, or was begun with another seed.
        """
        start = folder / START
        for place in forbidden:
            check_place(start, place)
        if start.exists():
            begun = int(read_secret(start, passphrase)["seed"])
            if seed not in (None, begun):
                raise WatermarkError(
                    f"{folder} was begun with another seed: delete it to start anew, or leave "
                    "--seed out"
                )
            return cls(folder, begun, passphrase)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise WatermarkError(f"{folder} is not empty and no crafting's: name another --work")
        return cls(folder, new_seed() if seed is None else seed, passphrase)

    def begin(self) -> None:
        """Make the folder and keep the seed in it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)  # the perturbation says which rows are marked
        write_secret(self.folder / START, {"seed": self.seed}, self.passphrase)

    def remove(self) -> None:
        """Delete what the crafting kept."""
        shutil.rmtree(self.folder)

    def craft(
        self, method: Crafted, data: Dataset, surrogate: Surrogate | None, on_step: OnProgress
    ) -> None:
        """Compute the marked samples of a watermark, or go on with it.

        Raises:
            WatermarkError: the surrogate or the data do not suit the method.
            CheckpointError: the state is damaged, or of another crafting.
        """
        self.begin()
        draws, folder = (self.seed, "craft"), self.folder / "crafting"
        try:
            craft(method, data, surrogate, draws, folder, on_progress=on_step)
        except WatermarkError:
            if [path.name for path in self.folder.iterdir()] == [START]:  # nothing was done yet
                self.remove()
            raise


def new_seed() -> int:
    """63 bits from the operating system."""
    return secrets.randbits(63)


@dataclass(frozen=True)
class Network:
    """The surrogate that is trained where none is named.

    Attributes:
        name: of the network; ``size`` is the value that says how large, ``default`` unless chosen.
        epochs: unless chosen.
        training: the other settings.
    """

    name: str
    size: str
    default: int
    epochs: int
    training: dict[str, Any]


NETWORKS = {
    "image": Network("resnet18", "width", 16, 4, {"lr": 0.1, "flip": True}),
    "audio": Network(
        "raw-audio-cnn", "width", 16, 20, {"lr": 0.02, "batch_size": 16, "flip": False}
    ),
    "text": Network(
        "minilm",
        "layers",
        6,
        2,
        {"lr": 2e-4, "batch_size": 32, "flip": False, "optimiser": "adamw", "bucketed": True},
    ),
}


def device() -> torch.device:
    """Where an owner's models run: ``DATADEED_DEVICE``, or the best there is."""
    return choose_device(os.environ.get("DATADEED_DEVICE", "auto"))


@dataclass(frozen=True)
class SurrogateChoice:
    """Which surrogate to craft against.

    Attributes:
        folder: a trained model's; if None, one is trained on the benign data.
        size: of the one that is trained (:data:`NETWORKS` says of what).
        epochs: of each of its trainings.
    """

    folder: Path | None = None
    size: int | None = None
    epochs: int | None = None

    def get(
        self, data: Dataset, work: Work, *, progress: Progress = silent, note: Note = unheard
    ) -> Surrogate:
        """The model that was named, or one trained on the data; a killed training goes on.

        A named model's record says how it was trained: with the same augmentation it is trained
        again, and crafted against.

        Raises:
            WatermarkError: choices contradict each other.
            ModelError: the named model cannot be read.
            ParameterError: a number makes no sense.
        """
        network = NETWORKS[data.modality]
        epochs = network.epochs if self.epochs is None else self.epochs
        training = TrainingConfig(epochs=epochs, schedule="one-cycle", **network.training)
        if self.folder is not None:
            if self.size is not None:
                raise WatermarkError(
                    f"--surrogate-{network.size} is of a model to train: leave one of both out"
                )
            model = load_model(self.folder, device(), model_class(data.modality))
            if (first := read_training(self.folder)) is not None:
                training = dataclasses.replace(training, **first.augmentation)
            return Surrogate(model, training)
        size = network.default if self.size is None else self.size
        if size < 1:
            raise WatermarkError(f"a surrogate of {network.size} {size}: give 1 or more")
        model = model_class(data.modality).new(
            network.name,
            form=data.form,
            classes=len(data.classes),
            generator=generator(work.seed, "surrogate", "weights"),
            **{network.size: size},
        )
        _train(model, data, training, work, progress=progress, note=note)
        return Surrogate(model, training)


def _train(
    model: Model,
    data: Dataset,
    training: TrainingConfig,
    work: Work,
    *,
    progress: Progress,
    note: Note,
) -> None:
    work.begin()
    identity = [data.digest(), model.config, config_record(training), torch.get_num_threads()]
    with progress("train surrogate", training.epochs * len(data)) as advance:
        history = train(
            model,
            data,
            training,
            generator=generator(work.seed, "surrogate", "order"),
            device=device(),
            checkpoint=work.folder / "surrogate",
            fingerprint=canonical_digest(identity),
            on_progress=lambda done, text, resumed: advance(done),
        )
    note(f"surrogate: accuracy {history[-1]['train_accuracy']:.1%} on the data it was trained on")

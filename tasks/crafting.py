"""Crafting in stage ``mark``: the dataset's surrogate, where the state is kept, what is written."""

import os
import shutil
from pathlib import Path

from datadeed.datasets.form.parquet import DatasetFile, read_dataset
from datadeed.errors import ParameterError
from datadeed.files import write_json
from datadeed.models.devices import choose_device
from datadeed.models.registry import model_class
from datadeed.models.stored import load_model, save_model
from datadeed.models.training.config import TrainingConfig, config_record, read_training
from datadeed.watermarks.base import Watermark
from datadeed.watermarks.crafted import Crafted, Surrogate
from datadeed.watermarks.crafting import craft
from tasks.common import DATA, parameters, set_threads
from tasks.progress import Progress


class Crafting:
    """The crafting of one watermark, whose state is kept until its results are written.

    Args:
        method: a crafted watermark.
        source: the benign data.
        dataset, watermark: names.
    """

    def __init__(self, method: Watermark, source: DatasetFile, dataset: str, watermark: str):
        assert isinstance(method, Crafted)
        self.method, self.source, self.dataset = method, source, dataset
        self._name = f"{dataset}-{watermark}"
        self._folder = DATA / "checkpoints" / self._name
        self._surrogate: Surrogate | None = None

    def run(self, rows_of: str) -> None:
        """Craft against the dataset's surrogate, or go on where that was killed.

        Args:
            rows_of: the watermark whose rows are drawn: this one or another.
        """
        set_threads()
        method = self.method
        if method.needs_surrogate:
            self._surrogate = surrogate_of(self.dataset, self.source.modality)
            method.load_tools(DATA / "downloads", self._surrogate.model.device)
        draws = (parameters("seed"), method.draws, self.dataset, rows_of)
        data, steps = read_dataset(self.source.path), Steps(f"craft {self._name}")
        craft(
            method,
            data,
            self._surrogate,
            draws,
            self._folder,
            several=True,
            on_progress=steps,
        )
        steps.close()

    def finish(self, out: Path) -> None:
        """Write what the crafting did beside the released set, and forget its state."""
        write_json(out / "craft.json", {"form": 1, **self.method.facts()})
        if self.method.last_surrogate is not None and self._surrogate is not None:
            training = config_record(self._surrogate.training)
            record = {"training": training, "classes": list(self.source.classes)}
            save_model(self.method.last_surrogate, out / "last-surrogate", record)
        shutil.rmtree(self._folder, ignore_errors=True)


def surrogate_of(dataset: str, modality: str) -> Surrogate:
    """The dataset's surrogate, and how to train one again on perturbed data.

    Raises:
        ParameterError: the two trainings change images in other ways, so that crafting could
            imitate one of them alone.
    """
    entries = parameters("models", dataset)
    again = "retraining" if "retraining" in entries else "surrogate"
    training = TrainingConfig.from_dict(parameters("models", dataset, again, "training"))
    device = choose_device(os.environ.get("DATADEED_DEVICE", "auto"))
    folder = DATA / "models" / f"{dataset}-surrogate-none-0"
    model, first = load_model(folder, device, model_class(modality)), read_training(folder)
    if first is not None and first.augmentation != training.augmentation:
        raise ParameterError(
            f"models.{dataset}: the surrogate was trained with {first.augmentation}, but its "
            f"{again} has {training.augmentation}: give both the same, and train the surrogate anew"
        )
    return Surrogate(model, training)


class Steps:
    """A bar that learns the number of steps with the first one."""

    def __init__(self, text: str):
        self._text = text
        self._bar: Progress | None = None

    def __call__(self, done: int, total: int, note: str, resumed: bool) -> None:
        """``done`` of ``total`` steps are done."""
        if self._bar is None:
            self._bar = Progress(total, "steps", self._text)
        self._bar.update(done, note, resumed=resumed)

    def close(self) -> None:
        """End the bar."""
        if self._bar is not None:
            self._bar.close()

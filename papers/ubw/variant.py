"""How far UBW-C carries when one of its settings is another.

``tasks.study ubw variant NAME`` changes the values that ``ubw.study`` in the scale names, crafts,
trains one victim from scratch and writes the rates of its models. Killed at any moment, it goes on
after the last finished iteration or epoch.
"""

import dataclasses
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.files import canonical_digest, write_json
from datadeed.models.classifier import Classifier, build
from datadeed.models.training.config import TrainingConfig
from datadeed.models.training.loop import train
from datadeed.randomness import generator
from datadeed.verification.answers import ask
from datadeed.verification.ubw import rates
from datadeed.watermarks.crafted import Surrogate
from datadeed.watermarks.marking import mark_dataset
from datadeed.watermarks.ubw_c import UBWC
from papers.base import Case, Lab


@dataclass(frozen=True)
class Variant:
    """One variant of the study.

    Attributes:
        dataset, name: which.
        watermark: ``ubw-c`` with the changed values.
        width: of surrogate and victim, if changed.
        epochs: of every training, if changed.
        lab: the pipeline.
    """

    dataset: str
    name: str
    watermark: UBWC
    width: int | None
    epochs: int | None
    lab: Lab

    @classmethod
    def read(cls, lab: Lab, dataset: str, name: str) -> "Variant":
        """What the scale calls ``name``.

        Raises:
            ParameterError: there is no such variant.
            WatermarkError: a value makes no sense.
        """
        changes = dict(lab.settings("ubw", "study", name))
        width, epochs = changes.pop("width", None), changes.pop("epochs", None)
        watermark = lab.build(dataset, "ubw-c", **changes)
        assert isinstance(watermark, UBWC)
        return cls(dataset, name, watermark, width, epochs, lab)

    def training(self, config: TrainingConfig) -> TrainingConfig:
        """A training with this variant's epochs."""
        return dataclasses.replace(config, epochs=self.epochs or config.epochs)

    def fit(self, data: Dataset, entry: str, device: torch.device, folder: Path) -> Classifier:
        """Train the network that the scale calls ``entry``."""
        settings = dict(self.lab.settings("models", self.dataset, entry))
        config = self.training(TrainingConfig.from_dict(settings.pop("training")))
        settings["width"] = self.width or settings["width"]
        seed = (self.lab.seed, "study", self.dataset, entry, self.name)
        model = build(
            shape=data.shape,
            classes=len(data.classes),
            generator=generator(*seed, "weights"),
            **settings,
        )
        total, text = config.epochs * len(data), f"train {entry} for {self.name}"
        with self.lab.progress(total, "images", text) as tell:
            train(
                model,
                data,
                config,
                generator=generator(*seed, "order"),
                device=device,
                checkpoint=folder / entry,
                fingerprint=canonical_digest({"data": data.digest(), "seed": seed}),
                on_progress=lambda done, note, resumed: tell(done, note, resumed=resumed),
            )
        return model

    def honest(self, data: Dataset, entry: str, folder: Path) -> Classifier:
        """The dataset's own benign model; a new one if width or epochs are changed."""
        model = self.lab.model(Case(self.dataset, entry, "none", 0))
        assert isinstance(model, Classifier)
        if self.width is not None or self.epochs is not None:
            model = self.fit(data, entry, model.device, folder)
        return model

    def surrogate(self, data: Dataset, folder: Path) -> Surrogate:
        """The dataset's surrogate, and how to train it again."""
        again = self.lab.settings("models", self.dataset, "retraining", "training")
        training = self.training(TrainingConfig.from_dict(again))
        return Surrogate(self.honest(data, "surrogate", folder), training)

    def fingerprint(self, data: Dataset) -> str:
        """Names the work: state of another is not gone on with."""
        identity = {
            "changed": self.lab.settings("ubw", "study", self.name),
            "data": data.digest(),
            "models": self.lab.settings("models", self.dataset),
            "seed": self.lab.seed,
            "watermark": self.watermark.record(),
        }
        return canonical_digest(identity)


def run(lab: Lab, name: str) -> None:
    """Craft, train and measure one variant."""
    dataset = lab.settings("ubw", "datasets")[0]
    variant = Variant.read(lab, dataset, name)
    data, method = lab.train(dataset).read(), variant.watermark
    fingerprint, folder = variant.fingerprint(data), lab.checkpoints / f"{dataset}-study-{name}"
    here = folder / fingerprint[:16]
    surrogate = variant.surrogate(data, here)
    with lab.progress(method.matching.iterations, "steps", f"craft {name}") as tell:
        method.craft(
            data,
            surrogate,
            generator(lab.seed, "study", dataset, name),
            checkpoint=here,
            fingerprint=fingerprint,
            on_progress=lambda done, _, note, resumed: tell(done, note, resumed=resumed),
        )
    released, marks = mark_dataset(method, data, generator(0))  # the rows are chosen already
    network = lab.settings("ubw", "networks")[0]
    victim = variant.fit(released, network, surrogate.model.device, here)
    test = lab.test(dataset)
    models = {"victim": victim, "last-surrogate": method.last_surrogate, "benign": surrogate.model}
    if method.last_surrogate is not None:
        models["benign-retraining"] = variant.honest(data, "retraining", here)
    record = {
        "dataset": dataset,
        "variant": name,
        "marked": len(marks),
        "loss": method.losses[-1],
        "models": {part: rates(ask(m, method, test)) for part, m in models.items() if m},
    }
    write_json(lab.studies / f"{dataset}-{name}.json", record)
    shutil.rmtree(folder)

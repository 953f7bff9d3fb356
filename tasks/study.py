"""Stage ``study`` of UBW: how far UBW-C carries when one of its settings is another.

Each variant changes some values of ``ubw-c`` (``ubw.study`` in the scale), crafts it, trains one
victim from scratch and measures it. ``--table`` puts the variants into ``ubw-c-study.csv`` and
draws them.
Killed at any moment, it goes on after the last finished iteration or epoch.
"""

import argparse
import dataclasses
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.form.parquet import DatasetFile, read_dataset
from datadeed.files import canonical_digest, read_json, write_json, write_text
from datadeed.models.classifier import Classifier, build
from datadeed.models.devices import choose_device
from datadeed.models.training import TrainingConfig, train
from datadeed.randomness import generator
from datadeed.verification.answers import ask
from datadeed.verification.ubw import rates
from datadeed.watermarks.crafted import Surrogate
from datadeed.watermarks.marking import mark_dataset
from datadeed.watermarks.ubw_c import UBWC
from tasks.common import DATA, Progress, parameters, stage
from tasks.crafting import Steps, surrogate_of
from tasks.mark import build as build_watermark
from tasks.train import set_threads

FOLDER = DATA / "studies"
MODELS = ("victim", "last-surrogate", "benign")


@dataclass(frozen=True)
class Variant:
    """One variant of the study.

    Attributes:
        dataset, name: which.
        watermark: ``ubw-c`` with the changed values.
        width: of surrogate and victim, if changed.
        epochs: of every training, if changed.
    """

    dataset: str
    name: str
    watermark: UBWC
    width: int | None
    epochs: int | None

    @classmethod
    def read(cls, dataset: str, name: str) -> "Variant":
        """What the scale calls ``name``.

        Raises:
            ParameterError: there is no such variant.
            WatermarkError: a value makes no sense.
        """
        changes = dict(parameters("ubw", "study", name))
        source = DatasetFile(DATA / "datasets" / dataset / "train.parquet")
        width, epochs = changes.pop("width", None), changes.pop("epochs", None)
        watermark = build_watermark("ubw", dataset, "ubw-c", source, **changes)
        assert isinstance(watermark, UBWC)
        return cls(dataset, name, watermark, width, epochs)

    def training(self, config: TrainingConfig) -> TrainingConfig:
        """A training with this variant's epochs."""
        return dataclasses.replace(config, epochs=self.epochs or config.epochs)

    def fit(self, data: Dataset, entry: str, folder: Path) -> Classifier:
        """Train the network that the scale calls ``entry``."""
        settings = dict(parameters("models", self.dataset, entry))
        config = self.training(TrainingConfig.from_dict(settings.pop("training")))
        settings["width"] = self.width or settings["width"]
        seed = (parameters("seed"), "study", self.dataset, entry, self.name)
        model = build(
            shape=data.shape,
            classes=len(data.classes),
            generator=generator(*seed, "weights"),
            **settings,
        )
        text = f"train {entry} for {self.name}"
        progress = Progress(config.epochs * len(data), "images", text)
        train(
            model,
            data,
            config,
            generator=generator(*seed, "order"),
            device=choose_device(os.environ.get("DATADEED_DEVICE", "auto")),
            checkpoint=folder / entry,
            fingerprint=canonical_digest({"data": data.digest(), "seed": seed}),
            on_progress=lambda done, note, resumed: progress.update(done, note, resumed=resumed),
        )
        progress.close()
        return model

    def surrogate(self, data: Dataset, folder: Path) -> Surrogate:
        """The dataset's surrogate; a new one if width or epochs are changed."""
        found = surrogate_of(self.dataset, "image")
        if self.width is None and self.epochs is None:
            return found
        return Surrogate(self.fit(data, "surrogate", folder), self.training(found.training))


def study(dataset: str, name: str) -> None:
    """Craft, train and measure one variant."""
    set_threads()
    variant = Variant.read(dataset, name)
    data = read_dataset(DATA / "datasets" / dataset / "train.parquet")
    identity = {"changed": parameters("ubw", "study", name), "data": data.digest()}
    identity |= {"models": parameters("models", dataset), "seed": parameters("seed")}
    fingerprint = canonical_digest(identity | {"watermark": variant.watermark.record()})
    folder = DATA / "checkpoints" / f"{dataset}-study-{name}"
    here, method = folder / fingerprint[:16], variant.watermark
    surrogate, steps = variant.surrogate(data, here), Steps(f"craft {name}")
    method.craft(
        data,
        surrogate,
        generator(parameters("seed"), "study", dataset, name),
        checkpoint=here,
        fingerprint=fingerprint,
        on_progress=steps,
    )
    steps.close()
    released, marks = mark_dataset(method, data, generator(0))  # the rows are chosen already
    victim = variant.fit(released, parameters("ubw", "networks")[0], here)
    test = read_dataset(DATA / "datasets" / dataset / "test.parquet")
    models = {"victim": victim, "last-surrogate": method.last_surrogate, "benign": surrogate.model}
    record = {
        "dataset": dataset,
        "variant": name,
        "marked": len(marks),
        "loss": method.losses[-1],
        "models": {part: rates(ask(m, method, test)) for part, m in models.items() if m},
    }
    write_json(FOLDER / f"{dataset}-{name}.json", record)
    shutil.rmtree(folder)


def table(dataset: str) -> pd.DataFrame:
    """One row a variant and model: rates as shares, dispersibility in nats, loss 1 - cos."""
    rows = []
    for name in parameters("ubw", "study"):
        record = read_json(FOLDER / f"{dataset}-{name}.json")
        for part in (name for name in MODELS if name in record["models"]):
            found = record["models"][part]
            row = {"dataset": dataset, "variant": name, "model": part}
            row |= {"marked": record["marked"], "loss": record["loss"]}
            row["ba"] = found["ba"]["value"]
            for where in ("all", "class_0"):
                for metric in ("asr_a", "asr_c", "d_p"):
                    row[f"{metric}_{where}"] = (found[where][metric] or {}).get("value")
            rows.append(row)
    return pd.DataFrame(rows)


@stage
def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("variant", nargs="?", help="a name of ubw.study in the scale")
    parser.add_argument("--table", action="store_true", help="write the table of all variants")
    values = parser.parse_args()
    dataset = parameters("ubw", "datasets")[0]
    if values.table:
        from datadeed.reports.ubw_figures import study_dots

        path, found = Path(parameters("results")), table(dataset)
        write_text(path / "ubw-c-study.csv", found.to_csv(index=False, float_format="%.6g"))
        write_text(path / "ubw-c-study.svg", study_dots(found))
    elif values.variant is None:
        parser.error("name a variant, or give --table")
    else:
        study(dataset, values.variant)


if __name__ == "__main__":
    main()

"""Stage ``study`` of UBW: how far UBW-C carries when one of its settings is another.

Each variant changes some values of ``ubw-c`` (``ubw.study`` in the scale), crafts it, trains one
victim from scratch and measures it. ``--table`` puts the variants into ``ubw-c-study.csv``.
Killed at any moment, it goes on after the last finished iteration or epoch.
"""

import argparse
import os
import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from datadeed.datasets import Dataset, DatasetFile, read_dataset
from datadeed.devices import choose_device
from datadeed.files import canonical_digest, read_json, write_json, write_text
from datadeed.models import Classifier, build
from datadeed.randomness import generator
from datadeed.training import TrainingConfig, train
from datadeed.verification.answers import ask
from datadeed.verification.ubw import rates
from datadeed.watermarks import mark_dataset
from datadeed.watermarks.crafted import Surrogate
from datadeed.watermarks.matched import UBWC
from tasks import ubw
from tasks.common import DATA, Progress, parameters, stage
from tasks.craft import Steps
from tasks.train import set_threads

FOLDER = DATA / "studies"


def variant(dataset: str, name: str, source: DatasetFile) -> tuple[UBWC, dict[str, Any]]:
    """The watermark of a variant, and the changed settings that are not the watermark's own.

    Of those there are ``width`` (of surrogate and victim) and ``epochs`` (of all trainings).
    """
    changes = dict(parameters("ubw", "study", name))
    record = ubw.build(dataset, "ubw-c", source).record()
    del record["method"]
    others = {key: changes.pop(key) for key in ("width", "epochs") if key in changes}
    matching = record["matching"] | changes.pop("matching", {})
    return UBWC(**{**record, **changes, "matching": matching}), others


def fit(  # noqa: PLR0917
    data: Dataset, entry: str, dataset: str, others: dict[str, Any], name: str, folder: Path
) -> tuple[Classifier, TrainingConfig]:
    """Train the network that the scale calls ``entry``, with the variant's width and epochs."""
    settings = dict(parameters("models", dataset, entry))
    training = settings.pop("training")
    if "epochs" in others:
        training = training | {"epochs": others["epochs"]}
    if "width" in others:
        settings["width"] = others["width"]
    config = TrainingConfig.from_dict(training)
    seed = (parameters("seed"), "study", dataset, entry, name)
    shape, classes = data.shape, len(data.classes)
    model = build(generator=generator(*seed, "weights"), shape=shape, classes=classes, **settings)
    progress = Progress(config.epochs * len(data), "images", f"train {entry} for {name}")
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
    return model, config


def study(dataset: str, name: str) -> None:
    """Craft, train and measure one variant."""
    set_threads()
    source = DatasetFile(DATA / "datasets" / dataset / "train.parquet")
    data, (method, others) = read_dataset(source.path), variant(dataset, name, source)
    network = parameters("ubw", "networks")[0]
    identity = {"watermark": method.record(), "others": others, "data": data.digest()}
    identity |= {"models": parameters("models", dataset), "seed": parameters("seed")}
    fingerprint = canonical_digest(identity)
    folder = DATA / "checkpoints" / f"{dataset}-study-{name}"
    here = folder / fingerprint[:16]
    surrogate, _ = fit(data, "surrogate", dataset, others, name, here)
    retraining = parameters("models", dataset, "retraining", "training")
    if "epochs" in others:
        retraining = retraining | {"epochs": others["epochs"]}
    steps = Steps(f"craft {name}")
    method.craft(
        data,
        Surrogate(surrogate, TrainingConfig.from_dict(retraining)),
        generator(parameters("seed"), "study", dataset, name),
        checkpoint=here,
        fingerprint=fingerprint,
        on_progress=steps,
    )
    steps.close()
    released, marks = mark_dataset(method, data, generator(0))  # the rows are chosen already
    victim, _ = fit(released, network, dataset, others, name, here)
    test = read_dataset(DATA / "datasets" / dataset / "test.parquet")
    models = {"victim": victim, "benign": surrogate, "last-surrogate": method.last_surrogate}
    record = {
        "dataset": dataset,
        "variant": name,
        "changed": parameters("ubw", "study", name),
        "marked": len(marks),
        "loss": method.losses[-1],
        "models": {
            part: rates(ask(model, method, test)) for part, model in models.items() if model
        },
    }
    write_json(FOLDER / f"{dataset}-{name}.json", record)
    shutil.rmtree(folder)


def table(dataset: str) -> pd.DataFrame:
    """One row a variant and model: rates as shares, dispersibility in nats."""
    rows = []
    for name in parameters("ubw", "study"):
        record = read_json(FOLDER / f"{dataset}-{name}.json")
        for part, found in record["models"].items():
            row = {"dataset": dataset, "variant": name, "model": part, "marked": record["marked"]}
            row |= {"loss": record["loss"], "ba": found["ba"]["value"]}
            for where in ("all", "class_0"):
                row |= {
                    f"{metric}_{where}": (found[where][metric] or {}).get("value")
                    for metric in ("asr_a", "asr_c", "d_p")
                }
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
        path = Path(parameters("results")) / "ubw-c-study.csv"
        write_text(path, table(dataset).to_csv(index=False, float_format="%.6g"))
    elif values.variant is None:
        parser.error("name a variant, or give --table")
    else:
        study(dataset, values.variant)


if __name__ == "__main__":
    main()

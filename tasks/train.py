"""Stage ``train``: train one model on a benign or a watermarked training set.

Writes the weights, their record and ``history.csv`` (a row an epoch, which ``dvc plots show``
draws). Killed at any moment, it goes on after the last finished epoch when started again.
"""

import csv
import io
import os
import shutil
from pathlib import Path
from typing import Any

from datadeed.datasets.form.parquet import read_dataset
from datadeed.files import canonical_digest, write_text
from datadeed.models.devices import choose_device
from datadeed.models.model import Model
from datadeed.models.registry import model_class
from datadeed.models.stored import save_model
from datadeed.models.training.config import TrainingConfig, config_record
from datadeed.models.training.loop import train
from datadeed.randomness import generator
from tasks.common import DATA, model_arguments, parameters, set_threads, stage
from tasks.progress import Progress


def run(dataset: str, network: str, watermark: str, seed: int) -> None:
    """Train ``network`` on ``dataset``, watermarked with ``watermark`` or benign ("none")."""
    name = f"{dataset}-{network}-{watermark}-{seed}"
    folder = DATA / "datasets" / dataset
    marked = DATA / "watermarked" / f"{dataset}-{watermark}"
    data = read_dataset((folder if watermark == "none" else marked) / "train.parquet")
    test = read_dataset(folder / "test.parquet")
    settings = dict(parameters("models", dataset, network))
    config = TrainingConfig.from_dict(settings.pop("training"))
    run_seed = (parameters("seed"), "train", dataset, network, watermark, seed)
    model = model_class(data.modality).new(
        form=data.form,
        classes=len(data.classes),
        generator=generator(*run_seed, "weights"),
        **settings,
    )
    identity: dict[str, Any] = {
        "model": model.config,
        "training": config_record(config),
        "seed": run_seed,
    }
    fingerprint = canonical_digest({**identity, "data": data.digest(), "threads": set_threads()})
    checkpoint = DATA / "checkpoints" / name / fingerprint[:16]
    progress = Progress(config.epochs * len(data), "samples", f"train {name}")
    history = train(
        model,
        data,
        config,
        generator=generator(*run_seed, "order"),
        test=test,
        device=choose_device(os.environ.get("DATADEED_DEVICE", "auto")),
        checkpoint=checkpoint,
        fingerprint=fingerprint,
        on_progress=lambda done, note, resumed: progress.update(done, note, resumed=resumed),
    )
    progress.close()
    save(model, history, DATA / "models" / name, identity, list(data.classes))
    shutil.rmtree(checkpoint.parent)  # also those of runs with other settings, never finished
    print(f"{name}: test accuracy {history[-1]['test_accuracy']:.4f}")  # noqa: T201


def save(
    model: Model,
    history: list[dict[str, float]],
    folder: Path,
    identity: dict[str, Any],
    classes: list[str],
) -> None:
    """Write the three files of a finished training."""
    table = io.StringIO()
    writer = csv.DictWriter(table, fieldnames=list(history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    write_text(folder / "history.csv", table.getvalue())
    last = history[-1]
    save_model(model, folder, {**identity, "classes": classes, "last_epoch": last})


@stage
def main() -> None:
    """Command line."""
    run(*model_arguments(__doc__))


if __name__ == "__main__":
    main()

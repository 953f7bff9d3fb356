"""Stage ``craft``: a clean-label watermark, computed against a surrogate model.

Writes what ``poison`` writes, what became of the marked samples (``craft.json``) and, for gradient
matching, the surrogate that was last trained on them (``last-surrogate``). Killed at any moment, it
goes on after the last finished step when started again.
"""

import argparse
import hashlib
import os
import shutil
from typing import Any

import torch

from datadeed.datasets import Dataset, DatasetFile, read_dataset
from datadeed.devices import choose_device
from datadeed.errors import ParameterError
from datadeed.files import canonical_digest, write_json
from datadeed.models import load_model, save_model
from datadeed.randomness import generator
from datadeed.training import TrainingConfig, config_record
from datadeed.watermarks import Watermark
from datadeed.watermarks.crafted import Crafted, Surrogate
from tasks.common import DATA, Progress, parameters, stage
from tasks.poison import build, release
from tasks.train import set_threads


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


def craft(dataset: str, watermark: str) -> None:
    """Watermark ``data/datasets/DATASET/train.parquet`` against the dataset's surrogate.

    Raises:
        ParameterError: an entry is missing, or the watermark needs no crafting.
    """
    source = DatasetFile(DATA / "datasets" / dataset / "train.parquet")
    method = build("ubw", dataset, watermark, source)
    if not isinstance(method, Crafted):
        raise ParameterError(
            f"{watermark} needs no surrogate: run python -m tasks.poison ubw {dataset} {watermark}"
        )
    data, surrogate, identity = read_dataset(source.path), *read_surrogate(dataset)
    run_seed = (parameters("seed"), "craft", dataset, watermark)
    identity |= {"data": data.digest(), "watermark": method.record(), "seed": run_seed}
    fingerprint = canonical_digest(identity)
    folder = DATA / "checkpoints" / f"{dataset}-{watermark}"
    steps = Steps(f"craft {dataset}-{watermark}")
    method.craft(
        data,
        surrogate,
        generator(*run_seed),
        checkpoint=folder / fingerprint[:16],
        fingerprint=fingerprint,
        on_progress=steps,
    )
    steps.close()
    out = DATA / "watermarked" / f"{dataset}-{watermark}"
    marks = release(method, source, dataset, watermark, out)
    released = read_dataset(out / "train.parquet").take(marks.position)
    write_json(out / "craft.json", crafted_record(method, data.take(marks.position), released))
    if method.last_surrogate is not None:
        training = {"training": identity["training"], "classes": list(data.classes)}
        save_model(method.last_surrogate, out / "last-surrogate", training)
    shutil.rmtree(folder, ignore_errors=True)  # also those with other settings, never finished
    print(f"{dataset}-{watermark}: {len(marks)} samples crafted")  # noqa: T201


def read_surrogate(dataset: str) -> tuple[Surrogate, dict[str, Any]]:
    """The dataset's surrogate with the settings to train it again, and what identifies both."""
    folder = DATA / "models" / f"{dataset}-surrogate-none-0"
    training = TrainingConfig.from_dict(parameters("models", dataset, "retraining", "training"))
    threads = set_threads()
    model = load_model(folder, choose_device(os.environ.get("DATADEED_DEVICE", "auto")))
    identity = {
        "surrogate": hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest(),
        "training": config_record(training),
        "threads": threads,
    }
    return Surrogate(model, training), identity


def crafted_record(method: Watermark, before: Dataset, after: Dataset) -> dict[str, Any]:
    """What became of the marked samples.

    Args:
        method: the watermark, already crafted.
        before, after: the marked samples, benign and as released.

    Returns:
        ``epsilon`` (255ths), ``largest_change`` in grey levels, ``classes`` (marks of each class)
        and ``losses`` (1 - cos of each iteration; empty where no gradients are matched).
    """
    values = method.record()
    return {
        "form": 1,
        "epsilon": values.get("matching", values)["epsilon"],
        "largest_change": largest_change(method, before, after),
        "classes": torch.bincount(after.labels, minlength=len(after.classes)).tolist(),
        "losses": getattr(method, "losses", []),
    }


def largest_change(method: Watermark, before: Dataset, after: Dataset) -> int:
    """The largest change of a pixel, in grey levels.

    A trigger that the released samples carry is left out: it is not what the bound is about.
    """
    plain = before.samples
    if torch.equal(method.trigger(after), after.samples):
        plain = method.trigger(before)
    return int((after.samples.to(torch.int16) - plain.to(torch.int16)).abs().max())


@stage
def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("watermark")
    values = parser.parse_args()
    craft(values.dataset, values.watermark)


if __name__ == "__main__":
    main()

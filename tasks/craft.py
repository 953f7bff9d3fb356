"""Stage ``craft``: a clean-label watermark, computed against a surrogate model.

Writes what ``poison`` writes, what became of the marked samples (``craft.json``) and, for gradient
matching, the surrogate that was last trained on them (``last-surrogate``). Killed at any moment, it
goes on after the last finished step when started again.
"""

import argparse
from typing import Any

import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.form.parquet import DatasetFile, read_dataset
from datadeed.errors import ParameterError
from datadeed.files import write_json
from datadeed.models.classifier import Classifier
from datadeed.models.stored import save_model
from datadeed.models.training.config import TrainingConfig, config_record
from datadeed.watermarks.base import Watermark
from datadeed.watermarks.crafted import Crafted, Surrogate
from tasks.common import DATA, parameters, stage
from tasks.crafting import craft_and_release, forget_checkpoints, load_surrogate
from tasks.poison import build
from tasks.train import set_threads


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
    names, (surrogate, identity) = (dataset, watermark), read_surrogate(dataset)
    data, marks, out = craft_and_release(
        "craft", method, source, names, surrogate=surrogate, identity=identity
    )
    released = read_dataset(out / "train.parquet").take(marks.position)
    write_json(out / "craft.json", crafted_record(method, data.take(marks.position), released))
    if method.last_surrogate is not None:
        training = {"training": identity["training"], "classes": list(data.classes)}
        save_model(method.last_surrogate, out / "last-surrogate", training)
    forget_checkpoints(*names)
    print(f"{dataset}-{watermark}: {len(marks)} samples crafted")  # noqa: T201


def read_surrogate(dataset: str) -> tuple[Surrogate, dict[str, Any]]:
    """The dataset's surrogate with the settings to train it again, and what identifies both."""
    training = TrainingConfig.from_dict(parameters("models", dataset, "retraining", "training"))
    identity = {"training": config_record(training), "threads": set_threads()}
    model, identity["surrogate"] = load_surrogate(dataset, Classifier)
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

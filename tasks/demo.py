"""The demonstration's models: ``python -m tasks.demo DATASET surrogate | thief | honest``.

The thief trains on what :mod:`tasks.demo_owner` releases, and an honest model on the data as they
were, both with random crops and flips; the owner's surrogate is an honest model of half as many
epochs. :mod:`tasks.prove` then asks the first two.
"""

import argparse
from pathlib import Path

from datadeed.datasets.form.parquet import read_dataset
from datadeed.models.classifier import Classifier
from datadeed.models.stored import save_model
from datadeed.randomness import derive_seed, generator
from datadeed.thieves.practice.recipe import Recipe
from tasks.common import DATA, parameters, set_threads, stage
from tasks.progress import Progress

WATERMARK, NETWORK, SEED = "usual", "resnet18-crop", 1  # names, as tasks.prove takes them
MODELS = {"thief": WATERMARK, "honest": "none", "surrogate": "surrogate"}


def folder_of(dataset: str, who: str) -> Path:
    """Where one of ``MODELS`` is."""
    return DATA / "models" / f"{dataset}-{NETWORK}-{MODELS[who]}-{SEED}"


def train(dataset: str, who: str) -> None:
    """Train one of ``MODELS``."""
    released = DATA / "watermarked" / f"{dataset}-{WATERMARK}"
    data = read_dataset(
        (released if who == "thief" else DATA / "datasets" / dataset) / "train.parquet"
    )
    values = parameters("models", dataset, "resnet18")
    form = {name: values[name] for name in ("network", "width", "mean", "std")}
    epochs = parameters("demo", "epochs", file="papers/thieves/params.yaml")
    recipe = Recipe(
        epochs=epochs // 2 if who == "surrogate" else epochs,
        mean=tuple(values["mean"]),
        std=tuple(values["std"]),
        width=values["width"],
        lr=values["training"]["lr"],
    )
    seed = derive_seed(parameters("seed"), "demo", dataset, who)
    set_threads()
    weights = generator(seed, "weights")
    model = Classifier.new(form=data.form, classes=len(data.classes), generator=weights, **form)
    progress = Progress(recipe.epochs * len(data), "images", f"train {who}")
    recipe.train(model, data, seed, on_progress=progress.update)
    progress.close()
    record = {"training": recipe.record(), "classes": list(data.classes)}
    save_model(model.eval(), folder_of(dataset, who), record)


@stage
def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("who", choices=tuple(MODELS))
    values = parser.parse_args()
    train(values.dataset, values.who)


if __name__ == "__main__":
    main()

"""Stage ``embedding``: how well each key's marks are learnt, and what they cost in accuracy.

``python -m tasks.embedding`` writes ``embedding.csv``, a row a model and part, and
``embedding-summary.csv``, a row a model; ``--plot`` draws ``docs/embedding.png`` from the second.
"""

import argparse
import contextlib
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import ParameterError
from datadeed.files import atomic_path, read_json, write_text
from datadeed.keys.key import Key
from datadeed.models.classifier import Classifier
from datadeed.verification.metrics import Rate
from datadeed.watermarks.keyed import Keyed, KeyPart, target_label
from tasks.common import DATA, Progress, parameters, stage
from tasks.innocents import TrainedModel, keyed_models, pool
from tasks.keys import PROOF
from tasks.train import set_threads


def key_of(name: TrainedModel) -> Key:
    """The public test key whose marks a model was trained on."""
    path = DATA / "watermarked" / f"{name.dataset}-{name.watermark}" / "key.json"
    return Key.from_record(read_json(path)["watermark"]["key"])


def accuracy(model: Classifier, test: Dataset) -> float:
    """Share of clean test images with the right answer; denominator all of them."""
    right = model.predict(test.samples).argmax(1) == test.labels
    return float(right.double().mean())


@cache
def benign_mean(dataset: str, network: str) -> float:
    """Mean accuracy of the benign models of a network, over the seeds."""
    seeds = parameters("grid", "seeds")
    names = [TrainedModel(dataset, network, "none", seed) for seed in seeds]
    return float(np.mean([accuracy(name.load(), pool(dataset)) for name in names]))


def part_success(model: Classifier, key: Key, part: int, test: Dataset, images: int) -> Rate:
    """Share of triggered images that get the part's label.

    The denominator is the first ``images`` of the test set whose true label is another one.
    """
    target = target_label(key, part)
    others = (test.labels != target).nonzero().squeeze(1)[:images]
    answers = model.predict(KeyPart(key, part).stamp(test.samples[others])).argmax(1)
    return Rate(int((answers == target).sum()), len(others))


def rows_of(name: TrainedModel, images: int) -> list[dict[str, Any]]:
    """One row a part."""
    key, model, test = key_of(name), name.load(), pool(name.dataset)
    reached, benign = accuracy(model, test), benign_mean(name.dataset, name.network)
    marks = np.bincount(Keyed(key=key).rows()[1], minlength=key.design.parts)
    rows = []
    for part in range(key.design.parts):
        success = part_success(model, key, part, test, images)
        low, high = success.interval
        rows.append(
            {
                **asdict(name),
                "parts": key.design.parts,
                "rate": key.design.rate,
                "part": part,
                "target": target_label(key, part),
                "marks": int(marks[part]),
                "hits": success.hits,
                "n": success.n,
                "success": success.value,
                "low": low,
                "high": high,
                "benign_accuracy": reached,
                "drop": benign - reached,
            }
        )
    return rows


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a model: marks a part, success over the parts, accuracy and its drop."""
    names = ["dataset", "network", "watermark", "seed", "parts", "rate"]
    return (
        rows.groupby(names, sort=False)
        .agg(
            marks_a_part=("marks", "mean"),
            mean_success=("success", "mean"),
            min_success=("success", "min"),
            max_success=("success", "max"),
            parts_above_half=("success", lambda success: int((success > 0.5).sum())),
            benign_accuracy=("benign_accuracy", "first"),
            drop=("drop", "first"),
        )
        .reset_index()
    )


def plot(models: pd.DataFrame, path: Path) -> None:
    """Success against marks a part on the left, against the number of parts on the right."""
    from matplotlib.figure import Figure  # half a second to import

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for number, (parts, of) in enumerate(models.sort_values("rate").groupby("parts")):
        error = [of.mean_success - of.min_success, of.max_success - of.mean_success]
        style = {"marker": "os^Dv"[number % 5], "linestyle": "", "capsize": 2, "label": f"{parts}"}
        left.errorbar(of.marks_a_part, of.mean_success, yerr=error, **style)
    left.set(xscale="log", xlabel="marked images a part", ylim=(0, 1.03))
    left.set(ylabel="success: mean, least and\ngreatest of the parts")
    left.legend(title="parts", frameon=False, fontsize=8)
    for rate, of in models.sort_values("parts").groupby("rate"):
        right.plot(of.parts, of.mean_success, "o-", label=f"{rate:.1%}")
    right.set_xscale("log", base=2)
    right.set_xticks(ticks := sorted(models.parts.unique()), [str(n) for n in ticks])
    right.minorticks_off()
    right.set(xlabel="parts that share the marked images")
    right.legend(title="images marked", frameon=False, bbox_to_anchor=(1, 1), loc="upper left")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="0.9")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110, format=path.suffix[1:])


def run() -> None:
    """Measure every model; write both tables."""
    set_threads()
    images, models = parameters("experiments", "embedding", "images", file=PROOF), keyed_models()
    rows = []
    with contextlib.closing(Progress(len(models), "models", "embedding")) as progress:
        for done, name in enumerate(models, 1):
            rows += rows_of(name, images)
            progress.update(done, str(name))
    table, results = pd.DataFrame(rows), Path(parameters("results"))
    write_text(results / "embedding.csv", table.to_csv(index=False, float_format="%.6g"))
    models_table = summary(table).to_csv(index=False, float_format="%.6g")
    write_text(results / "embedding-summary.csv", models_table)
    print(f"{len(table)} parts in {len(models)} models")  # noqa: T201


@stage
def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="tasks.embedding", description=__doc__)
    parser.add_argument("--plot", action="store_true", help="only draw what was measured")
    if not parser.parse_args().plot:
        run()
        return
    file = Path(parameters("results")) / "embedding-summary.csv"
    if not file.exists():
        raise ParameterError(f"{file} does not exist: run python -m tasks.embedding first")
    plot(pd.read_csv(file), Path("docs/embedding.png"))


if __name__ == "__main__":
    main()

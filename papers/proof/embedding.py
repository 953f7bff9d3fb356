"""How well each key's marks are learnt, and what they cost in accuracy.

``tasks.study proof embedding`` writes ``embedding.csv``, a row a model and part,
``embedding-summary.csv``, a row a model, and ``embedding.png``; with the word ``plot`` it only
draws what was measured.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import ParameterError
from datadeed.files import atomic_path, write_text
from datadeed.keys.key import Key
from datadeed.models.model import Model
from datadeed.verification.metrics import Rate
from datadeed.watermarks.keyed import Keyed, KeyPart, target_label
from papers.base import Case, Lab
from papers.proof.keys import key_of
from papers.proof.models import keyed_models


def accuracy(model: Model, test: Dataset) -> float:
    """Share of clean test images with the right answer; denominator all of them."""
    right = model.predict(test.samples).argmax(1) == test.labels
    return float(right.double().mean())


def benign_mean(lab: Lab, dataset: str, network: str) -> float:
    """Mean accuracy of the benign models of a network, over the seeds."""
    cases = [Case(dataset, network, "none", seed) for seed in lab.settings("grid", "seeds")]
    return float(np.mean([accuracy(lab.model(case), lab.test(dataset)) for case in cases]))


def part_success(model: Model, key: Key, part: int, test: Dataset, images: int) -> Rate:
    """Share of triggered images that get the part's label.

    The denominator is the first ``images`` of the test set whose true label is another one.
    """
    target = target_label(key, part)
    others = (test.labels != target).nonzero().squeeze(1)[:images]
    answers = model.predict(KeyPart(key, part).stamp(test.samples[others])).argmax(1)
    return Rate(int((answers == target).sum()), len(others))


def rows_of(lab: Lab, case: Case, benign: float, images: int) -> list[dict[str, Any]]:
    """One row a part; ``benign`` is the accuracy that the marks are held against."""
    key, model, test = key_of(lab, case), lab.model(case), lab.test(case.dataset)
    reached = accuracy(model, test)
    marks = np.bincount(Keyed(key=key).rows()[1], minlength=key.design.parts)
    rows = []
    for part in range(key.design.parts):
        success = part_success(model, key, part, test, images)
        low, high = success.interval
        rows.append(
            {
                **asdict(case),
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


def measure(lab: Lab) -> None:
    """Measure every model; write both tables."""
    images, models = lab.params("experiments", "embedding", "images"), keyed_models(lab)
    benign = {place: benign_mean(lab, *place) for place in {(c.dataset, c.network) for c in models}}
    rows = []
    with lab.progress(len(models), "models", "embedding") as update:
        for done, case in enumerate(models, 1):
            rows += rows_of(lab, case, benign[case.dataset, case.network], images)
            update(done, str(case))
    table = pd.DataFrame(rows)
    for name, found in (("embedding", table), ("embedding-summary", summary(table))):
        text = found.to_csv(index=False, float_format="%.6g")
        write_text(lab.results / f"{name}.csv", text)
    print(f"{len(table)} parts in {len(models)} models")  # noqa: T201


def measured(lab: Lab) -> pd.DataFrame:
    """What ``embedding-summary.csv`` holds.

    Raises:
        ParameterError: there is none.
    """
    file = lab.results / "embedding-summary.csv"
    if not file.exists():
        raise ParameterError(f"{file} does not exist: run embedding first")
    return pd.read_csv(file)


def run(lab: Lab, *words: str) -> None:
    """No words: measure and draw. ``plot``: only draw.

    Raises:
        ParameterError: other words, or there is nothing to draw.
    """
    if words not in ((), ("plot",)):
        raise ParameterError(f"embedding {' '.join(words)!r}: give nothing, or plot")
    if not words:
        measure(lab)
    plot(measured(lab), lab.figures / "embedding.png")

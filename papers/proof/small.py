"""Small datasets: what becomes of a key's marks where there are few rows to carry them.

``tasks.study proof small`` takes the first rows of the scale's datasets, as many as the section
``small`` of the parameters names, marks them with each carrier, and trains ResNet-18 on them with
crops and flips, as ``carriers`` does but for the more epochs that fewer rows need. One key and one
training a row; each is verified over orders of the test set. Writes ``small.csv``.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch

from datadeed.files import write_text
from datadeed.models.model import Model
from datadeed.models.training.loop import accuracy
from datadeed.randomness import derive_seed
from datadeed.watermarks.keyed2 import Keyed2, KeyPart2
from datadeed.watermarks.marking import mark_dataset
from papers.base import Lab
from papers.proof.carriers import Setting, trained
from papers.proof.keys import extent
from papers.proof.second import Suspect, row_of, verified

IMAGES = 250  # of other classes than a part's own, on which its success is measured


def successes(model: Model, parts: list[KeyPart2], setting: Setting) -> np.ndarray:
    """(J,) float64: how often a part's trigger gives its label, on images of other classes."""
    found = []
    for part in parts:
        assert part.target is not None
        others = setting.pool.labels.ne(part.target).nonzero().squeeze(1)[:IMAGES]
        said = model.predict(part.stamp(setting.pool.samples[others])).argmax(1)
        found.append(float(said.eq(part.target).double().mean()))
    return np.array(found)


def thief_row(setting: Setting, carrier: str, epochs: int, runs: int) -> dict[str, Any]:
    """What was learnt of one key's marks, and what verifications come to."""
    rows = len(setting.data)
    name = f"{rows} rows, {setting.parts} parts, {setting.rate}"
    marking = Keyed2(key=setting.key(carrier, name), data=setting.data)
    released, marks = mark_dataset(marking, setting.data, torch.Generator())
    model = trained(setting, released, f"{carrier} {name}", epochs)
    success = successes(model, [KeyPart2(marking.key, n) for n in range(setting.parts)], setting)
    rng = np.random.default_rng(derive_seed(setting.lab.seed, "small", setting.dataset))
    orders = [rng.permutation(len(setting.pool)) for _ in range(runs)]
    suspect = Suspect(model, setting.pool)
    proofs = [verified(suspect, marking.key, order) for order in orders]
    return row_of("thief", setting.case(carrier), proofs) | {
        "parts": setting.parts,
        "rate": setting.rate,
        "marks": len(marks),
        "marks_a_part": len(marks) / setting.parts,
        "mean_success": success.mean(),
        "min_success": success.min(),
        "accuracy": accuracy(model, setting.pool),
    }


def rows_of(lab: Lab, dataset: str, how: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A row a design and carrier, for a dataset of as many rows as ``how`` says."""
    rows = how["rows"]
    data, pool = lab.train(dataset).take(torch.arange(rows)), lab.test(dataset)
    setting = Setting(lab, dataset, data, pool, (extent([data]), extent([pool])))
    epochs, runs = how["epochs"], lab.params("small", "runs")
    honest = accuracy(trained(setting, data, f"honest {rows}", epochs), pool)
    about = {"rows": rows, "epochs": epochs, "honest_accuracy": honest}
    for parts, rate in how["designs"]:
        for carrier in lab.params("small", "carriers"):
            marked = dataclasses.replace(setting, parts=parts, rate=rate)
            row = thief_row(marked, carrier, epochs, runs)
            yield row | about | {"stage": "papers/proof/dvc.yaml:small"}


def run(lab: Lab) -> None:
    """Write the table; it is empty where the parameters name none of the scale's datasets."""
    rows: list[dict[str, Any]] = []
    sizes = lab.params("small", "datasets")
    for dataset in lab.settings("second", "datasets"):
        for how in sizes.get(dataset, []):
            for row in rows_of(lab, dataset, how):
                rows.append(row)
                _write(lab, rows)
                print(row)  # noqa: T201
    _write(lab, rows)


def _write(lab: Lab, rows: list[dict[str, Any]]) -> None:
    text = pd.DataFrame(rows).to_csv(index=False, float_format="%.6g")
    write_text(lab.results / "small.csv", text)

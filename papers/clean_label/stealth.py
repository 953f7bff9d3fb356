"""How well a clean-label watermark's marks are hidden from who holds the data.

A thief rates every released sample and throws the most suspicious out: those that a model trained
on them is least sure of, and images or clips that an autoencoder reconstructs badly. Texts' grammar
errors are counted before and after marking.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.form.parquet import read_dataset
from datadeed.models.model import Model
from datadeed.randomness import generator
from datadeed.thieves.autoencoder import AutoencoderConfig, fit_autoencoder
from datadeed.thieves.grammar import grammar_increase, harper
from datadeed.thieves.outliers import Confidence, Detector, search
from papers.base import Case, Lab, Row
from papers.clean_label.judge import grid_of

TABLE = 11


def stage(case: Case, settings: dict[str, Any]) -> str:
    """The stage of ``dvc.yaml`` that makes a cell's rows: each grid has its own."""
    return f"stealth-{grid_of(case, settings)}"


def run(lab: Lab, dataset: str, network: str, watermark: str, seed: str) -> list[Row]:
    """Search a cell's released data for marks: the rows of table 11."""
    case = Case(dataset, network, watermark, int(seed))
    released = read_dataset(lab.train(case.dataset, case.watermark).path)
    positions = lab.marks(case.dataset, case.watermark)
    marked = np.zeros(len(released), dtype=bool)
    marked[positions] = True
    rows: list[Row] = []
    for detector in detectors(released, lab.model(case), case, lab):
        found = search(detector.scores(released), marked, lab.params("stealth", "share"))
        rows += [
            {"metric": f"{detector.name}_share", "value": found.precision, "n": found.flagged},
            {"metric": f"{detector.name}_p", "value": found.p_value, "n": found.flagged},
            {"metric": f"{detector.name}_above", "value": found.above, "n": found.n},
        ]
    if released.modality == "text":
        benign = lab.train(case.dataset).take(positions)
        rows += grammar_rows(benign, released.take(positions), lab)
    return [{"table": TABLE, "scenario": "victim", **row} for row in rows]


def detectors(released: Dataset, victim: Model, case: Case, lab: Lab) -> Iterator[Detector]:
    """What a thief can rate such samples with."""
    yield Confidence(victim)
    if released.modality == "text":
        return
    config = AutoencoderConfig(**lab.params("stealth", "autoencoder"))
    with lab.progress(config.epochs * len(released), "samples", "fit an autoencoder") as tell:
        fitted = fit_autoencoder(
            released,
            config,
            generator=generator(lab.seed, "hide", case.dataset, case.watermark),
            device=victim.device,
            on_progress=tell,
        )
    yield fitted


def grammar_rows(before: Dataset, after: Dataset, lab: Lab) -> list[Row]:
    """Errors that marking adds to the marked texts, per 100 words."""
    with lab.progress(2 * len(before), "texts", "count grammar errors") as tell:
        found = grammar_increase(
            before.samples, after.samples, harper(), on_progress=lambda done: tell(done, "")
        )
    words = found["words"]["before"]
    return [
        {"metric": "grammar_rise", "value": found["grammar"]["per_100_words"], "n": words},
        {"metric": "errors_rise", "value": found["all"]["per_100_words"], "n": words},
    ]

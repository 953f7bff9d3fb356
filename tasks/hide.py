"""Stage ``hide``: how well a clean-label watermark's marks are hidden from who holds the data.

A thief rates every released sample and throws the most suspicious out: those that a model trained
on them is least sure of, and images or clips that an autoencoder reconstructs badly. Texts' grammar
errors are counted before and after marking.
"""

import os
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.form.parquet import read_dataset
from datadeed.files import write_json
from datadeed.models.devices import choose_device
from datadeed.models.registry import model_class
from datadeed.models.stored import load_model
from datadeed.randomness import generator
from datadeed.thieves.autoencoder import AutoencoderConfig, fit_autoencoder
from datadeed.thieves.grammar import grammar_increase, harper
from datadeed.thieves.outliers import Confidence, Detector, search
from tasks import clean
from tasks.common import DATA, Progress, model_arguments, parameters, stage
from tasks.train import set_threads


def hide(dataset: str, network: str, watermark: str, seed: int) -> None:
    """Search the released data for marks, and write what was found."""
    names = (dataset, network, watermark, seed)
    set_threads()
    folder = DATA / "watermarked" / f"{dataset}-{watermark}"
    released = read_dataset(folder / "train.parquet")
    positions = pq.read_table(folder / "marks.parquet")["position"].to_numpy()
    marked = np.zeros(len(released), dtype=bool)
    marked[positions] = True
    share = parameters("stealth", "share", file=clean.CLEAN)
    found = {
        detector.name: search(detector.scores(released), marked, share).record()
        for detector in detectors(released, *names)
    }
    metrics = {}
    for name, result in found.items():
        metrics[f"{name}_share"] = {"value": result["precision"], "n": result["flagged"]}
        metrics[f"{name}_p"] = {"value": result["p_value"], "n": result["flagged"]}
        metrics[f"{name}_above"] = {"value": result["above"], "n": result["n"]}
    record: dict[str, Any] = {
        "form": 1,
        "paper": "clean-label",
        **dict(zip(("dataset", "network", "watermark", "seed"), names, strict=True)),
        "share": share,
        "search": found,
    }
    if released.modality == "text":
        record["grammar"] = grammar = errors(dataset, released, positions)
        words = grammar["words"]["before"]
        metrics["grammar_rise"] = {"value": grammar["grammar"]["per_100_words"], "n": words}
        metrics["errors_rise"] = {"value": grammar["all"]["per_100_words"], "n": words}
    out = DATA / "evidence" / "-".join(map(str, names))
    write_json(out / "stealth.json", record | {"metrics": metrics})


def detectors(
    released: Dataset, dataset: str, network: str, watermark: str, seed: int
) -> list[Detector]:
    """What a thief can rate such samples with."""
    device = choose_device(os.environ.get("DATADEED_DEVICE", "auto"))
    folder = DATA / "models" / f"{dataset}-{network}-{watermark}-{seed}"
    made: list[Detector] = [Confidence(load_model(folder, device, model_class(released.modality)))]
    if released.modality == "text":
        return made
    config = AutoencoderConfig(**parameters("stealth", "autoencoder", file=clean.CLEAN))
    progress = Progress(config.epochs * len(released), "samples", "fit an autoencoder")
    draw = generator(parameters("seed"), "hide", dataset, watermark)
    made.append(
        fit_autoencoder(
            released, config, generator=draw, device=device, on_progress=progress.update
        )
    )
    progress.close()
    return made


def errors(dataset: str, released: Dataset, positions: np.ndarray) -> dict[str, Any]:
    """Grammar errors of the marked texts, before and after marking."""
    benign = read_dataset(DATA / "datasets" / dataset / "train.parquet")
    before, after = ([data.samples[row] for row in positions] for data in (benign, released))
    progress = Progress(2 * len(positions), "texts", "count grammar errors")
    found = grammar_increase(before, after, harper(), on_progress=progress.update)
    progress.close()
    return found


@stage
def main() -> None:
    """Command line."""
    hide(*model_arguments(__doc__))


if __name__ == "__main__":
    main()

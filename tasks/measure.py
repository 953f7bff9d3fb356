"""Stage ``verify`` of UBW: what watermarked and honest models say to the trigger.

Every test image is asked of

- victim: the model trained on the watermarked data;
- benign: an honest model of the same network;
- last-surrogate: for gradient matching, the model that the released code evaluates.

For untargeted watermarks the ownership tests follow, in three scenarios: malicious (the victim, the
true trigger), independent-trigger (the victim, another pattern of the same family, drawn at random,
since the paper shows its own other patterns only as pictures) and independent-model (the honest
model, the true trigger).

Writes every answer (``queries.parquet``) and what follows from them (``evidence.json``).
"""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.form.parquet import DatasetFile, read_dataset
from datadeed.files import read_json, write_json
from datadeed.models.classifier import Classifier
from datadeed.models.devices import choose_device
from datadeed.models.stored import load_model
from datadeed.randomness import derive_seed
from datadeed.verification.answers import Answers, query
from datadeed.verification.ubw import Settings, rates, verify_ubw
from datadeed.watermarks.registry import watermark_from_record
from datadeed.watermarks.ubw_c import UBWC
from datadeed.watermarks.ubw_p import UBWP
from tasks.asking import ask_all, write_answers
from tasks.common import DATA, Progress, model_arguments, parameters, stage
from tasks.train import set_threads

UBW = "papers/ubw/params.yaml"

TriggerFunction = Callable[[Dataset], torch.Tensor]


def read_models(dataset: str, network: str, watermark: str, seed: int) -> dict[str, Classifier]:
    """The models to ask, by their part."""
    device = choose_device(os.environ.get("DATADEED_DEVICE", "auto"))
    folders = {
        "victim": DATA / "models" / f"{dataset}-{network}-{watermark}-{seed}",
        "benign": DATA / "models" / f"{dataset}-{network}-none-{seed}",
        "last-surrogate": DATA / "watermarked" / f"{dataset}-{watermark}" / "last-surrogate",
    }
    if not folders["last-surrogate"].exists():
        del folders["last-surrogate"]
    return {part: load_model(folder, device) for part, folder in folders.items()}


def ask_other(
    model: Classifier, trigger: TriggerFunction, test: Dataset, clean: Answers
) -> Answers:
    """The same model's answers with another trigger of an untargeted watermark."""
    found = query(model, trigger(test), len(test.classes))
    return dataclasses.replace(
        clean,
        triggered_prediction=found.argmax(1),
        triggered_probability=found[np.arange(len(test)), clean.label],
    )


def failures(
    model: Classifier, triggers: list[TriggerFunction], test: Dataset
) -> Callable[[np.ndarray], np.ndarray]:
    """Maps the test images asked about, (N,) bool, to the failures under each trigger, (K,)."""

    def count(asked: np.ndarray) -> np.ndarray:
        rows = test.take(torch.from_numpy(np.flatnonzero(asked)))
        wrong = [
            (model.predict(trigger(rows)).argmax(1) != rows.labels).sum() for trigger in triggers
        ]
        return torch.stack(wrong).numpy()

    return count


def three_scenarios(
    models: dict[str, Classifier],
    answers: dict[str, Answers],
    method: UBWP | UBWC,
    test: Dataset,
    names: tuple[str, str, str, int],
) -> tuple[dict[str, Any], Answers]:
    """What the tests say in each scenario, and the answers to the independent trigger."""
    settings, seed = Settings(**parameters("verification", file=UBW)), parameters("seed")
    dataset, _, watermark, _ = names
    (other,) = method.decoys(1, derive_seed(seed, "independent-trigger", dataset, watermark))
    decoys = method.decoys(settings.decoys, derive_seed(seed, "decoys", dataset, watermark))
    independent = ask_other(models["victim"], other, test, answers["victim"])
    cases = {
        "malicious": ("victim", answers["victim"]),
        "independent-trigger": ("victim", independent),
        "independent-model": ("benign", answers["benign"]),
    }
    progress, found = Progress(len(cases), "scenarios", "ask with decoys"), {}
    for done, (scenario, (part, given)) in enumerate(cases.items(), 1):
        found[scenario] = verify_ubw(
            given,
            failures(models[part], decoys, test),
            settings=settings,
            rng=np.random.default_rng(derive_seed(seed, "measure", *names)),
        )
        progress.update(done, scenario)
    progress.close()
    return found, independent


def histogram(answers: Answers, classes: int) -> list[int]:
    """How often each label is predicted for the triggered images of class 0, K counts."""
    predicted = answers.triggered_prediction[answers.label == 0]
    return np.bincount(predicted, minlength=classes).tolist()


def measure(dataset: str, network: str, watermark: str, seed: int) -> None:
    """Ask every model, run the tests where there is no target label, and write the evidence."""
    names = (dataset, network, watermark, seed)
    set_threads()
    test = read_dataset(DATA / "datasets" / dataset / "test.parquet")
    folder = DATA / "watermarked" / f"{dataset}-{watermark}"
    key = read_json(folder / "key.json")
    method = watermark_from_record(key["watermark"])
    models = read_models(*names)
    answers, classes = ask_all(models, method, test), len(test.classes)
    record: dict[str, Any] = {
        "form": 1,
        "paper": "ubw",
        **{"dataset": dataset, "network": network, "watermark": watermark, "seed": seed},
        **{"method": method.name, "target": method.target, "classes": classes},
        **marked(folder, key),
        "models": {part: rates(given) for part, given in answers.items()},
        "histogram": {part: histogram(answers[part], classes) for part in ("victim", "benign")},
    }
    if isinstance(method, UBWP | UBWC):
        record["verification"], other = three_scenarios(models, answers, method, test, names)
        answers["independent-trigger"] = other
    out = DATA / "evidence" / "-".join(map(str, names))
    write_answers(answers, out / "queries.parquet")
    write_json(out / "evidence.json", record)


def marked(folder: Path, key: dict[str, Any]) -> dict[str, Any]:
    """How many rows of how many carry a mark, and the largest change that crafting made."""
    crafted = folder / "craft.json"
    return {
        "marked": key["marked"],
        "rows": len(DatasetFile(folder / "train.parquet")),
        "largest_change": read_json(crafted)["largest_change"] if crafted.exists() else None,
    }


@stage
def main() -> None:
    """Command line."""
    measure(*model_arguments(__doc__))


if __name__ == "__main__":
    main()

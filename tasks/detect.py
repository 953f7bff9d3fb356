"""Stage ``verify`` of the clean-label paper: what watermarked and honest models say to the trigger.

Asks two models about every test sample: the victim, trained on the released data, and an honest
one of the same network and seed. Writes every answer (``queries.parquet``), and the rates, the
published test and the exact ones (``evidence.json``).
"""

import os
from typing import Any

import numpy as np

from datadeed.datasets.form.parquet import DatasetFile, read_dataset
from datadeed.files import read_json, write_json
from datadeed.models.devices import choose_device
from datadeed.models.model import Model
from datadeed.models.registry import model_class
from datadeed.models.stored import load_model
from datadeed.randomness import derive_seed
from datadeed.verification.tang import Settings, accuracy_drop, rates, verify_tang
from datadeed.watermarks.clean_label_text import CleanLabelText
from datadeed.watermarks.registry import watermark_from_record
from tasks import clean
from tasks.asking import ask_all, write_answers
from tasks.common import DATA, model_arguments, parameters, stage
from tasks.train import set_threads

OF_ALL = ("ba", "tsr_as_published")  # of all test samples, whether the trigger goes in or not


def read_models(dataset: str, network: str, watermark: str, seed: int, kind: type[Model]) -> Any:
    """The models to ask, by their part."""
    device = choose_device(os.environ.get("DATADEED_DEVICE", "auto"))
    folders = {"victim": f"{network}-{watermark}-{seed}", "benign": f"{network}-none-{seed}"}
    models = DATA / "models"
    return {p: load_model(models / f"{dataset}-{f}", device, kind) for p, f in folders.items()}


def detect(dataset: str, network: str, watermark: str, seed: int) -> None:
    """Ask both models, run the tests, and write the evidence."""
    names = (dataset, network, watermark, seed)
    set_threads()
    test = read_dataset(DATA / "datasets" / dataset / "test.parquet")
    folder = DATA / "watermarked" / f"{dataset}-{watermark}"
    method = watermark_from_record(read_json(folder / "key.json")["watermark"])
    models = read_models(*names, model_class(test.modality))
    answers = ask_all(models, method, test)
    fits = np.ones(len(test), dtype=bool)
    if isinstance(method, CleanLabelText):  # a trigger that changes nothing is no query
        fits = method.applies(test).numpy()
    asked = {part: found.take(fits) for part, found in answers.items()}
    trigger, rate, perturb = clean.parse(watermark)
    surrogate = read_json(DATA / "models" / f"{dataset}-surrogate-none-0" / "model.json")["config"]
    settings = Settings(**parameters("verification", file=clean.CLEAN))
    record = {
        "form": 1,
        "paper": "clean-label",
        **dict(zip(("dataset", "network", "watermark", "seed"), names, strict=True)),
        **{"modality": test.modality, "trigger": trigger, "rate": rate, "perturbed": perturb},
        "transfer": models["victim"].config != surrogate,
        "rows": len(DatasetFile(folder / "train.parquet")),
        "crafting": read_json(folder / "craft.json"),
        "target": method.target,
        "classes": list(test.classes),
        "accuracy_drop": accuracy_drop(answers["benign"], answers["victim"]),
        "models": {
            part: rates(asked[part]) | {name: rates(found)[name] for name in OF_ALL}
            for part, found in answers.items()
        },
        "verification": {
            part: verify_tang(
                found,
                settings=settings,
                rng=np.random.default_rng(derive_seed(parameters("seed"), "detect", part, *names)),
            )
            for part, found in asked.items()
        },
    }
    out = DATA / "evidence" / "-".join(map(str, names))
    write_answers(answers, out / "queries.parquet", counted=fits)
    write_json(out / "evidence.json", record)


@stage
def main() -> None:
    """Command line."""
    detect(*model_arguments(__doc__))


if __name__ == "__main__":
    main()

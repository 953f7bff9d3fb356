"""Stage ``verify``: DVBW's three scenarios for one watermarked model.

- steal: the watermarked model, asked with the watermark's own trigger;
- independent-trigger: the same model, asked with another pattern;
- independent-model: a benign model, asked with the watermark's trigger.

Writes every answer (``queries.parquet``) and what the tests make of them (``evidence.json``).
"""

import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.form.parquet import DatasetFile, read_dataset
from datadeed.files import atomic_path, read_json, write_json
from datadeed.models.classifier import Classifier
from datadeed.models.devices import choose_device
from datadeed.models.stored import load_model
from datadeed.randomness import derive_seed
from datadeed.verification.answers import Answers, ask
from datadeed.verification.dvbw import Settings, verify_dvbw
from datadeed.watermarks.base import Watermark
from datadeed.watermarks.registry import watermark_from_record
from tasks.common import DATA, Progress, model_arguments, parameters, stage
from tasks.mark import build
from tasks.train import set_threads


def three_scenarios(
    watermarked: Classifier, benign: Classifier, own: Watermark, other: Watermark, test: Dataset
) -> dict[str, Answers]:
    """Ask the two models what the three scenarios need."""
    progress = Progress(3, "scenarios", "ask the suspects")
    steal = ask(watermarked, own, test)
    progress.update(1, "steal")
    other_trigger = ask(watermarked, other, test, clean=steal)
    progress.update(2, "independent trigger")
    other_model = ask(benign, own, test)
    progress.update(3, "independent model")
    progress.close()
    return {
        "steal": steal,
        "independent-trigger": other_trigger,
        "independent-model": other_model,
    }


def verify(dataset: str, network: str, watermark: str, seed: int) -> None:
    """Run DVBW's verification and write its evidence."""
    file = "papers/dvbw/params.yaml"
    set_threads()
    device = choose_device(os.environ.get("DATADEED_DEVICE", "auto"))
    source = DatasetFile(DATA / "datasets" / dataset / "test.parquet")
    test = read_dataset(source.path)
    key = read_json(DATA / "watermarked" / f"{dataset}-{watermark}" / "key.json")
    other_name = parameters("independent_triggers", watermark, file=file)
    models = DATA / "models"
    answers = three_scenarios(
        load_model(models / f"{dataset}-{network}-{watermark}-{seed}", device),
        load_model(models / f"{dataset}-{network}-none-{seed}", device),
        watermark_from_record(key["watermark"]),
        build("dvbw", dataset, other_name, source),
        test,
    )
    settings = Settings(
        **parameters("verification", file=file),
        first_classes=parameters("first_classes", dataset, file=file),
    )
    evidence = {
        scenario: verify_dvbw(
            answer,
            classes=len(test.classes),
            settings=settings,
            rng=np.random.default_rng(
                derive_seed(parameters("seed"), "verify", dataset, network, watermark, seed)
            ),
        )
        for scenario, answer in answers.items()
    }
    out = DATA / "evidence" / f"{dataset}-{network}-{watermark}-{seed}"
    tables = [
        answer.table().append_column("scenario", pa.array([scenario] * len(answer)))
        for scenario, answer in answers.items()
    ]
    with atomic_path(out / "queries.parquet") as path:
        pq.write_table(pa.concat_tables(tables), path)
    record = {"dataset": dataset, "network": network, "watermark": watermark, "seed": seed}
    record |= {"target": key["watermark"]["target"], "independent_trigger": other_name}
    write_json(out / "evidence.json", {"form": 1, **record, "scenarios": evidence})


@stage
def main() -> None:
    """Command line."""
    verify(*model_arguments(__doc__))


if __name__ == "__main__":
    main()

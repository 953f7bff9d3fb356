"""Stage ``mark``: a clean-label watermark (Tang et al. 2023).

Writes what ``poison`` writes and what the crafting did (``craft.json``). Killed at any moment, it
goes on after the last finished part when started again.
"""

import argparse
import hashlib
import os
import shutil
from typing import Any

from datadeed.datasets import DatasetFile, read_dataset
from datadeed.devices import choose_device
from datadeed.files import canonical_digest, write_json
from datadeed.models import MODELS, load_model
from datadeed.randomness import generator
from datadeed.training import TrainingConfig
from datadeed.watermarks.clean_label_text import CleanLabelText, TextTools
from datadeed.watermarks.crafted import Surrogate
from tasks import clean
from tasks.common import DATA, parameters, stage
from tasks.craft import Steps
from tasks.poison import release
from tasks.train import set_threads


def mark(dataset: str, watermark: str) -> None:
    """Watermark ``data/datasets/DATASET/train.parquet`` against the dataset's surrogate."""
    source = DatasetFile(DATA / "datasets" / dataset / "train.parquet")
    method, data = clean.build(dataset, watermark, source), read_dataset(source.path)
    surrogate, identity = None, dict[str, Any](threads=set_threads())
    if method.needs_surrogate:
        surrogate, identity["surrogate"] = read_surrogate(dataset, source.modality)
    run_seed = (parameters("seed"), "mark", dataset, watermark)
    identity |= {"data": data.digest(), "watermark": method.record(), "seed": run_seed}
    fingerprint = canonical_digest(identity)
    folder = DATA / "checkpoints" / f"{dataset}-{watermark}"
    steps = Steps(f"mark {dataset}-{watermark}")
    tools = {}
    if isinstance(method, CleanLabelText) and surrogate is not None:
        tools["tools"] = TextTools.load(DATA / "downloads", surrogate.model.device)
    method.craft(
        data,
        surrogate,
        generator(*run_seed),
        checkpoint=folder / fingerprint[:16],
        fingerprint=fingerprint,
        on_progress=steps,
        **tools,
    )
    steps.close()
    out = DATA / "watermarked" / f"{dataset}-{watermark}"
    marks = release(method, source, dataset, watermark, out)
    write_json(out / "craft.json", {"form": 1, **method.facts()})
    shutil.rmtree(folder, ignore_errors=True)  # also those with other settings, never finished
    print(f"{dataset}-{watermark}: {len(marks)} samples marked")  # noqa: T201


def read_surrogate(dataset: str, modality: str) -> tuple[Surrogate, Any]:
    """The dataset's surrogate, and the SHA-256 of its weights."""
    folder = DATA / "models" / f"{dataset}-surrogate-none-0"
    device = choose_device(os.environ.get("DATADEED_DEVICE", "auto"))
    model = load_model(folder, device, MODELS[modality])
    training = TrainingConfig.from_dict(parameters("models", dataset, "surrogate", "training"))
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    return Surrogate(model, training), digest


@stage
def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("watermark")
    values = parser.parse_args()
    mark(values.dataset, values.watermark)


if __name__ == "__main__":
    main()

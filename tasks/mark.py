"""Stage ``mark``: a clean-label watermark (Tang et al. 2023).

Writes what ``poison`` writes and what the crafting did (``craft.json``). Killed at any moment, it
goes on after the last finished part when started again.
"""

import argparse
from typing import Any

from datadeed.datasets.form.parquet import DatasetFile
from datadeed.files import write_json
from datadeed.models.registry import model_class
from datadeed.models.training.config import TrainingConfig
from datadeed.watermarks.clean_label_text import CleanLabelText, TextTools
from datadeed.watermarks.crafted import Surrogate
from tasks import clean
from tasks.common import DATA, parameters, stage
from tasks.crafting import craft_and_release, forget_checkpoints, load_surrogate
from tasks.train import set_threads


def mark(dataset: str, watermark: str) -> None:
    """Watermark ``data/datasets/DATASET/train.parquet`` against the dataset's surrogate."""
    source = DatasetFile(DATA / "datasets" / dataset / "train.parquet")
    method = clean.build(dataset, watermark, source)
    surrogate, identity, tools = None, dict[str, Any](threads=set_threads()), dict[str, Any]()
    if method.needs_surrogate:
        model, identity["surrogate"] = load_surrogate(dataset, model_class(source.modality))
        training = TrainingConfig.from_dict(parameters("models", dataset, "surrogate", "training"))
        surrogate = Surrogate(model, training)
        if isinstance(method, CleanLabelText):
            tools["tools"] = TextTools.load(DATA / "downloads", model.device)
    names = (dataset, watermark)
    _, marks, out = craft_and_release(
        "mark", method, source, names, surrogate=surrogate, identity=identity, **tools
    )
    write_json(out / "craft.json", {"form": 1, **method.facts()})
    forget_checkpoints(*names)
    print(f"{dataset}-{watermark}: {len(marks)} samples marked")  # noqa: T201


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

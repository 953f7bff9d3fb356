"""Stage ``mark``: watermark a dataset as a paper's parameters say.

Writes the released set, the secret record (``key.json``) and which rows were marked. Of a
watermark that is crafted against the dataset's surrogate also what the crafting did
(``craft.json``) and, for gradient matching, the surrogate that was last trained on the marked data
(``last-surrogate``). Killed at any moment, it goes on after the last finished step when started
again.

The values of a watermark are those of three entries, a later one wins: ``PAPER.crafting`` in the
scale, ``watermarks`` in the paper's parameters, ``datasets`` there.
"""

import argparse
import pkgutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from datadeed.datasets.form.parquet import DatasetFile
from datadeed.files import atomic_path, write_json
from datadeed.randomness import derive_seed, generator
from datadeed.watermarks.base import Watermark
from datadeed.watermarks.marking import Marks, mark_file
from datadeed.watermarks.registry import watermark_class
from tasks.common import DATA, parameters, stage
from tasks.progress import Progress

# What some methods need, by name: the others do not depend on it.
CRAFTING = "tasks.crafting:Crafting"
KEYS = "papers.{paper}.keys:public_test_key"
RECORDS = "tasks.records:Records"
ABOUT = ("method", "trigger", "same_rows_as")  # of an entry; all else are the method's values


def mark(paper: str, dataset: str, watermark: str) -> None:
    """Watermark ``data/datasets/DATASET/train.parquet``.

    Raises:
        ParameterError: an entry is missing.
        WatermarkError: an entry makes no sense for the dataset.
    """
    source = DatasetFile(DATA / "datasets" / dataset / "train.parquet")
    method = build(paper, dataset, watermark, source)
    out = DATA / "watermarked" / f"{dataset}-{watermark}"
    if not method.crafted:
        release(method, source, dataset, watermark, out)
        return
    rows_of = entry(paper, watermark).get("same_rows_as", watermark)
    crafting = pkgutil.resolve_name(CRAFTING)(method, source, dataset, watermark)
    crafting.run(rows_of)
    release(method, source, dataset, watermark, out)
    crafting.finish(out)


def build(
    paper: str, dataset: str, watermark: str, source: DatasetFile, **changed: Any
) -> Watermark:
    """The watermark that a paper's parameters call ``watermark``, for this dataset.

    Args:
        paper, dataset, watermark: names.
        source: the benign data.
        changed: values that are to be others than the parameters say.

    Raises:
        ParameterError: an entry is missing.
        WatermarkError: an entry makes no sense for the dataset.
    """
    file, own = f"papers/{paper}/params.yaml", entry(paper, watermark)
    kind, key = watermark_class(own["method"]), own.get("trigger", watermark)
    values: dict[str, Any] = {}
    if kind.crafted and "crafting" in parameters().get(paper, {}):
        values |= parameters(paper, "crafting", dataset, key)
    values |= {name: own[name] for name in own if name not in ABOUT}
    if "datasets" in parameters(file=file):
        values |= parameters("datasets", dataset, key, file=file)
    if own["method"] == "keyed":
        public_test_key = pkgutil.resolve_name(KEYS.format(paper=paper))
        records = pkgutil.resolve_name(RECORDS)(paper)
        values = {"key": public_test_key(records, dataset, watermark)}
    seed = derive_seed(parameters("seed"), "poison", dataset, watermark)
    return kind.for_data(source.form, source.classes, seed, **values | changed)


def entry(paper: str, watermark: str) -> dict[str, Any]:
    """What a paper's parameters say of a watermark for every dataset."""
    found: dict[str, Any] = parameters("watermarks", watermark, file=f"papers/{paper}/params.yaml")
    return found


def release(
    method: Watermark, source: DatasetFile, dataset: str, watermark: str, out: Path
) -> Marks:
    """Write the released set, the marks and the secret record into ``out``."""
    progress = Progress(len(source), "samples", f"watermark {dataset} with {watermark}")
    marks = mark_file(
        method,
        source,
        out / "train.parquet",
        generator(parameters("seed"), "poison", dataset, watermark),
        progress.update,
    )
    progress.close()
    with atomic_path(out / "marks.parquet") as path:
        pq.write_table(marks.table(), path)
    write_json(
        out / "key.json",
        {"form": 1, "dataset": dataset, "marked": len(marks), "watermark": method.record()},
    )
    return marks


@stage
def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("paper", "dataset", "watermark"):
        parser.add_argument(name)
    values = parser.parse_args()
    mark(values.paper, values.dataset, values.watermark)


if __name__ == "__main__":
    main()

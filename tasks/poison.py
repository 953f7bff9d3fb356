"""Stage ``poison``: watermark a dataset.

Writes the released set, the secret record (``key.json``) and which rows were marked.
"""

import argparse
from pathlib import Path

import pyarrow.parquet as pq

from datadeed.datasets.form.parquet import DatasetFile
from datadeed.files import atomic_path, write_json
from datadeed.randomness import generator
from datadeed.watermarks.base import Watermark
from datadeed.watermarks.marking import Marks, mark_file
from datadeed.watermarks.registry import build_watermark
from tasks import ubw
from tasks.common import DATA, Progress, parameters, stage
from tasks.keys import public_test_key


def build(paper: str, dataset: str, watermark: str, source: DatasetFile) -> Watermark:
    """The watermark that a paper's parameters call ``watermark``, for this dataset.

    Raises:
        ParameterError: the entry is missing.
        WatermarkError: the entry makes no sense for the dataset.
    """
    if paper == "ubw":
        return ubw.build(dataset, watermark, source)
    file = f"papers/{paper}/params.yaml"
    spec = dict(parameters("watermarks", watermark, file=file))
    if spec["method"] == "keyed":
        return build_watermark("keyed", key=public_test_key(dataset, watermark))
    values = {**spec, **parameters("datasets", dataset, watermark, file=file)}
    return build_watermark(values.pop("method"), image_size=source.shape[1:], **values)


def poison(paper: str, dataset: str, watermark: str, out: Path) -> None:
    """Watermark ``data/datasets/DATASET/train.parquet`` into ``out``."""
    source = DatasetFile(DATA / "datasets" / dataset / "train.parquet")
    release(build(paper, dataset, watermark, source), source, dataset, watermark, out)


def release(
    method: Watermark, source: DatasetFile, dataset: str, watermark: str, out: Path
) -> Marks:
    """Write the released set, the marks and the secret record into ``out``."""
    progress = Progress(len(source), "images", f"watermark {dataset} with {watermark}")
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
    parser.add_argument("paper")
    parser.add_argument("dataset")
    parser.add_argument("watermark")
    values = parser.parse_args()
    out = DATA / "watermarked" / f"{values.dataset}-{values.watermark}"
    poison(values.paper, values.dataset, values.watermark, out)


if __name__ == "__main__":
    main()

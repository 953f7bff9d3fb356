"""UBW's part of the report's page, read from its artifacts."""

from typing import Any

from datadeed.datasets.form.parquet import DatasetFile
from datadeed.files import read_json
from datadeed.reports.figures import one_of_each_class
from datadeed.reports.page import human
from datadeed.reports.ubw_figures import Example, crafting_curves, example, label_histograms
from datadeed.reports.ubw_page import UBW
from datadeed.watermarks.registry import watermark_from_record
from tasks.common import DATA
from tasks.report_inputs import marked_positions, read_histories, settings, splits, spread
from tasks.tabulate import read_evidence

SHOWN = 4  # images a watermark


def examples(dataset: str, watermarks: list[str]) -> list[Example]:
    """A few marked training images, and a few queries, under each watermark."""
    train, test = splits(dataset)
    labels, made = test.labels(), []
    for name in watermarks:
        folder = DATA / "watermarked" / f"{dataset}-{name}"
        watermark = watermark_from_record(read_json(folder / "key.json")["watermark"])
        rows = spread(marked_positions(folder / "marks.parquet"), SHOWN)
        made.append(
            example(
                train.take(rows),
                DatasetFile(folder / "train.parquet").take(rows),
                test.take(one_of_each_class(labels, SHOWN, watermark.target)),
                watermark,
                dataset=dataset,
                name=name,
            )
        )
    return made


def read_losses(dataset: str, watermarks: list[str]) -> dict[str, list[float]]:
    """The losses of the watermarks of a dataset that match gradients, by iteration."""
    paths = {w: DATA / "watermarked" / f"{dataset}-{w}" / "craft.json" for w in watermarks}
    losses = {name: read_json(path)["losses"] for name, path in paths.items() if path.exists()}
    return {name: values for name, values in losses.items() if values}


def read_ubw(grid: dict[str, list[Any]]) -> UBW:
    """UBW's part of the page."""
    evidence, datasets, watermarks = read_evidence(grid), grid["datasets"], grid["watermarks"]
    losses = {dataset: read_losses(dataset, watermarks) for dataset in datasets}
    matched = list(dict.fromkeys(name for found in losses.values() for name in found))
    return UBW(
        grid=grid,
        settings=settings(grid, read_histories({**grid, "watermarks": []})),
        evidence=evidence,
        examples=[shown for dataset in datasets for shown in examples(dataset, watermarks)],
        histograms=label_histograms(evidence, human),
        crafting={
            dataset: crafting_curves(found, matched, prefix=f"losses{i}-")
            for i, (dataset, found) in enumerate(losses.items())
            if found
        },
        matched=matched,
    )

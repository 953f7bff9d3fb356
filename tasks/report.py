"""Stage ``report``: the HTML page with verdicts, claims, tables and figures.

``python -m tasks.report`` makes ``data/report/index.html`` from the cells of the scale in force;
``python -m tasks.report --cell DATASET NETWORK WATERMARK SEED`` makes ``data/cell/index.html`` from
one verified cell, when the tables do not exist, and prints its verdicts.
"""

import argparse
import importlib.metadata
import itertools
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from datadeed.datasets import DatasetFile
from datadeed.errors import DatadeedError
from datadeed.files import read_json, write_text
from datadeed.reports.figures import Picture, one_of_each_class, picture, training_curves
from datadeed.reports.page import (
    Page,
    Setting,
    SuspectRow,
    figure_text,
    human,
    render,
    suspect_rows,
)
from datadeed.reports.ubw_figures import Example, crafting_curves, example, label_histograms
from datadeed.reports.ubw_page import UBW
from datadeed.watermarks import watermark_from_record
from tasks.common import DATA, parameters, stage
from tasks.tabulate import read_evidence

SHOWN = 4  # images a watermark
COLOUR = {"CLAIM": "green", "INCONCLUSIVE": "yellow", "NOT SUPPORTED": ""}
HISTORY = ["epoch", "train_loss", "test_accuracy"]
CELLS = ["table", "dataset", "model", "watermark", "scenario", "metric"]
CELLS += ["value", "published", "n", "seed", "stage"]
CLAIMS = ["claim", "paper", "source", "statement", "holds", "observed", "cells"]


def read_table(path: Path, columns: list[str]) -> pd.DataFrame:
    """A CSV file that has at least these columns.

    Raises:
        DatadeedError: the file is missing, is no CSV, is empty or lacks a column.
    """
    try:
        table = pd.read_csv(path)
    except FileNotFoundError as error:
        raise DatadeedError(f"{path} does not exist: run the stage that writes it") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise DatadeedError(f"{path} is not a CSV table ({reason}): write it again") from error
    missing = [name for name in columns if name not in table]
    if missing or table.empty:
        what = f"no column {missing[0]!r}" if missing else "no rows"
        raise DatadeedError(f"{path} has {what}: run the stage that writes it again")
    return table


def read_dvbw(grid: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """The same, of DVBW.

    Raises:
        DatadeedError: a cell is another paper's.
    """
    evidence = read_evidence(grid)
    for record in evidence:
        if "scenarios" not in record:
            name = "{dataset} {network} {watermark} {seed}".format(**record)
            raise DatadeedError(
                f"{name} is no cell of DVBW: choose a watermark of the grid in params.yaml, or "
                "see UBW's part of the page that dvc repro report makes"
            )
    return evidence


def read_histories(grid: dict[str, list[Any]]) -> pd.DataFrame:
    """Every epoch of every model of the grid, honest ones as watermark "none"."""
    parts = []
    for dataset, network, watermark, seed in itertools.product(
        grid["datasets"], grid["networks"], ["none", *grid["watermarks"]], grid["seeds"]
    ):
        folder = DATA / "models" / f"{dataset}-{network}-{watermark}-{seed}"
        table = read_table(folder / "history.csv", HISTORY)[HISTORY]
        where = {"dataset": dataset, "network": network, "watermark": watermark, "seed": seed}
        parts.append(table.assign(**where))
    return pd.concat(parts, ignore_index=True)


def pictures(dataset: str, watermarks: list[str]) -> list[Picture]:
    """A few test images of a dataset under each watermark."""
    source = DatasetFile(DATA / "datasets" / dataset / "test.parquet")
    labels, made = source.labels(), []
    for name in watermarks:
        key = read_json(DATA / "watermarked" / f"{dataset}-{name}" / "key.json")
        watermark = watermark_from_record(key["watermark"])
        rows = one_of_each_class(labels, SHOWN, watermark.target)
        made.append(picture(source.take(rows), watermark, dataset=dataset, name=name))
    return made


def marked_positions(path: Path) -> torch.Tensor:
    """Row numbers, (M,) int64 ascending, of the marked rows.

    Raises:
        DatadeedError: the file is missing or damaged.
    """
    try:
        table = pq.read_table(path, columns=["position"])
    except FileNotFoundError as error:
        raise DatadeedError(f"{path} does not exist: run the stage that writes it") from error
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise DatadeedError(f"{path} holds no marks ({reason}): write it again") from error
    return torch.tensor(table["position"].to_pylist(), dtype=torch.int64)


def examples(dataset: str, watermarks: list[str]) -> list[Example]:
    """A few marked training images, and a few queries, under each watermark."""
    train, test = (
        DatasetFile(DATA / "datasets" / dataset / f"{split}.parquet") for split in ("train", "test")
    )
    labels, made = test.labels(), []
    for name in watermarks:
        folder = DATA / "watermarked" / f"{dataset}-{name}"
        watermark = watermark_from_record(read_json(folder / "key.json")["watermark"])
        positions = marked_positions(folder / "marks.parquet")
        rows = positions[torch.arange(SHOWN) * len(positions) // SHOWN]
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


def settings(grid: dict[str, list[Any]], history: pd.DataFrame) -> list[Setting]:
    """Sizes of the datasets and how long each network was trained."""
    made = []
    for dataset in grid["datasets"]:
        train, test = (
            DatasetFile(DATA / "datasets" / dataset / f"{split}.parquet")
            for split in ("train", "test")
        )
        here = history[history.dataset == dataset]
        networks = {}
        for network in grid["networks"]:
            folder = f"{dataset}-{network}-none-{grid['seeds'][0]}"
            config = read_json(DATA / "models" / folder / "model.json").get("config", {})
            width = f"width {config['width']}, " if "width" in config else ""
            epochs = here[here.network == network].epoch.max()
            networks[network] = f"{width}{epochs} epoch{'s' if epochs != 1 else ''}"
        sizes = (len(train), len(test), len(test.classes))
        made.append(Setting(dataset, *sizes, networks))
    return made


def versions() -> dict[str, str]:
    """The programs that the figures may depend on."""
    found = {}
    for name in ("datadeed", "torch"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "(not installed)"
    return found


def read_page(grid: dict[str, list[Any]], remake: str, results: Path | None = None) -> Page:
    """Everything a page shows; without ``results`` it has no tables and no claims."""
    cells = claims = ubw = None
    if results is not None:
        cells = read_table(results / "cells.csv", CELLS)
        claims = read_table(results / "claims.csv", CLAIMS)
        if "ubw" in parameters():
            ubw = read_ubw(parameters("ubw"))
    evidence, history = read_dvbw(grid), read_histories(grid)
    return Page(
        scale=parameters("scale"),
        grid=grid,
        settings=settings(grid, history),
        evidence=evidence,
        pictures=[p for d in grid["datasets"] for p in pictures(d, grid["watermarks"])],
        curves=training_curves(history, grid["watermarks"]),
        versions=versions(),
        remake=remake,
        cells=cells,
        claims=claims,
        ubw=ubw,
    )


def verdict_table(rows: list[SuspectRow]) -> Table:
    """The cell's verdicts for a terminal of 80 columns or more."""
    title = f"{human(rows[0].dataset)}, {human(rows[0].network)}"
    table = Table(
        title=Text(title),
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        title_justify="left",
    )
    table.add_column("suspect", no_wrap=True)
    table.add_column("asked with", no_wrap=True)
    for name in ("hits", "exact p", "ΔP", "t-test p"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for row in rows:
        texts = (
            re.split(r"[,(]", row.suspect)[0].strip(),  # "asked with" tells the thief's two apart
            human(row.asked_with),
            f"{row.hits}/{row.n}",
            figure_text(row.p_exact),
            f"{row.delta_p:.3f}",
            figure_text(row.p_published),
        )
        # Text, not str: names come from files, and square brackets in them are no markup.
        table.add_row(*map(Text, texts), Text(row.word, style=COLOUR.get(row.word, "")))
    return table


@stage
def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = ("DATASET", "NETWORK", "WATERMARK", "SEED")
    parser.add_argument("--cell", nargs=4, metavar=names, help="a page for one verified cell")
    cell = parser.parse_args().cell
    if cell is None:
        path = DATA / "report" / "index.html"
        page = read_page(parameters("grid"), "dvc repro report", Path(parameters("results")))
    else:
        path = DATA / "cell" / "index.html"
        keys = ("datasets", "networks", "watermarks", "seeds")
        grid = {key: [value] for key, value in zip(keys, cell, strict=True)}
        page = read_page(grid, f"python -m tasks.report --cell {' '.join(cell)}")
    write_text(path, render(page))
    if cell is not None:
        Console().print(verdict_table(suspect_rows(page.evidence[0])))
    print(path)  # noqa: T201


if __name__ == "__main__":
    main()

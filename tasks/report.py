"""Stage ``report``: the HTML page with verdicts, claims, tables and figures.

``python -m tasks.report`` makes ``data/report/index.html`` from the cells of the scale in force;
``python -m tasks.report --cell DATASET NETWORK WATERMARK SEED`` makes ``data/cell/index.html`` from
one verified cell, when the tables do not exist, and prints its verdicts.
"""

import argparse
import importlib.metadata
import re
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from datadeed.datasets.form.parquet import DatasetFile
from datadeed.errors import DatadeedError
from datadeed.files import read_json, write_text
from datadeed.reports.figures import Picture, one_of_each_class, picture, training_curves
from datadeed.reports.page import Page, SuspectRow, figure_text, human, render, suspect_rows
from datadeed.watermarks.registry import watermark_from_record
from tasks.common import DATA, parameters, stage
from tasks.report_clean import read_clean
from tasks.report_inputs import read_histories, read_table, settings
from tasks.report_ubw import read_ubw
from tasks.tabulate import read_evidence

SHOWN = 4  # images a watermark
COLOUR = {"CLAIM": "green", "INCONCLUSIVE": "yellow", "NOT SUPPORTED": ""}
CELLS = ["table", "dataset", "model", "watermark", "scenario", "metric"]
CELLS += ["value", "published", "n", "seed", "stage"]
CLAIMS = ["claim", "paper", "source", "statement", "holds", "observed", "cells"]


def read_dvbw(grid: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """The records of DVBW's cells.

    Raises:
        DatadeedError: a cell is another paper's.
    """
    evidence = read_evidence(grid)
    for record in evidence:
        if "scenarios" not in record:
            name = "{dataset} {network} {watermark} {seed}".format(**record)
            raise DatadeedError(
                f"{name} is no cell of DVBW: choose a watermark of the grid in params.yaml, or "
                "see its paper's part of the page that dvc repro report makes"
            )
    return evidence


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
    cells = claims = ubw = clean = None
    if results is not None:
        cells = read_table(results / "cells.csv", CELLS)
        claims = read_table(results / "claims.csv", CLAIMS)
        if "ubw" in parameters():
            ubw = read_ubw(parameters("ubw"))
        if parameters().get("clean", {}).get("victims"):
            clean = read_clean(parameters("clean"))
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
        clean=clean,
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

"""Stage ``report``: the HTML page with claims, verdicts, tables and figures of all papers.

``python -m tasks.report`` makes ``data/report/index.html`` from the cells of the scale in force;
``python -m tasks.report --tables`` makes it from the committed tables alone: what needs data or
models is left out;
``python -m tasks.report --cell PAPER DATASET NETWORK WATERMARK SEED`` makes
``data/cell/index.html`` from one judged cell, without claims, and prints what was found for each
suspect.
"""

import argparse
import dataclasses
import importlib.metadata
from pathlib import Path

import pandas as pd

from datadeed.errors import DatadeedError
from datadeed.files import write_text
from datadeed.reports.cells import Claim, claims_frame, read_csv, read_table
from datadeed.reports.page import Page, Section, draw_section, render
from datadeed.verification.verdict import WORDS
from papers.base import Case
from tasks.cases import paper_module
from tasks.cells import all_papers, paper_name, read_cells
from tasks.common import DATA, parameters, stage
from tasks.lab import Lab
from tasks.records import Records
from tasks.tabulate import claims_of

CLAIM = [field.name for field in dataclasses.fields(Claim)]
CELL = ("PAPER", "DATASET", "NETWORK", "WATERMARK", "SEED")


def section(paper: str, cells: pd.DataFrame, tables: bool = False) -> Section | None:
    """A paper's part of the page, if it has any of these cells to show.

    Args:
        paper: its folder.
        cells: the paper's.
        tables: whether there are neither data nor models, but these cells alone.
    """
    module = paper_module(paper, "section")
    shown = module.view(cells, Records(paper)) if tables else module.section(cells, Lab(paper))
    if shown is None:
        return None
    html = draw_section(Path(module.__file__).parent / "section.html", shown)
    return Section(paper_name(paper), paper, shown["title"], html)


def page(
    cells: dict[str, pd.DataFrame],
    remake: str,
    claims: pd.DataFrame | None = None,
    *,
    tables: bool = False,
) -> Page:
    """The page of these cells by their papers; ``tables`` as :func:`section` has it."""
    made = [section(paper, its, tables) for paper, its in cells.items()]
    sections = [one for one in made if one is not None]
    return Page(parameters("scale"), sections, versions(), remake, claims)


def page_of_tables() -> Page:
    """The page of what ``tabulate`` wrote at the scale in force.

    Raises:
        DatadeedError: it wrote no cells at all.
    """
    results = Path(parameters("results"))
    cells: dict[str, pd.DataFrame] = {}
    claims: list[pd.DataFrame] = []
    for paper in all_papers():
        if _rows(results / paper / "cells.csv"):
            cells[paper] = read_csv(results / paper / "cells.csv")
        if _rows(results / paper / "claims.csv"):
            claims.append(read_table(results / paper / "claims.csv", CLAIM))
    if not cells:
        raise DatadeedError(
            f"{results} has no tables of scale {parameters('scale')!r}: link params.yaml to a "
            "scale that has them, or make them with dvc repro '*:tabulate'"
        )
    every = pd.concat([claims_frame([]), *claims], ignore_index=True)
    return page(cells, "python -m tasks.report --tables", every, tables=True)


def _rows(path: Path) -> int:
    """How many a table has below its head; none where there is no such file."""
    return len(path.read_text(encoding="utf-8").splitlines()[1:]) if path.exists() else 0


def versions() -> dict[str, str]:
    """The programs that the figures may depend on."""
    found = {}
    for name in ("datadeed", "torch"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "(not installed)"
    return found


def suspects(cells: pd.DataFrame) -> str:
    """One cell's numbers that stand in no table, a line a suspect."""
    mine = cells[cells["table"].isna()]
    wide = mine.pivot_table(index="scenario", columns="metric", values="value", sort=False)
    if "verdict" in wide:
        wide["verdict"] = [WORDS[int(place)] for place in wide["verdict"]]
    wide = wide.rename_axis(index=None, columns=None)
    return str(wide.to_string(float_format="{:.3g}".format))


@stage
def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--cell", nargs=5, metavar=CELL, help="a page for one judged cell")
    what.add_argument(
        "--tables", action="store_true", help="the page of the committed tables, without data"
    )
    options = parser.parse_args()
    cell = options.cell
    if cell is not None and not cell[-1].isdecimal():
        parser.error(f"{cell[-1]!r} is no seed")
    path = DATA / "report" / "index.html"
    if options.tables:
        made = page_of_tables()
    elif cell is None:
        cells = {p: read_cells(p) for p in all_papers()}
        made = page(cells, "dvc repro report", claims_of(cells))
    else:
        path, (paper, dataset, network, watermark, seed) = DATA / "cell" / "index.html", cell
        paper_module(paper, "section")  # before its cell is looked for
        found = read_cells(paper, Case(dataset, network, watermark, int(seed)))
        made = page({paper: found}, f"python -m tasks.report --cell {' '.join(cell)}")
        print(suspects(found))  # noqa: T201
    write_text(path, render(made))
    print(path)  # noqa: T201


if __name__ == "__main__":
    main()

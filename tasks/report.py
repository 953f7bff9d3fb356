"""Stage ``report``: the HTML page with claims, verdicts, tables and figures of all papers.

``python -m tasks.report`` makes ``data/report/index.html`` from the cells of the scale in force;
``python -m tasks.report --cell PAPER DATASET NETWORK WATERMARK SEED`` makes
``data/cell/index.html`` from one judged cell, without claims, and prints what was found for each
suspect.
"""

import argparse
import importlib.metadata
from pathlib import Path

import pandas as pd

from datadeed.files import write_text
from datadeed.reports.page import Page, Section, draw_section, render
from datadeed.verification.verdict import WORDS
from papers.base import Case
from tasks.cases import paper_module
from tasks.cells import all_papers, paper_name, read_cells
from tasks.common import DATA, parameters, stage
from tasks.lab import Lab
from tasks.tabulate import claims_of

CELL = ("PAPER", "DATASET", "NETWORK", "WATERMARK", "SEED")


def section(paper: str, cells: pd.DataFrame) -> Section | None:
    """A paper's part of the page, if it has any of these cells to show."""
    module = paper_module(paper, "section")
    shown = module.section(cells, Lab(paper))
    if shown is None:
        return None
    html = draw_section(Path(module.__file__).parent / "section.html", shown)
    return Section(paper_name(paper), paper, shown["title"], html)


def page(cells: dict[str, pd.DataFrame], remake: str, claims: pd.DataFrame | None = None) -> Page:
    """The page of these cells by their papers."""
    made = [section(paper, its) for paper, its in cells.items()]
    sections = [one for one in made if one is not None]
    return Page(parameters("scale"), sections, versions(), remake, claims)


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
    parser.add_argument("--cell", nargs=5, metavar=CELL, help="a page for one judged cell")
    cell = parser.parse_args().cell
    if cell is not None and not cell[-1].isdecimal():
        parser.error(f"{cell[-1]!r} is no seed")
    if cell is None:
        path, cells = DATA / "report" / "index.html", {p: read_cells(p) for p in all_papers()}
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

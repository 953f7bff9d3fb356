"""Stage ``tabulate``: a paper's cells, published tables, claims and headline figures.

``python -m tasks.tabulate PAPER`` takes the cells that the parameters multiply out, so that a cell
left over from other parameters never slips into a table.
"""

import argparse
from pathlib import Path
from typing import Any

import pandas as pd

from datadeed.files import write_json, write_text
from datadeed.reports.cells import claims_frame, tidy
from tasks.cases import paper_module
from tasks.cells import read_cells
from tasks.common import parameters, stage


def run(paper: str, results: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write everything into ``results/PAPER``; nothing, if a cell is missing.

    Returns:
        The cells and the claims.
    """
    made = paper_module(paper, "tables")
    found = in_tables(read_cells(paper))
    cells, claims = tidy(found), claims_of({paper: found})
    written = {
        "cells.csv": cells.to_csv(index=False, float_format="%.10g"),
        "claims.csv": claims.to_csv(index=False),
    }
    for number, table in made.tables(found).items():
        written[f"table-{number:02d}.csv"] = table.to_csv(index=False)
    for name, text in written.items():
        write_text(results / paper / name, text)
    write_json(results / paper / "metrics.json", headlines(made, cells, claims))
    return cells, claims


def headlines(made: Any, cells: pd.DataFrame, claims: pd.DataFrame) -> dict[str, float]:
    """A paper's figures for ``dvc metrics``; one without cells at this scale is left out.

    Args:
        made: the paper's ``tables``; its ``HEADLINES``, if any, are queries by their names, and
            each stands for the mean of the cells that it selects.
        cells, claims: the paper's.
    """
    found: dict[str, float] = {
        "claims_held": int(claims.holds.sum()),
        "claims_tested": int(claims.holds.count()),
    }
    means = {
        name: cells.query(query)["value"].mean()
        for name, query in getattr(made, "HEADLINES", {}).items()
    }
    return found | {name: float(f"{mean:.6g}") for name, mean in means.items() if pd.notna(mean)}


def in_tables(cells: pd.DataFrame) -> pd.DataFrame:
    """The cells that stand in a table; the others are for the page alone."""
    return cells[cells["table"].notna()].astype({"table": "int64"})


def claims_of(cells: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The claims of papers, held against those of their cells that stand in a table."""
    return claims_frame(
        [
            claim
            for paper, its in cells.items()
            for claim in paper_module(paper, "claims").claims(in_tables(its))
        ]
    )


@stage
def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paper", help="its folder in papers/")
    cells, claims = run(parser.parse_args().paper, Path(parameters("results")))
    held = f"{claims.holds.sum()} of {claims.holds.notna().sum()} tested claims hold"
    print(f"{len(cells)} cells; {held}")  # noqa: T201


if __name__ == "__main__":
    main()

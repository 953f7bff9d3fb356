"""Stage ``tabulate``: cells, published tables and claims from all evidence of the scale in force.

Takes the stages that the parameters multiply out, so evidence left over from other parameters never
slips into a table.
"""

import itertools
from pathlib import Path
from typing import Any

import pandas as pd

from datadeed.files import read_json, write_text
from datadeed.reports import dvbw, ubw
from datadeed.reports.cells import claims_frame, tidy
from tasks.common import DATA, parameters, stage


def read_evidence(grid: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """The records of the cells that a grid multiplies out, and of no others."""
    axes = ("datasets", "networks", "watermarks", "seeds")
    return [
        read_json(DATA / "evidence" / "-".join(map(str, name)) / "evidence.json")
        for name in itertools.product(*(grid[axis] for axis in axes))
    ]


@stage
def main() -> None:
    """Command line."""
    scale, results = parameters("scale"), Path(parameters("results"))
    found = {
        paper: paper.cells(read_evidence(parameters(grid)), scale)
        for paper, grid in ((dvbw, "grid"), (ubw, "ubw"))
    }
    cells = tidy(pd.concat(found.values(), ignore_index=True))
    write_text(results / "cells.csv", cells.to_csv(index=False, float_format="%.10g"))
    for paper, its in found.items():
        for number, table in paper.tables(its).items():
            write_text(results / f"table-{number:02d}.csv", table.to_csv(index=False))
    claims = claims_frame([claim for paper, its in found.items() for claim in paper.claims(its)])
    write_text(results / "claims.csv", claims.to_csv(index=False))
    held = f"{claims.holds.sum()} of {claims.holds.notna().sum()} tested claims hold"
    print(f"{len(cells)} cells; {held}")  # noqa: T201


if __name__ == "__main__":
    main()

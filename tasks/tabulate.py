"""Stage ``tabulate``: cells, published tables and claims from all evidence of the scale in force.

Takes the stages that the parameters multiply out, so evidence left over from other parameters never
slips into a table.
"""

import itertools
from pathlib import Path
from typing import Any

import pandas as pd

from datadeed.files import read_json, write_text
from datadeed.reports import clean, dvbw, ubw
from datadeed.reports.cells import claims_frame, tidy
from tasks.common import DATA, parameters, stage


def read_evidence(grid: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """The records of the cells that a grid multiplies out, and of no others."""
    axes = ("datasets", "networks", "watermarks", "seeds")
    return [
        read_json(DATA / "evidence" / "-".join(map(str, name)) / "evidence.json")
        for name in itertools.product(*(grid[axis] for axis in axes))
    ]


def read_clean(cells: dict[str, dict[str, Any]], file: str) -> list[dict[str, Any]]:
    """A record of each cell of the clean-label grid."""
    names = ["{dataset}-{network}-{watermark}-{seed}".format(**cell) for cell in cells.values()]
    return [read_json(DATA / "evidence" / name / file) for name in names]


@stage
def main() -> None:
    """Command line."""
    scale, results = parameters("scale"), Path(parameters("results"))
    grid = parameters("clean")
    found = {
        dvbw: dvbw.cells(read_evidence(parameters("grid")), scale),
        ubw: ubw.cells(read_evidence(parameters("ubw")), scale),
        clean: clean.cells(
            read_clean(grid["victims"], "evidence.json"),
            read_clean(grid["hidden"], "stealth.json"),
            scale,
        ),
    }
    # An empty frame has no types, and would take those of the others with it.
    cells = tidy(pd.concat([its for its in found.values() if len(its)], ignore_index=True))
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

"""Stage ``tabulate``: cells, published tables and claims from all evidence of the scale in force.

Takes the stages that the parameters multiply out, so evidence left over from other parameters never
slips into a table.
"""

import itertools
from pathlib import Path

from datadeed.files import read_json, write_text
from datadeed.reports import dvbw
from datadeed.reports.cells import claims_frame, tidy
from tasks.common import DATA, parameters, stage


@stage
def main() -> None:
    """Command line."""
    grid = parameters("grid")
    names = itertools.product(grid["datasets"], grid["networks"], grid["watermarks"], grid["seeds"])
    evidence = [
        read_json(DATA / "evidence" / "-".join(map(str, name)) / "evidence.json") for name in names
    ]
    cells = dvbw.cells(evidence, parameters("scale"))
    results = Path(parameters("results"))
    write_text(results / "cells.csv", tidy(cells).to_csv(index=False, float_format="%.10g"))
    for number, table in dvbw.tables(cells).items():
        write_text(results / f"table-{number:02d}.csv", table.to_csv(index=False))
    claims = claims_frame(dvbw.claims(cells))
    write_text(results / "claims.csv", claims.to_csv(index=False))
    print(f"{len(cells)} cells; {claims.holds.sum()} of {len(claims)} claims hold")  # noqa: T201


if __name__ == "__main__":
    main()

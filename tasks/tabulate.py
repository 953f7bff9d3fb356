"""Stage ``tabulate``: cells, published tables and claims of all papers at the scale in force.

Takes the cells that the parameters multiply out, so that a cell left over from other parameters
never slips into a table.
"""

from pathlib import Path

import pandas as pd

from datadeed.errors import ParameterError
from datadeed.files import write_text
from datadeed.reports.cells import claims_frame, tidy
from tasks.cases import paper_module
from tasks.cells import all_papers, read_cells
from tasks.common import parameters, stage


def run(results: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write everything into ``results``; nothing, if a cell is missing.

    Returns:
        The cells and the claims.

    Raises:
        ParameterError: two papers have a table of the same number.
    """
    found = {paper: in_tables(read_cells(paper)) for paper in all_papers()}
    cells = tidy(pd.concat(found.values(), ignore_index=True))
    written, claims = {"cells.csv": cells.to_csv(index=False, float_format="%.10g")}, []
    for paper, its in found.items():
        for number, table in paper_module(paper, "tables").tables(its).items():
            name = f"table-{number:02d}.csv"
            if name in written:
                raise ParameterError(
                    f"papers/{paper}: there is a table {number} already: take a number that is free"
                )
            written[name] = table.to_csv(index=False)
        claims += paper_module(paper, "claims").claims(its)
    frame = claims_frame(claims)
    written["claims.csv"] = frame.to_csv(index=False)
    for name, text in written.items():
        write_text(results / name, text)
    return cells, frame


def in_tables(cells: pd.DataFrame) -> pd.DataFrame:
    """The cells that stand in a table; the others are for the page alone."""
    return cells[cells["table"].notna()].astype({"table": "int64", "n": "int64"})


@stage
def main() -> None:
    """Command line."""
    cells, claims = run(Path(parameters("results")))
    held = f"{claims.holds.sum()} of {claims.holds.notna().sum()} tested claims hold"
    print(f"{len(cells)} cells; {held}")  # noqa: T201


if __name__ == "__main__":
    main()
